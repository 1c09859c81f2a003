"""Crops of good photographs, as they are and spoiled: what the finish score and its network learn from.

Of every photograph some crops stay intact and others are spoiled, in the ways of `spoiling.py` and in a few
more, and some in those of `unusual.py`, of `rare.py` and of `framing.py`. What is drawn for one depends on
its name, the seed and the number of the draw alone, so any number of workers draws the same, and what was
kept stays good when photographs are added.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from framing import FRAMING
from needles import MIN_SOURCE_PX, cropped, of_some_size, opened, paths_in
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageEnhance, ImageFilter
from rare import RARE
from spoiling import KINDS, Spoil, blurred, compressed, levels, noisy, picture, saved, scaled
from unusual import UNUSUAL

from photogenic.measures.darkroom import format_of, squeezed
from photogenic.measures.decode import decode
from photogenic.measures.finish import PIXEL_COLUMNS, pixels_measured

INTACT = "intact"
FURTHER = UNUSUAL | RARE | FRAMING
SHAPES_BESIDE = 2  # crops of another shape, drawn with the rare ones
FIELDS = ("crops", "matrix", "formats", "kinds")  # of Examples: an entry for each crop
LARGE_PX, WHOLE_PX = 1024, 512  # of photographs from which parts are taken; and of others
Floats = NDArray[np.float64]
Pictures = NDArray[np.uint8]
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


SPOILS = KINDS | MORE | FURTHER
ASPECTS: dict[str, list[str]] = {  # every kind is a failure in one of them; both networks know these
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
FURTHER_ASPECTS: dict[str, list[str]] = {  # the second network and the forests know these too
    "shape": [
        "sideways",
        "wobbling",
        "jelly",
        "bent",
        "badly joined",
        "combed",
    ],
    "surface": [
        "banded",
        "jagged",
        "painted",
        "badly cut out",
        "few colours",
        "printed",
        "on a screen",
        "local contrast",
        "tone mapped",
        "light leak",
        "flashed",
        "cheap lens",
        "misregistered",
        "smudged lens",
        "into the light",
        "focus elsewhere",
        "zoomed",
        "deeply banded",
        "pushed",
        "surveyed",
        "taped",
        "copied",
        "false colours",
        "worn print",
        "faded filter",
        "subject out of focus",
    ],
    "one picture alone": [
        "scribbled on",
        "censored",
        "behind a mesh",
        "finger tip",
        "wet lens",
        "twice exposed",
        "broken file",
        "on a table",
        "player",
        "in a story",
        "spotted",
        "glitched",
        "everything twice",
        "behind glass",
        "pasted on",
        "mirrored half",
        "in the way",
        "fingers",
    ],
    "framing": ["cut through", "pointless part"],
    "proportions": ["stretched", "squeezed"],  # the forests alone: a square does not show it
}
ALL_ASPECTS = ASPECTS | FURTHER_ASPECTS
BY_FORMAT = FURTHER_ASPECTS["proportions"]


@dataclass(frozen=True)
class Examples:
    """Of one photograph: its name; itself [H, W, 3], at most LARGE_PX; its crops as the network sees them
    [N, S, S, 3], what they measure in PIXEL_COLUMNS [N, C], the logarithms of their width over their height
    [N], and their kinds [N].
    """

    name: str
    photograph: Pictures
    crops: Pictures
    matrix: Floats
    formats: Floats
    kinds: NDArray[np.str_]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", type=Path, nargs="*", help="files are named SOURCE--NAME")
    crops = "crops of each photograph; several numbers: drawn so many times"
    parser.add_argument("--intact", type=int, nargs="+", default=[4], help=crops)
    parser.add_argument("--spoiled", type=int, nargs="+", default=[24], help=crops)
    unusual, rare = (f"crops of each in the ways of {each}" for each in ("unusual.py", "rare.py"))
    parser.add_argument("--unusual", type=int, default=10, help=f"{unusual}, at most {len(UNUSUAL)}")
    parser.add_argument("--rare", type=int, default=5, help=f"{rare}, beside three of other kinds")
    parser.add_argument("--no-framing", dest="framing", action="store_false", help="none of framing.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--examples", type=Path, help="what is drawn stays in this folder, for one seed and such numbers"
    )


def taken(options: argparse.Namespace, paths: list[Path]) -> list[Examples]:
    """Of each photograph that is large enough; of those that are shipped where there are no paths."""
    if len(options.intact) != len(options.spoiled):
        raise SystemExit("--intact and --spoiled have to name as many numbers each: one for each draw.")
    numbers = range(len(paths) or len(list(opened([]))))
    with Pool(options.workers) as pool:
        found = pool.map(partial(_examples_of, paths, options), numbers, chunksize=1)
    return [each for each in found if each is not None]


def paths_of(options: argparse.Namespace) -> list[Path]:
    paths = paths_in(options.folders)
    if twice := [name for name, num in Counter(path.stem for path in paths).items() if num > 1]:
        raise SystemExit(f"Two photographs have one name: {', '.join(sorted(twice))}")
    return paths


def source_of(name: str) -> str:
    """Of a photograph's name without its suffix: what it has before two dashes."""
    return name.partition("--")[0]


def source_number(name: str) -> int:
    return crc32(source_of(name).encode())


def half_of(name: str) -> int:
    """0 or 1, and of a source always the same."""
    return source_number(name) % 2


def _examples_of(paths: list[Path], options: argparse.Namespace, number: int) -> Examples | None:
    """Of all draws, each as it was kept or made now."""
    name = paths[number].stem if paths else f"shipped-{number}"
    drawn = _kinds_of(options, crc32(name.encode()))
    paths_kept = {draw: options.examples and options.examples / f"{name}{draw}.npz" for draw in drawn}
    kept = {draw: _kept(path, FIELDS if draw else (*FIELDS, "large")) for draw, path in paths_kept.items()}
    image = None
    if None in kept.values():
        image = next(opened([paths[number]])) if paths else list(opened([]))[number]
        if min(image.size) < MIN_SOURCE_PX:
            return None
    draws = []
    for draw, (rng, kinds) in drawn.items():
        arrays = kept[draw]
        if arrays is None:
            assert image is not None  # opened above, for this one is not kept
            arrays = _drawn(image, rng, kinds) | ({} if draw else {"large": whole(image, LARGE_PX)})
            if path := paths_kept[draw]:
                _keep(arrays, path)
        draws.append(arrays)
    parts = {key: np.concatenate([each[key] for each in draws]) for key in FIELDS}
    return Examples(name, draws[0]["large"], **parts)


def _kinds_of(options: argparse.Namespace, photograph: int) -> dict[str, tuple[Rng, list[str]]]:
    """What is appended to a file's name, for each draw -> its generator and the kinds of its crops."""
    draws = {}
    for draw, (num_intact, num_spoiled) in enumerate(zip(options.intact, options.spoiled, strict=True)):
        rng = np.random.default_rng([options.seed + draw, photograph])
        spoiled = rng.permutation(list(KINDS | MORE))[:num_spoiled].tolist()
        draws[f".{draw}" if draw else ""] = (rng, [INTACT] * num_intact + spoiled)
    if options.unusual:
        rng = np.random.default_rng([options.seed, photograph, len(UNUSUAL)])
        draws[".unusual"] = (rng, rng.permutation(list(UNUSUAL))[: options.unusual].tolist())
    if options.rare:
        rng = np.random.default_rng([options.seed, photograph, len(UNUSUAL) + len(RARE)])
        shapes = [*FURTHER_ASPECTS["shape"], *BY_FORMAT]
        others = [kind for kind in RARE if kind not in shapes]
        beside = rng.permutation(shapes)[:SHAPES_BESIDE].tolist()
        rare = rng.permutation(others)[: options.rare].tolist()
        draws[".rare"] = (rng, [INTACT, *beside, *rare])
    if options.framing:
        rng = np.random.default_rng([options.seed, photograph, len(FURTHER)])
        draws[".framing"] = (rng, [INTACT, *FRAMING])
    return draws


def _kept(path: Path | None, fields: Sequence[str]) -> dict[str, Any] | None:
    """What lies there; not if an earlier version kept less, or measured less."""
    if not path or not path.is_file():
        return None
    with np.load(path) as kept:
        arrays = dict(kept)
    is_whole = set(fields) <= set(arrays) and arrays["matrix"].shape[1] == len(PIXEL_COLUMNS)
    return arrays if is_whole else None


def _keep(arrays: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)


def _drawn(image: Image.Image, rng: Rng, kinds: list[str]) -> dict[str, Any]:
    """The arrays of Examples that hold crops."""
    crops, rows, formats = [], [], []
    for kind in kinds:
        data = _file_of(image, kind, rng)
        decoded = decode(data, exact=False)
        values = pixels_measured(decoded, data)
        crops.append(squeezed(decoded.rgb))
        formats.append(format_of(decoded.rgb))
        rows.append([values.get(name, np.nan) for name in PIXEL_COLUMNS])
    return {
        "crops": np.stack(crops),
        "matrix": np.array(rows, np.float64),
        "formats": np.array(formats, np.float64),
        "kinds": np.array(kinds, str),
    }


def whole(image: Image.Image, side: int = WHOLE_PX) -> Pictures:
    """A photograph, its longer side at most so many pixels: [H, W, 3]."""
    image = image.copy()
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _file_of(image: Image.Image, kind: str, rng: Rng) -> bytes:
    return saved(crop_of(image, kind, rng), int(rng.integers(85, 96)))


def crop_of(image: Image.Image, kind: str, rng: Rng, side: int | None = None) -> Image.Image:
    """A crop of a photograph, spoiled or not; of at most `side` pixels when it is. Parts are taken from all
    of it, before it is made smaller, so that they are not known by their few pixels.
    """
    is_part = kind in FURTHER_ASPECTS["framing"]
    crop = of_some_size(SPOILS[kind](image, rng), rng) if is_part else cropped(image, rng)
    if side:
        crop.thumbnail((side, side), Image.Resampling.LANCZOS)
    return crop if is_part or kind == INTACT else SPOILS[kind](crop, rng)
