"""Learn `photogenic/weights/finish.npz`: what tells good photographs from spoiled ones.

    python benchmarks/learning_finish.py FOLDER... --out FILE     learn and write the forest
    python benchmarks/learning_finish.py FOLDER...                only say how well it would do
    python benchmarks/learning_finish.py                          the same, with the few photographs that
                                                                  scikit-image and scikit-learn ship

Of every photograph some crops stay intact and others are spoiled, in the ways of `spoiling.py` and in a few
more. Told is the area under the ROC curve, kind by kind, for photographs that were not in the training: with
the kind in the training, and without it (a fifth of the kinds left out at a time).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from needles import MIN_SOURCE_PX, cropped, opened, paths_in
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageEnhance, ImageFilter
from spoiling import KINDS, Spoil, blurred, compressed, levels, noisy, picture, saved, scaled

from photogenic.measures.finish import COLUMNS, Forest, matrix_of, measured

INTACT = "intact"
NUM_TREES, MIN_LEAF, FEATURE_SHARE = 200, 2, 0.3
TABLE_TREES = 60  # to say how well it would do
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


MORE: dict[str, Spoil] = {
    "off colour": off_colour,
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


@dataclass(frozen=True)
class Examples:
    """Measures of crops [N, C], of which photograph each is [N], and its kind [N]."""

    matrix: Floats
    photographs: NDArray[np.int64]
    kinds: NDArray[np.str_]

    @property
    def is_intact(self) -> NDArray[np.bool_]:
        return np.asarray(self.kinds == INTACT)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--intact", type=int, default=2, help="crops of each photograph")
    parser.add_argument("--spoiled", type=int, default=15, help="crops of each photograph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--examples", type=Path, nargs="*", default=[], help="further ones, made before")
    parser.add_argument("--keep-examples", type=Path)
    options = parser.parse_args()
    examples = made(list(taken(paths_in(options.folders), options)))
    if options.keep_examples:
        np.savez_compressed(options.keep_examples, **vars(examples))
    for path in options.examples:
        examples = joined(examples, Examples(**np.load(path)))
    if options.out:
        learn(examples.matrix, examples.is_intact).save(options.out)
    print_table(examples)


Row = tuple[int, str, Floats]


def taken(paths: list[Path], options: argparse.Namespace) -> Iterator[Row]:
    """Crops and what is measured of them."""
    rng, spoils, left = np.random.default_rng(options.seed), KINDS | MORE, []
    for number, image in enumerate(opened(paths)):
        if min(image.size) < MIN_SOURCE_PX:
            continue
        for place in range(options.intact + options.spoiled):
            left = left or rng.permutation(list(spoils)).tolist()
            kind = INTACT if place < options.intact else left.pop()
            crop = cropped(image, rng)
            crop = crop if kind == INTACT else spoils[kind](crop, rng)
            values = measured(saved(crop, int(rng.integers(85, 96))))
            yield number, kind, matrix_of([values])[0]


def made(rows: list[Row]) -> Examples:
    numbers, kinds, vectors = zip(*rows, strict=True)
    return Examples(np.array(vectors), np.array(numbers), np.array(kinds))


def joined(first: Examples, second: Examples) -> Examples:
    """The same photographs have the same numbers in both."""
    return Examples(
        *(np.concatenate([getattr(each, name) for each in (first, second)]) for name in vars(first))
    )


def learn(matrix: Floats, is_intact: NDArray[np.bool_], num_trees: int = NUM_TREES) -> Forest:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel, 2006), both classes of equal weight."""
    from sklearn.ensemble import ExtraTreesClassifier

    share = is_intact.mean()
    weights = np.where(is_intact, 0.5 / share, 0.5 / (1 - share))
    trees = ExtraTreesClassifier(
        num_trees, min_samples_leaf=MIN_LEAF, max_features=FEATURE_SHARE, random_state=0
    ).fit(matrix.astype(np.float32), is_intact, weights)
    return Forest.of_trees([each.tree_ for each in trees.estimators_], COLUMNS)


def print_table(examples: Examples) -> None:
    kinds = sorted(set(examples.kinds) - {INTACT})
    known, unknown = np.zeros((2, len(examples.kinds)))

    def learnt_of(rows: NDArray[np.bool_]) -> Forest:
        return learn(examples.matrix[rows], examples.is_intact[rows], TABLE_TREES)

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
