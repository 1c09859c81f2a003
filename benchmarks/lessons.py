"""What the network of `learning_darkroom.py` learns from: photographs to which something was done; crops."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from examples import (
    ALL_ASPECTS,
    BY_FORMAT,
    INTACT,
    WHOLE_PX,
    Examples,
    Pictures,
    Rng,
    crop_of,
    half_of,
    paths_of,
    source_of,
    taken,
    whole,
)
from framing import FRAMING
from needles import opened, paths_in
from numpy.typing import NDArray
from PIL import Image
from rare import RARE
from spoiling import saved
from unusual import UNUSUAL

from photogenic.measures.darkroom import AMOUNTS, POSTURES, SIDE_PX, squeezed
from photogenic.measures.decode import decode
from photogenic.measures.scales import reduced

PLAIN_BATCH = 32  # pictures, where there are no crops
FREE, UNASKED = -1, -9  # aspects of crops: intact; a fault that a square does not show
NUM_USUAL = 9  # aspects; the further ones come after them
DONE = 12  # of a batch: pictures to which something was done
KEPT = {FREE: 2, 0: 4, NUM_USUAL: 1}  # crops that were kept
INTACT_FRESH, FURTHER_FRESH, FRAMING_FRESH = 5, 5, 4  # and that are made for this batch alone
OFTEN = {  # kinds that come so many times as often as others, for they pass unseen more often
    "sideways": 5,
    "tone mapped": 4,
    "banded": 2,
    "deeply banded": 2,
    "in the way": 2,
    "fingers": 2,
}
QUARTERS = (0, 0, 0, 1, 2, 3)  # turns, drawn from these
GREY = np.array([0.299, 0.587, 0.114], np.float32)
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Batch:
    """Pictures [B, S, S, 3], the AMOUNTS done to them [B, 7], numbers in POSTURES [B], formats (the logarithm
    of width over height) [B]; crops [C, S, S, 3] and the aspect in which each fails [C], FREE in none.
    """

    pictures: Pictures
    amounts: Floats
    postures: NDArray[np.int64]
    formats: Floats
    crops: Pictures
    aspects: NDArray[np.int64]


class Lesson:
    """Photographs, of which any of a source with a hundred is drawn a tenth as often as the one of another;
    good ones among them, of which fresh crops are made; and crops that were kept [N, S, S, 3].
    """

    def __init__(self, photographs: Sequence[tuple[str, Pictures]], examples: Sequence[Examples]) -> None:
        self._aspects = {kind: n for n, kinds in enumerate(ALL_ASPECTS.values()) for kind in kinds}
        self._aspects |= dict.fromkeys(BY_FORMAT, UNASKED) | {INTACT: FREE}
        named = [*photographs, *((each.name, each.photograph) for each in examples)]
        sources = [source_of(name) for name, _ in named]
        sizes = Counter(sources)
        chances = np.array([sizes[source] ** -0.5 for source in sources])
        self.photographs = [pixels for _, pixels in named]
        self.chances = chances / chances.sum()
        self.good = np.arange(len(photographs), len(named))
        self.crops: Pictures = np.concatenate(
            [np.zeros((0, SIDE_PX, SIDE_PX, 3), np.uint8), *(each.crops for each in examples)]
        )
        self.aspects = np.array([self._aspects[kind] for each in examples for kind in each.kinds], int)
        self.further = often([kind for kind in UNUSUAL | RARE if self._aspects[kind] >= NUM_USUAL])

    def batch(self, seed: Sequence[int]) -> Batch:
        rng = np.random.default_rng(seed)
        done = self.done(DONE if len(self.crops) else PLAIN_BATCH, rng)
        return Batch(*done, *(self._crops(rng) if len(self.crops) else (self.crops, self.aspects)))

    def done(self, num: int, rng: Rng) -> tuple[Pictures, Floats, NDArray[np.int64], Floats]:
        """The first four of a Batch."""
        chosen = rng.choice(len(self.photographs), num, p=self.chances)
        done = [done_to(reduced(self.photographs[each], WHOLE_PX), rng) for each in chosen]
        pictures, amounts, postures, formats = zip(*done, strict=True)
        return np.stack(pictures), np.stack(amounts), np.array(postures), np.array(formats, np.float32)

    def _rows(self, numbers: dict[int, int], rng: Rng) -> NDArray[np.int64]:
        """Of kept crops at most so many of each: FREE, those with one of the usual faults (0), of the further
        ones (NUM_USUAL).
        """
        has = {
            FREE: self.aspects == FREE,
            0: (self.aspects >= 0) & (self.aspects < NUM_USUAL),
            NUM_USUAL: self.aspects >= NUM_USUAL,
        }
        drawn = [
            rng.choice(np.flatnonzero(has[which]), min(num, int(has[which].sum())), replace=False)
            for which, num in numbers.items()
        ]
        return np.concatenate(drawn)

    def made(self, kinds: Sequence[str], rng: Rng) -> Pictures:
        """A crop of each of these kinds, of any good photographs. [N, S, S, 3]"""
        chances = self.chances[self.good] / self.chances[self.good].sum()
        chosen = rng.choice(self.good, len(kinds), p=chances)
        return np.stack(
            [_fresh(self.photographs[each], kind, rng) for each, kind in zip(chosen, kinds, strict=True)]
        )

    def _crops(self, rng: Rng) -> tuple[Pictures, NDArray[np.int64]]:
        """Some that were kept, and some made now; all mirrored or none."""
        rows = self._rows(KEPT, rng)
        kinds = [INTACT] * INTACT_FRESH + rng.choice(self.further, FURTHER_FRESH).tolist()
        kinds += rng.choice(often(FRAMING), FRAMING_FRESH).tolist()
        crops = np.concatenate([self.crops[rows], self.made(kinds, rng)])
        aspects = np.concatenate([self.aspects[rows], [self._aspects[kind] for kind in kinds]])
        return crops[:, :, :: int(rng.choice([-1, 1]))], aspects


def often(kinds: Iterable[str]) -> list[str]:
    """Each as many times as OFTEN says, and once if it says nothing."""
    return [kind for kind in kinds for _ in range(OFTEN.get(kind, 1))]


def _fresh(photograph: Pictures, kind: str, rng: Rng) -> Pictures:
    crop = crop_of(Image.fromarray(photograph), kind, rng, WHOLE_PX)
    return squeezed(decode(saved(crop, int(rng.integers(85, 96)))).rgb)


def lesson_of(options: argparse.Namespace) -> Lesson:
    """Of all plain photographs and, where folders are named, of the half of what lies there."""
    plain = []
    for path in paths_in(options.plain):
        plain.append((path.stem, whole(next(opened([path])))))
    paths = [path for path in paths_of(options) if options.half in (None, half_of(path.stem))]
    return Lesson(plain, taken(options, paths) if options.folders else [])


# ---- what is done to a photograph


def done_to(photograph: Pictures, rng: Rng) -> tuple[Pictures, Floats, int, float]:
    """A part of [H, W, 3] as a square, perhaps turned, tinted, faded or lighter; the AMOUNTS, the posture,
    the logarithm of the part's width over its height.
    """
    amounts = dict.fromkeys(AMOUNTS, 0.0)
    quarter = int(rng.choice(QUARTERS))
    is_turned = quarter == 0 and rng.random() < 0.5
    degrees = rng.uniform(2, 22) * rng.choice([-1, 1]) if is_turned else 0.0
    pixels, amounts["turn"], aspect = turned(photograph, degrees, rng)
    if rng.random() < 0.4:
        pixels, amounts["red"], amounts["blue"] = tinted(pixels, rng)
    if rng.random() < 0.4:
        factor = math.exp(rng.uniform(math.log(0.06), math.log(3.5)))
        grey = (pixels @ GREY)[..., None]
        pixels = grey + (pixels - grey) * factor
        amounts["saturation"] = float(np.clip(math.log(factor), -2, 1.3))
    if rng.random() < 0.4:
        pixels, toned_by = toned(pixels, rng)
        amounts |= toned_by
    picture = np.ascontiguousarray(np.rot90(np.clip(pixels, 0, 255).astype(np.uint8), quarter))
    posture = POSTURES.index(("upright", "on_side", "upside_down", "on_side")[quarter])
    return picture, np.array(list(amounts.values()), np.float32), posture, math.log(aspect)


def turned(photograph: Pictures, degrees: float, rng: Rng) -> tuple[Floats, float, float]:
    """A part of it without corners that lie outside, mirrored or not; by how many tens of degrees; and the
    part's width over its height.
    """
    height, width = photograph.shape[:2]
    angle = math.radians(degrees)
    across, along = abs(math.sin(angle)), math.cos(angle)
    aspect = float(np.clip(width / height * rng.uniform(0.8, 1.25), 0.6, 1.7))
    part_height = min(width / (aspect * along + across), height / (aspect * across + along))
    part_height *= rng.uniform(0.55, 0.96)
    part = np.array([aspect * part_height, part_height])
    room = np.array([width, height]) - np.array([[along, across], [across, along]]) @ part
    middle = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * np.maximum(0, room - 2)
    flip, scale = int(rng.choice([-1, 1])), part / SIDE_PX
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = matrix * scale * np.array([flip, 1])
    offset = middle - matrix @ np.full(2, (SIDE_PX - 1) / 2)
    pixels = cv2.warpAffine(
        photograph,
        np.column_stack([matrix, offset]),
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return pixels.astype(np.float32), degrees * flip / 10, aspect


def tinted(pixels: Floats, rng: Rng) -> tuple[Floats, float, float]:
    """In other light, by gains of levels or of light; red's and blue's over green's, in fifths of a stop."""
    gains = rng.normal(0, 0.22, 3)
    gains -= gains[1]
    factors = np.exp2(gains - gains.mean()).astype(np.float32)
    if rng.random() < 0.5:
        pixels = pixels * factors
    else:
        light = (np.clip(pixels, 0, 255) / 255) ** 2.2 * factors**2
        pixels = 255 * np.clip(light, 0, 1) ** (1 / 2.2)
    return pixels, float(gains[0] / 0.2), float(gains[2] / 0.2)


def toned(pixels: Floats, rng: Rng) -> tuple[Floats, dict[str, float]]:
    """Lighter or darker, flatter or harder, or by another gamma."""
    way = rng.integers(3)
    if way == 0:
        factor = math.exp(rng.uniform(math.log(0.3), math.log(2.2)))
        return pixels * factor, {"gain": 2 * math.log(factor)}
    if way == 1:
        factor, lift = rng.uniform(0.3, 1.7), rng.uniform(-40, 80)
        middle = pixels.mean()
        return middle + (pixels - middle) * factor + lift, {"gain": 2 * math.log(factor), "lift": lift / 40}
    gamma = math.exp(rng.uniform(-1.1, 1.1))
    return 255 * (np.clip(pixels, 0, 255) / 255) ** gamma, {"gamma": 2 * math.log(gamma)}
