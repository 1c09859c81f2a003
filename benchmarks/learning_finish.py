"""Learn `photogenic/weights/finish.npz`: what tells good photographs from spoiled ones.

    python benchmarks/learning_finish.py FOLDER... --darkrooms FIRST SECOND --out FILE
                                                            learn and write the forest
    python benchmarks/learning_finish.py FOLDER...          only say how well it would do
    python benchmarks/learning_finish.py                    the same, with the few photographs that
                                                            scikit-image and scikit-learn ship

Of every photograph some crops stay intact and others are spoiled, in the ways of `spoiling.py` and in a few
more; what is drawn for one depends on no other, so any number of workers learns the same. Told is the area
under the ROC curve, kind by kind, for photographs that were not in the training: with the kind in the
training, and without it (a fifth of the kinds left out at a time).

FIRST and SECOND are networks of `learning_darkroom.py`, each of one half of the photographs: one has to
answer as it does about pictures that it has not seen, so each is asked about the other half. Without them
the network that comes along answers, which has seen them all, and the figures are too good.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from needles import MIN_SOURCE_PX, cropped, opened, paths_in
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageEnhance, ImageFilter
from spoiling import KINDS, Spoil, blurred, compressed, levels, noisy, picture, saved, scaled

from photogenic.measures.darkroom import Darkroom
from photogenic.measures.finish import COLUMNS, Forest, matrix_of, measured

INTACT = "intact"
NUM_TREES, MIN_LEAF, FEATURE_SHARE = 60, 2, 0.6  # for each aspect
TABLE_TREES = 15  # to say how well it would do
NUM_FOLDS = 5
Floats = NDArray[np.float64]
Rng = np.random.Generator


def off_colour(image: Image.Image, rng: Rng) -> Image.Image:
    """A cast of any colour, multiplied or added."""
    gains = rng.uniform(0.75, 1.2, 3) if rng.integers(2) else np.ones(3)
    return picture(levels(image) * gains + (0 if gains[0] != 1 else rng.uniform(-30, 30, 3)))


def crooked(image: Image.Image, rng: Rng) -> Image.Image:
    """Turned by an angle that is seen, and cut to what is left."""
    degrees = rng.uniform(4, 25) * rng.choice([-1, 1])
    turned, (width, height) = image.rotate(degrees, Image.Resampling.BICUBIC), image.size
    cut = 0.12 + abs(degrees) / 200
    return turned.crop((int(cut * width), int(cut * height), int((1 - cut) * width), int((1 - cut) * height)))


def gamma(image: Image.Image, rng: Rng) -> Image.Image:
    return picture(255 * (levels(image) / 255) ** rng.choice([rng.uniform(0.3, 0.55), rng.uniform(1.9, 3)]))


def doubled(image: Image.Image, rng: Rng) -> Image.Image:
    shift = int(max(image.size) * rng.uniform(0.005, 0.03)) + 1
    return Image.blend(image, ImageChops.offset(image, shift, int(rng.integers(-shift, shift))), 0.5)


def grainy(image: Image.Image, rng: Rng) -> Image.Image:
    values = levels(image)
    return picture(values + rng.normal(0, rng.uniform(8, 25), (*values.shape[:2], 1)))


def crisped(image: Image.Image, rng: Rng) -> Image.Image:
    radius = max(image.size) * rng.uniform(0.001, 0.006)
    return image.filter(ImageFilter.UnsharpMask(radius, int(rng.uniform(200, 500)), 0))


def vivid(image: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Color(image).enhance(rng.uniform(1.9, 3.5))


def blocked(image: Image.Image, rng: Rng) -> Image.Image:
    """Something smooth and near before a part of the frame."""
    mask, (width, height) = Image.new("L", image.size), image.size
    blob = Image.new("L", (int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.3, 0.8))), 255)
    at = [int(rng.choice([-0.5, 1.0]) * side * rng.uniform(0.3, 0.6)) for side in image.size]
    mask.paste(blob, (at[0], int(rng.uniform(0, 0.7) * height)))
    mask = mask.filter(ImageFilter.GaussianBlur(width * rng.uniform(0.02, 0.06)))
    return Image.composite(
        Image.new("RGB", image.size, tuple(rng.integers(10, 200, 3).tolist())), image, mask
    )


def wrongly_balanced(image: Image.Image, rng: Rng) -> Image.Image:
    """Too warm or too cool, a little green or magenta with it, as a camera that took bulbs for daylight."""
    warmth, green = rng.uniform(0.12, 0.3) * rng.choice([-1, 1]), rng.uniform(-0.12, 0.12)
    linear = (levels(image) / 255) ** 2.2 * np.exp2(2 * np.array([warmth, green, -warmth]))
    return picture(255 * np.clip(linear, 0, 1) ** (1 / 2.2))


MORE: dict[str, Spoil] = {
    "off colour": off_colour,
    "wrongly balanced": wrongly_balanced,
    "crooked": crooked,
    "wrong gamma": gamma,
    "doubled": doubled,
    "grain": grainy,
    "crisped": crisped,
    "vivid": vivid,
    "something before it": blocked,
    "soft and noisy": lambda image, rng: noisy(blurred(0.002, 0.004)(image, rng), rng),
    "saved thrice": lambda image, rng: compressed(15, 45)(compressed(15, 45)(image, rng), rng),
    "flat and dark": scaled(0.3, 0.6, lift=(0, 25)),
    "flat and light": scaled(0.4, 0.7, lift=(60, 110)),
}


ASPECTS: dict[str, list[str]] = {  # every kind is a failure in one of them
    "colour of the light": ["colour cast", "off colour", "wrongly balanced"],
    "level": ["tilted", "crooked"],
    "focus": [
        "out of focus",
        "slightly out of focus",
        "moved",
        "enlarged",
        "smeared",
        "doubled",
        "soft and noisy",
    ],
    "clean": ["noise", "colour noise", "grain", "heavy JPEG", "saved thrice", "four levels", "mosaic"],
    "natural edges": ["over-sharpened", "crisped"],
    "exposure": ["under-exposed", "over-exposed", "wrong gamma", "light shining in", "dark corners"],
    "contrast": ["low contrast", "washed out", "haze", "flat and dark", "flat and light", "mediocre"],
    "colour": ["dull", "colours forced", "vivid"],
    "nothing before it": [
        "finger",
        "something before it",
        "collage",
        "bars or a frame",
        "screenshot",
        "text laid over",
        "date in the corner",
        "tiled watermark",
    ],
}


@dataclass(frozen=True)
class Examples:
    """Measures of crops [N, C], of which photograph each is [N], and its kind [N]."""

    matrix: Floats
    photographs: NDArray[np.int64]
    kinds: NDArray[np.str_]

    @property
    def is_intact(self) -> NDArray[np.bool_]:
        return np.asarray(self.kinds == INTACT)

    def of(self, rows: NDArray[np.bool_]) -> Examples:
        return Examples(*(array[rows] for array in vars(self).values()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--intact", type=int, default=4, help="crops of each photograph")
    parser.add_argument("--spoiled", type=int, default=24, help="crops of each photograph")
    parser.add_argument("--darkrooms", type=Path, nargs=2, metavar=("FIRST", "SECOND"))
    parser.add_argument("--photographs", type=int, help="only so many, drawn at random: for a learning curve")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="NAME", help="files left out; the others stay as drawn"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--examples",
        type=Path,
        help="a folder: what is measured stays there and is not again (another one for other networks)",
    )
    options = parser.parse_args()
    examples = joined(taken(options))
    if options.out:
        learn(examples).save(options.out)
    print_table(examples)


def taken(options: argparse.Namespace) -> list[Examples]:
    """Of each photograph that is large enough and not left out."""
    paths = paths_in(options.folders)
    out = left_out(paths, options.without)
    order = np.random.default_rng(options.seed).permutation(len(paths) or len(list(opened([]))))
    numbers = [number for number in order.tolist() if number not in out]
    one = partial(examples_of, paths, half_of(paths), options)
    with Pool(options.workers) as pool:
        all_of_them = pool.map(one, numbers[: options.photographs], chunksize=1)
    return [examples for examples in all_of_them if len(examples.kinds)]


def left_out(paths: list[Path], names: list[str]) -> set[int]:
    """The numbers of the files with these names."""
    if unknown := set(names) - {path.name for path in paths}:
        raise SystemExit(f"Not there, so nothing to leave out: {', '.join(sorted(unknown))}")
    return {number for number, path in enumerate(paths) if path.name in names}


def half_of(paths: list[Path]) -> list[int]:
    """Of each photograph 0 or 1, about as many of each, and all of a source the same.

    A file's source is what its name has before two dashes; those without are of one.
    """
    sources = [path.name.partition("--")[0] if "--" in path.name else "" for path in paths]
    halves, sizes = {}, [0, 0]
    for source, num in sorted(Counter(sources).items(), key=lambda each: (-each[1], each[0])):
        halves[source] = int(sizes[0] > sizes[1])
        sizes[halves[source]] += num
    return [halves[source] for source in sources]


@cache
def opened_darkroom(path: Path) -> Darkroom:
    return Darkroom(path)


def examples_of(paths: list[Path], halves: list[int], options: argparse.Namespace, number: int) -> Examples:
    """Of one photograph, as they were kept or made now."""
    kept = options.examples and options.examples / f"{number:04d}.npz"
    if kept and kept.is_file():
        return Examples(**np.load(kept))
    image = next(opened([paths[number]])) if paths else list(opened([]))[number]
    rows = list(files_of(image, options, number)) if min(image.size) >= MIN_SOURCE_PX else []
    network = opened_darkroom(options.darkrooms[1 - halves[number]]) if options.darkrooms else None
    matrix = matrix_of([measured(data, network) for _, data in rows]).reshape(-1, len(COLUMNS))
    examples = Examples(matrix, np.full(len(rows), number), np.array([kind for kind, _ in rows], str))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez_compressed(part, **vars(examples))
        part.replace(kept)
    return examples


def files_of(image: Image.Image, options: argparse.Namespace, number: int) -> Iterator[tuple[str, bytes]]:
    """Kinds of a photograph's crops, and the crops as files."""
    rng, spoils = np.random.default_rng([options.seed, number]), KINDS | MORE
    for kind in [INTACT] * options.intact + rng.permutation(list(spoils))[: options.spoiled].tolist():
        crop = cropped(image, rng)
        crop = crop if kind == INTACT else spoils[kind](crop, rng)
        yield kind, saved(crop, int(rng.integers(85, 96)))


def joined(parts: list[Examples]) -> Examples:
    return Examples(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def learn(examples: Examples, num_trees: int = NUM_TREES) -> Forest:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel, 2006): of each aspect its kinds against the
    intact, both of equal weight. One forest for all hardly learns what is rare: a cast is one kind of 43.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    trees = {}
    for aspect, kinds in ASPECTS.items():
        rows = examples.is_intact | np.isin(examples.kinds, kinds)
        is_intact = examples.is_intact[rows]
        if is_intact.all():  # all of its kinds are left out
            continue
        share = is_intact.mean()
        forest = ExtraTreesClassifier(
            num_trees, min_samples_leaf=MIN_LEAF, max_features=FEATURE_SHARE, random_state=0
        ).fit(
            examples.matrix[rows].astype(np.float32),
            is_intact,
            np.where(is_intact, 0.5 / share, 0.5 / (1 - share)),
        )
        trees[aspect] = [each.tree_ for each in forest.estimators_]
    return Forest.of_trees(trees, COLUMNS)


def print_table(examples: Examples) -> None:
    kinds = sorted(set(examples.kinds) - {INTACT})
    known, unknown = np.zeros((2, len(examples.kinds)))

    def learnt_of(rows: NDArray[np.bool_]) -> Forest:
        return learn(examples.of(rows), TABLE_TREES)

    for fold in range(NUM_FOLDS):
        away = examples.photographs % NUM_FOLDS == fold
        known[away] = learnt_of(~away).score(examples.matrix[away])
        strange = np.isin(examples.kinds, kinds[fold::NUM_FOLDS])
        for part in range(NUM_FOLDS):
            there = examples.photographs % NUM_FOLDS != part
            forest = learnt_of(there & ~strange)
            asked = ~there & (strange | examples.is_intact)
            share = np.where(examples.is_intact[asked], 1 / NUM_FOLDS, 1)
            unknown[asked] += share * forest.score(examples.matrix[asked])
    print(f"{'':26}in the training   not in it")
    for kind in kinds:
        each = [area(scores, examples.is_intact, examples.kinds == kind) for scores in (known, unknown)]
        print(f"{kind:26}{each[0]:15.2f}{each[1]:12.2f}")


def area(scores: Floats, good: NDArray[np.bool_], bad: NDArray[np.bool_]) -> float:
    """How often a good one is above a bad one."""
    above, equal = (op(scores[good][:, None], scores[bad][None]).mean() for op in (np.greater, np.equal))
    return float(above + equal / 2)


if __name__ == "__main__":
    main()
