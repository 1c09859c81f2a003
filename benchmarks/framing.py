"""What goes wrong when a photograph is framed: its subject cut through, missed, out of focus, or hidden.

    python benchmarks/framing.py SHEET.png           one of each kind on a sheet, to be looked at
    python benchmarks/framing.py                     the names of the kinds

The finish score learns from these too; `benchmarks/needles.py` does not plant them. Each takes a picture and
a generator and returns another picture. Where the subject is, is guessed: what differs most from the frame's
edge, has most detail and lies nearest to the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from rare import disc_blurred
from spoiling import Rng, Spoil, levels, places, show
from unusual import mixed, oval_at

GUESSED_PX = 96  # the longer side of what the subject is looked for in
MIDDLE_SPREAD = 0.3  # of the sides: how far from the middle it may be
DIFFUSE = 0.36  # of the sides: spread over so much there is no subject
FORMATS = (0.62, 1.7)  # width over height
SKINS = ((226, 172, 146), (205, 140, 115), (225, 120, 95), (150, 92, 70), (110, 64, 50), (70, 42, 34))
Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Subject:
    """Its middle and half its width and height, in shares of the sides. [2] each"""

    middle: Values
    reach: Values

    @property
    def is_diffuse(self) -> bool:
        return bool(self.reach.mean() > DIFFUSE)


def subject_of(image: Image.Image) -> Subject:
    weights = standing_out(image)
    total = weights.sum()
    rows, columns = np.indices(weights.shape)
    middle, reach = np.zeros(2), np.zeros(2)
    for axis, (at, size) in enumerate(((columns, weights.shape[1]), (rows, weights.shape[0]))):
        share = (at + 0.5) / size
        middle[axis] = (weights * share).sum() / total
        reach[axis] = 1.5 * np.sqrt((weights * (share - middle[axis]) ** 2).sum() / total)
    return Subject(middle, np.clip(reach, 0.08, 0.45))


def standing_out(image: Image.Image) -> Values:
    """How much each part does. [h, w], at most GUESSED_PX"""
    small = image.copy()
    small.thumbnail((GUESSED_PX, GUESSED_PX))
    lab = cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2LAB).astype(np.float32)
    edge = np.concatenate([lab[:4].reshape(-1, 3), lab[:, :4].reshape(-1, 3), lab[:, -4:].reshape(-1, 3)])
    apart = np.sqrt((((lab - edge.mean(axis=0)) / (edge.std(axis=0) + 8)) ** 2).sum(axis=2))
    light = lab[..., 0]
    detail = np.hypot(cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1))
    detail = cv2.GaussianBlur(np.minimum(detail, 120), (0, 0), 3)
    across, down = places(small)
    near = np.exp(-((across - 0.5) ** 2 + (down - 0.5) ** 2) / (2 * MIDDLE_SPREAD**2))
    weights = (apart / (apart.max() + 1e-6) + detail / (detail.max() + 1e-6)) * near
    return np.asarray(cv2.GaussianBlur(np.clip(weights - 0.45 * weights.max(), 1e-5, None), (0, 0), 1.5))


# ---- what is in the frame


def cut_through(image: Image.Image, rng: Rng) -> Image.Image:
    """The frame ends in the midst of the subject; where there is none, a small part of the whole."""
    subject = subject_of(image)
    if subject.is_diffuse:
        return part_of(image, rng.uniform(0.36, 0.5), rng.random(2))
    side = int(rng.choice(4, p=[0.2, 0.45, 0.2, 0.15]))  # left, top, right, bottom
    axis, is_first = side % 2, side < 2
    at = subject.middle[axis] + rng.uniform(-0.4, 0.35) * subject.reach[axis]
    at = float(np.clip(at, 0.12, 0.88))
    first, last = rng.uniform(0, 0.07, 2), 1 - rng.uniform(0, 0.07, 2)
    if (is_first and at < 0.72) or at < 0.28:
        first[axis] = at
    else:
        last[axis] = at
    sides = np.array(image.size)
    low, high = (first * sides), (last * sides)
    low, high = _shaped(low, high, axis, first[axis] == at, subject.middle * sides)
    return image.crop((*low.astype(int).tolist(), *high.astype(int).tolist()))


def _shaped(low: Values, high: Values, axis: int, is_first: bool, middle: Values) -> tuple[Values, Values]:
    """With a usual format: what is cut off lies at the other end, or beside the subject."""
    width, height = high - low
    least, most = FORMATS
    along = 0 if width / height > most else 1
    if least <= width / height <= most:
        return low, high
    length = height * most if along == 0 else width / least
    if along == axis:
        start = low[axis] if is_first else high[axis] - length
    else:
        start = np.clip(middle[along] - length / 2, low[along], high[along] - length)
    low, high = low.copy(), high.copy()
    low[along], high[along] = start, start + length
    return low, high


def pointless(image: Image.Image, rng: Rng) -> Image.Image:
    """A part in which nothing is, or less than elsewhere; drawn near what lies emptiest."""
    share = rng.uniform(0.34, 0.46)
    weights = standing_out(image) if rng.random() < 0.5 else _busy(image)
    window = [max(2, round(share * side)) for side in weights.shape]
    sums = cv2.boxFilter(weights, -1, window[::-1], anchor=(0, 0), normalize=True)
    sums = sums[: weights.shape[0] - window[0] + 1, : weights.shape[1] - window[1] + 1]
    rank = int(rng.integers(max(1, sums.size // 40)))
    row, column = np.unravel_index(int(np.argsort(sums, axis=None)[rank]), sums.shape)
    room = np.maximum(np.array(sums.shape[::-1]) - 1, 1)
    return part_of(image, share, np.array([column, row]) / room)


def _busy(image: Image.Image) -> Values:
    small = image.convert("L")
    small.thumbnail((GUESSED_PX, GUESSED_PX))
    grey = np.asarray(small, np.float32)
    return np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))


def part_of(image: Image.Image, share: float, at: Values) -> Image.Image:
    """So much of each side; at 0 it begins at the left or at the top, at 1 it ends at the other end."""
    size = (share * np.array(image.size)).astype(int)
    left, top = (at * (np.array(image.size) - size)).astype(int).tolist()
    return image.crop((left, top, left + int(size[0]), top + int(size[1])))


def subject_blurred(image: Image.Image, rng: Rng) -> Image.Image:
    """Focused on what lies around or behind it."""
    subject, (across, down) = subject_of(image), places(image)
    reach = np.minimum(subject.reach, 0.34) * rng.uniform(0.9, 1.4)
    far = np.hypot((across - subject.middle[0]) / reach[0], (down - subject.middle[1]) / reach[1])
    share = np.clip((1.15 - far) / rng.uniform(0.2, 0.5), 0, 1)
    soft = disc_blurred(image, max(image.size) * rng.uniform(0.004, 0.012))
    return mixed(soft, levels(image), share)


# ---- what stands before it


def in_the_way(image: Image.Image, rng: Rng) -> Image.Image:
    """A head and shoulders, a post, a railing, a strap, or a corner of something, near and out of focus."""
    mask = Image.new("L", image.size)
    place, side = ImageDraw.Draw(mask), min(image.size)
    THINGS[int(rng.integers(len(THINGS)))](place, np.array(image.size), rng)
    mask = mask.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.003, 0.025)))
    ink = rng.choice([rng.uniform(5, 70), rng.uniform(30, 200)]) + rng.uniform(-20, 20, 3)
    return _before(image, np.clip(ink, 0, 255), np.asarray(mask), rng)


def _heads(place: Any, size: Values, rng: Rng) -> None:
    for _ in range(int(rng.integers(1, 3))):
        radius, x = min(size) * rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.9) * size[0]
        y = size[1] - radius * rng.uniform(0.8, 2.4)
        _oval(place, x, y, radius, radius * rng.uniform(1.1, 1.35))
        _oval(place, x, size[1] + radius * 0.4, radius * rng.uniform(2, 2.6), radius * rng.uniform(0.9, 1.5))


def _post(place: Any, size: Values, rng: Rng) -> None:
    along, thick = int(rng.random() < 0.2), rng.uniform(0.04, 0.13)
    at = rng.uniform(0.15, 0.85) + np.array([-1, 1]) * rng.uniform(-0.08, 0.08)
    ends = [(at[0], -0.1), (at[1], 1.1)]
    _line(place, [end[::-1] if along else end for end in ends], size, thick * min(size))


def _railing(place: Any, size: Values, rng: Rng) -> None:
    num, lean, phase = int(rng.integers(3, 8)), rng.uniform(-0.06, 0.06), rng.random()
    thick, is_level = rng.uniform(0.12, 0.35) / num * size[0], rng.random() < 0.2
    for each in range(-1, num + 1):
        ends = [((each + phase) / num + lean, -0.1), ((each + phase) / num - lean, 1.1)]
        _line(place, [end[::-1] if is_level else end for end in ends], size, thick)


def _strap(place: Any, size: Values, rng: Rng) -> None:
    along = np.linspace(-0.05, 1.05, 40)
    across = rng.uniform(0.2, 0.8) + rng.uniform(0.04, 0.2) * np.sin(
        along * rng.uniform(1.5, 5) + rng.uniform(0, 6)
    )
    points = np.stack([across, along], axis=1)
    points = points[:, ::-1] if rng.random() < 0.3 else points
    _line(place, points.tolist(), size, min(size) * rng.uniform(0.03, 0.1))


def _corner(place: Any, size: Values, rng: Rng) -> None:
    """A wall, a sleeve, a leaf: from a corner or an edge, of any outline."""
    angle = rng.uniform(0, 2 * np.pi)
    at = (0.5 + 0.6 * np.array([np.cos(angle), np.sin(angle)])) * size
    turns = np.linspace(0, 2 * np.pi, 50)
    wave = 1 + 0.25 * np.sin(int(rng.integers(2, 5)) * turns + rng.uniform(0, 6))
    radii = min(size) * rng.uniform(0.3, 0.6) * wave
    points = np.stack([at[0] + radii * np.cos(turns), at[1] + radii * np.sin(turns)], axis=1)
    place.polygon([tuple(point) for point in points.tolist()], 255)


def _oval(place: Any, x: float, y: float, across: float, down: float) -> None:
    place.ellipse((x - across, y - down, x + across, y + down), 255)


def _line(place: Any, points: Any, size: Values, thick: float) -> None:
    ends = [tuple((np.array(point) * size).tolist()) for point in points]
    place.line(ends, 255, max(2, int(thick)), "curve")


THINGS = (_heads, _heads, _post, _railing, _strap, _corner)


def fingers(image: Image.Image, rng: Rng) -> Image.Image:
    """One or two, of any skin and size, lit as the picture is, from any edge or corner."""
    mask, sides = Image.new("L", image.size), np.array(image.size)
    place, angle = ImageDraw.Draw(mask), rng.uniform(0, 2 * np.pi)
    rim = np.array([np.cos(angle), np.sin(angle)])
    edge = (0.5 + 0.5 * rim / np.abs(rim).max()) * sides
    toward = np.arctan2(*(sides / 2 - edge)[::-1]) + rng.uniform(-0.5, 0.5)
    long = min(sides) * rng.uniform(0.22, 0.6)
    short = long * rng.uniform(0.4, 0.8)
    beside = np.array([-np.sin(toward), np.cos(toward)]) * short * 1.7
    for number in range(1 if rng.random() < 0.8 else 2):
        place.polygon(oval_at(edge + number * beside, (long, short), toward), 255)
    soft = mask.filter(ImageFilter.GaussianBlur(min(image.size) * rng.uniform(0.012, 0.06)))
    skin = np.array(SKINS[int(rng.integers(len(SKINS)))]) * rng.uniform(0.9, 1.1, 3)
    lit = float(np.clip(levels(image).mean() / 115, 0.45, 1.15)) * rng.uniform(0.7, 1.1)
    return _before(image, np.minimum(skin * lit, 240), np.asarray(soft), rng)


def _before(image: Image.Image, ink: Values, mask: Values, rng: Rng) -> Image.Image:
    """Something of this colour, shaded from one side to the other. mask: [H, W], 0-255"""
    across, down = places(image)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    shade = 1 + depth * ((across - 0.5) * np.cos(angle) + (down - 0.5) * np.sin(angle))
    over = ink * shade[..., None] + rng.normal(0, rng.uniform(0, 4), (*shade.shape, 1))
    return mixed(over, levels(image), mask / 255 * rng.uniform(0.9, 1))


FRAMING: dict[str, Spoil] = {
    "cut through": cut_through,
    "pointless part": pointless,
    "subject out of focus": subject_blurred,
    "in the way": in_the_way,
    "fingers": fingers,
}


if __name__ == "__main__":
    show(FRAMING, 5)
