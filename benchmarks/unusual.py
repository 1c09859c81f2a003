"""More that goes wrong with photographs, beyond `spoiling.py`: shape, surface, and what is put over them.

    python benchmarks/unusual.py SHEET.png           one of each kind on a sheet, to be looked at
    python benchmarks/unusual.py                     the names of the kinds

The finish score learns from these too; `benchmarks/needles.py` does not plant them. Each takes a picture and
a generator and returns another picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFile, ImageFilter, ImageOps
from spoiling import Rng, Spoil, font, levels, picture, places, saved, show

Mask = NDArray[np.float32]  # [H, W], 0-1
Draw = ImageDraw.ImageDraw

INKS = (
    (230, 30, 40),
    (20, 20, 20),
    (250, 220, 30),
    (40, 90, 230),
    (250, 250, 250),
    (40, 180, 70),
    (240, 60, 190),
)


# ---- shape


def sideways(image: Image.Image, rng: Rng) -> Image.Image:
    """On its side, or upside down."""
    return image.rotate(int(rng.choice([90, 270, 90, 270, 180])), expand=True)


def stretched(image: Image.Image, rng: Rng) -> Image.Image:
    """Pressed into another format: everything is too wide or too narrow."""
    factor = rng.uniform(1.35, 1.9) ** rng.choice([-0.5, 0.5])
    return image.resize((round(image.width * factor), round(image.height / factor)), Image.Resampling.LANCZOS)


def wobbling(image: Image.Image, rng: Rng) -> Image.Image:
    """Rows that were read while the camera shook: sheared and in waves."""
    height = image.height
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    waves = np.sin(2 * np.pi * (down * rng.uniform(1.5, 8) + rng.random())) * rng.uniform(0.006, 0.02)
    shift = (waves + (down - 0.5) * rng.uniform(-0.15, 0.15)) * image.width
    return moved_by(image, shift, np.zeros_like(shift))


def badly_joined(image: Image.Image, rng: Rng) -> Image.Image:
    """A panorama whose parts do not meet, in height and in light."""
    values, joined = levels(image), []
    edges = [0, *np.sort(rng.uniform(0.15, 0.85, int(rng.integers(1, 4)))).tolist(), 1]
    for left, right in itertools.pairwise(edges):
        part = values[:, int(left * image.width) : int(right * image.width)]
        shift = int(image.height * rng.uniform(0.012, 0.05) * rng.choice([-1, 1]))
        joined.append(np.roll(part, shift, axis=0) * rng.uniform(0.75, 1.25))
    margin = int(0.05 * image.height)
    return picture(np.concatenate(joined, axis=1)[margin:-margin])


def combed(image: Image.Image, rng: Rng) -> Image.Image:
    """Two fields of a video at two moments, line by line."""
    small = image.resize([max(1, round(side * 560 / max(image.size))) for side in image.size])
    values = levels(small)
    shift = max(2, int(small.width * rng.uniform(0.006, 0.025)))
    values[1::2] = np.roll(values[1::2], shift * int(rng.choice([-1, 1])), axis=1)
    return picture(values).resize(image.size, Image.Resampling.BILINEAR)


def moved_by(image: Image.Image, across: Mask, down: Mask) -> Image.Image:
    """Each pixel from so many further to the right and below."""
    y, x = np.indices((image.height, image.width), dtype=np.float32)
    maps = (x + across).astype(np.float32), (y + down).astype(np.float32)
    return Image.fromarray(
        cv2.remap(np.asarray(image), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    )


# ---- surface


def banded(image: Image.Image, rng: Rng) -> Image.Image:
    """Lamps that flicker while rows are read: darker bands, often tinted."""
    axis = places(image)[0 if rng.random() < 0.2 else 1]
    num, sharp = rng.uniform(2.5, 16), rng.uniform(1, 4)
    phases = rng.random() + np.array([0, 0.04, 0.08]) * rng.uniform(0, 1.5)
    waves = np.tanh(sharp * np.sin(2 * np.pi * (num * axis[..., None] + phases))) / np.tanh(sharp)
    depth = rng.uniform(0.12, 0.4)
    return picture(levels(image) * (1 - depth / 2 + depth / 2 * waves))


def jagged(image: Image.Image, rng: Rng) -> Image.Image:
    """Enlarged from few pixels, or reduced to them, without any averaging."""
    side = int(rng.integers(180, 420))
    way = Image.Resampling.NEAREST if rng.random() < 0.7 else Image.Resampling.BOX
    small = image.resize([max(1, side * each // max(image.size)) for each in image.size], way)
    return small.resize(image.size, Image.Resampling.NEAREST)


def painted(image: Image.Image, rng: Rng) -> Image.Image:
    """Noise taken away with all that was fine, as small cameras do: flat patches with crisp edges."""
    rgb = np.asarray(picture(levels(image) + rng.normal(0, rng.uniform(8, 25), (*image.size[::-1], 3))))
    for _ in range(int(rng.integers(1, 4))):
        rgb = cv2.bilateralFilter(rgb, 9, rng.uniform(45, 90), max(image.size) * 0.006)
    rgb = cv2.medianBlur(rgb, int(rng.choice([3, 5])))
    return Image.fromarray(rgb).filter(ImageFilter.UnsharpMask(2, int(rng.uniform(60, 220)), 0))


def cut_out(image: Image.Image, rng: Rng) -> Image.Image:
    """Blurred around a part that was badly cut out, as a telephone pretends a large lens."""
    mask = _blobs(image, rng, 3, 0.22, np.array([0.5, 0.55]))
    if rng.random() < 0.5:
        mask = (mask > 0.5).astype(np.float32)
    soft = image.filter(ImageFilter.GaussianBlur(max(image.size) * rng.uniform(0.008, 0.022)))
    return mixed(levels(image), levels(soft), mask)


def few_colours(image: Image.Image, rng: Rng) -> Image.Image:
    dither = Image.Dither.FLOYDSTEINBERG if rng.integers(2) else Image.Dither.NONE
    palette = image.quantize(int(rng.integers(6, 18)))
    return image.quantize(palette=palette, dither=dither).convert("RGB")


def printed(image: Image.Image, rng: Rng) -> Image.Image:
    """Dots of ink on yellowish paper."""
    period = max(image.size) * rng.uniform(0.005, 0.011)
    y, x = np.indices((image.height, image.width), dtype=np.float32)
    screens = []
    for angle in np.radians([15, 75, 0]):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        waves = np.cos(2 * np.pi * along / period) + np.cos(2 * np.pi * across / period)
        screens.append(waves / 4 + 0.5)
    dots = (levels(image) / 255 > 1 - np.stack(screens, axis=2)) * np.array([255, 248, 228]) + 12
    return picture(dots).filter(ImageFilter.GaussianBlur(period * rng.uniform(0.18, 0.3)))


def on_a_screen(image: Image.Image, rng: Rng) -> Image.Image:
    """A display, photographed: its grid, and the beat of it with the camera's."""
    y, x = np.indices((image.height, image.width), dtype=np.float32)
    angle, period = np.radians(rng.uniform(-6, 6)), rng.uniform(2.05, 3.4)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    grid = np.stack([np.cos(2 * np.pi * (along / period + shift / 3)) for shift in range(3)], axis=2)
    grid = grid + np.cos(2 * np.pi * across / period)[..., None]
    beat = np.sin(
        2 * np.pi * (along + 0.4 * np.abs(across) ** 1.01) / (max(image.size) * rng.uniform(0.03, 0.12))
    )
    return picture(levels(image) * (0.9 + 0.12 * grid) + 10 * beat[..., None] * np.array([1, -0.7, 0.8]))


def local_contrast(image: Image.Image, rng: Rng) -> Image.Image:
    """What dark and light there was is levelled, and every detail raised: halos and grey skies."""
    values = levels(image)
    base = cv2.GaussianBlur(values, (0, 0), max(image.size) * rng.uniform(0.015, 0.05))
    mean = base.mean()
    return ImageEnhance.Color(
        picture(mean + (base - mean) * rng.uniform(0.1, 0.4) + (values - base) * rng.uniform(1.6, 2.8))
    ).enhance(rng.uniform(1.2, 1.8))


# ---- put over it, or it into something


def scribbled(image: Image.Image, rng: Rng) -> Image.Image:
    """Circles, arrows, lines and faces drawn on it."""
    image = image.copy()
    place, side = ImageDraw.Draw(image), max(image.size)
    for _ in range(int(rng.integers(1, 5))):
        ink, width = INKS[int(rng.integers(len(INKS)))], max(3, int(side * rng.uniform(0.004, 0.014)))
        at, size = rng.uniform(0.15, 0.85, 2) * image.size, side * rng.uniform(0.06, 0.2)
        STROKES[int(rng.integers(len(STROKES)))](place, at, size, ink, width, rng)
    return image


def _ring(
    place: Draw, at: NDArray[np.float64], size: float, ink: tuple[int, ...], width: int, rng: Rng
) -> None:
    turns = np.linspace(0, 2 * np.pi * rng.uniform(0.9, 1.15), 40) + rng.random() * 6
    wave = 1 + 0.06 * np.sin(3 * turns + rng.random())
    points = at + size * np.stack([np.cos(turns) * wave, rng.uniform(0.5, 1) * np.sin(turns) * wave], axis=1)
    place.line([tuple(point) for point in points.tolist()], ink, width, "curve")


def _arrow(
    place: Draw, at: NDArray[np.float64], size: float, ink: tuple[int, ...], width: int, rng: Rng
) -> None:
    angle = rng.uniform(0, 2 * np.pi)
    tail = at - 2 * size * np.array([np.cos(angle), np.sin(angle)])
    place.line([tuple(tail), tuple(at)], ink, width)
    for side in (-0.5, 0.5):
        wing = at - 0.6 * size * np.array([np.cos(angle + side), np.sin(angle + side)])
        place.line([tuple(at), tuple(wing)], ink, width)


def _scrawl(
    place: Draw, at: NDArray[np.float64], size: float, ink: tuple[int, ...], width: int, rng: Rng
) -> None:
    points = at + np.cumsum(rng.normal(0, size / 5, (30, 2)), axis=0)
    place.line([tuple(point) for point in points.tolist()], ink, width, "curve")


def _face(
    place: Draw, at: NDArray[np.float64], size: float, ink: tuple[int, ...], width: int, rng: Rng
) -> None:
    def disc(x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
        place.ellipse((x - radius, y - radius, x + radius, y + radius), colour)

    disc(at[0], at[1], size * 0.7, (255, 205, 50))
    for side in (-0.25, 0.25):
        disc(at[0] + side * size, at[1] - 0.2 * size, 0.09 * size, (70, 45, 20))
    place.arc(
        (at[0] - 0.35 * size, at[1] - 0.3 * size, at[0] + 0.35 * size, at[1] + 0.4 * size),
        20,
        160,
        (70, 45, 20),
        width,
    )


STROKES: tuple[Callable[..., None], ...] = (_ring, _arrow, _scrawl, _face)


def censored(image: Image.Image, rng: Rng) -> Image.Image:
    """One to three parts as a mosaic, blurred, black, white or red."""
    image = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        size = (rng.uniform(0.1, 0.32, 2) * image.size).astype(int)
        left, top = (rng.uniform(0.05, 0.95, 2) * (np.array(image.size) - size)).astype(int).tolist()
        box = (left, top, left + int(size[0]), top + int(size[1]))
        part, way = image.crop(box), int(rng.integers(3))
        if way == 0:
            num = int(rng.integers(5, 12))
            part = part.resize((num, num), Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)
        elif way == 1:
            part = part.filter(ImageFilter.GaussianBlur(max(image.size) * 0.025))
        else:
            part = Image.new("RGB", part.size, INKS[int(rng.choice([1, 1, 4, 0]))])
        image.paste(part, box)
    return image


def behind_a_mesh(image: Image.Image, rng: Rng) -> Image.Image:
    """A fence, bars, stalks or heads before it, out of focus."""
    mask = Image.new("L", image.size)
    place, (width, height) = ImageDraw.Draw(mask), image.size
    way, side = int(rng.integers(4)), max(image.size)
    thick, step = int(side * rng.uniform(0.008, 0.03)), side * rng.uniform(0.07, 0.2)
    if way < 2:  # a fence, or bars
        slopes = ((0.9, -0.9) if rng.integers(2) else (0.0, None)) if way == 0 else (None,)
        for slope in slopes:
            for at in np.arange(-side, 2 * side, step):
                ends = ((at, 0), (at, height)) if slope is None else ((0, at), (width, at + slope * width))
                place.line(ends, 255, thick)
    elif way == 2:  # stalks from below
        for x in rng.uniform(0, width, int(rng.integers(8, 30))):
            top = height * rng.uniform(0.1, 0.8)
            place.line(((x, height), (x + rng.normal(0, 0.08 * width), top)), 255, thick)
    else:  # heads
        for x in rng.uniform(0, width, int(rng.integers(2, 5))):
            radius = side * rng.uniform(0.08, 0.16)
            place.ellipse((x - radius, height - 1.7 * radius, x + radius, height + radius), 255)
    soft = mask.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.003, 0.014)))
    ink = rng.uniform(15, 190) + rng.uniform(-30, 30, 3)
    return mixed(
        np.broadcast_to(ink, (height, width, 3)), levels(image), np.asarray(soft) / 255 * rng.uniform(0.75, 1)
    )


def finger_tip(image: Image.Image, rng: Rng) -> Image.Image:
    """Something of skin's colour, red or dark, reaching in from any edge."""
    angle, side = rng.uniform(0, 2 * np.pi), max(image.size)
    edge = np.array([0.5 + 0.62 * np.cos(angle), 0.5 + 0.62 * np.sin(angle)]) * image.size
    mask = Image.new("L", image.size)
    long, short = side * rng.uniform(0.2, 0.4), side * rng.uniform(0.12, 0.24)
    oval = oval_at(edge, (long, short), angle + rng.uniform(-0.5, 0.5))
    ImageDraw.Draw(mask).polygon(oval, 255)
    soft = mask.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.01, 0.04)))
    skin = np.array([205, 140, 115]) * rng.uniform(0.15, 1.1) * np.array([1, *rng.uniform(0.75, 1.05, 2)])
    shade = places(image)[1][..., None] * 30
    return mixed(
        np.broadcast_to(skin + shade, (*shade.shape[:1], image.width, 3)),
        levels(image),
        np.asarray(soft) / 255,
    )


def oval_at(
    middle: NDArray[np.float64], halves: tuple[float, float], tilt: float
) -> list[tuple[float, float]]:
    """Points of one whose longer half lies along `tilt`, radians."""
    turns = np.linspace(0, 2 * np.pi, 60)
    oval = np.stack([halves[0] * np.cos(turns), halves[1] * np.sin(turns)], axis=1)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return [(x, y) for x, y in (middle + oval @ turn).tolist()]


def wet(image: Image.Image, rng: Rng) -> Image.Image:
    """Drops on the lens: what is behind is upside down in them, and soft around."""
    across, down = np.zeros((2, image.height, image.width), np.float32)
    y, x = np.indices((image.height, image.width), dtype=np.float32)
    soft = image.filter(ImageFilter.GaussianBlur(max(image.size) * rng.uniform(0.001, 0.006)))
    for _ in range(int(rng.integers(5, 25))):
        radius = max(image.size) * rng.uniform(0.015, 0.07)
        cx, cy = rng.uniform(0, 1, 2) * image.size
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        across[inside], down[inside] = -2.5 * (x - cx)[inside], -2.5 * (y - cy)[inside]
    return moved_by(soft, across, down)


def twice_exposed(image: Image.Image, rng: Rng) -> Image.Image:
    """Another view of the same shows through: two exposures, or a pane between."""
    other = ImageOps.mirror(image) if rng.integers(2) else image.rotate(rng.uniform(8, 40))
    share = rng.uniform(0.45, 0.8, 2)
    size = (share * image.size).astype(int)
    left, top = (rng.random(2) * (np.array(image.size) - size)).astype(int).tolist()
    other = other.crop((left, top, left + int(size[0]), top + int(size[1]))).resize(image.size)
    if rng.integers(2):
        return Image.blend(image, other, rng.uniform(0.3, 0.5))
    shares = rng.uniform(0.6, 0.9), rng.uniform(0.35, 0.7)
    light = sum(part * (levels(each) / 255) ** 2.2 for part, each in zip(shares, (image, other), strict=True))
    return picture(255 * np.clip(light, 0, 1) ** (1 / 2.2))


def leaking(image: Image.Image, rng: Rng) -> Image.Image:
    """Light on the film from an edge, orange or red."""
    across, down = places(image)
    along = across if rng.random() < 0.7 else down
    along = along if rng.integers(2) else 1 - along
    veil = np.exp(-((along / rng.uniform(0.12, 0.35)) ** 2)) * (0.8 + 0.2 * np.sin(7 * down + across))
    return picture(
        levels(image) * 0.9
        + veil[..., None] * np.array([255, rng.uniform(60, 150), 30]) * rng.uniform(0.6, 1)
    )


def flashed(image: Image.Image, rng: Rng) -> Image.Image:
    """Burnt in the middle, black around it."""
    across, down = places(image)
    x, y = rng.uniform(0.35, 0.65, 2)
    light = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * rng.uniform(0.13, 0.22) ** 2))
    linear = (levels(image) / 255) ** 2.2 * (0.05 + rng.uniform(2.5, 5) * light[..., None])
    return picture(255 * np.clip(linear, 0, 1) ** (1 / 2.2))


def broken(image: Image.Image, rng: Rng) -> Image.Image:
    """A file of which a part is lost: grey, or displaced and in wrong colours from there on."""
    data = bytearray(saved(image, 88))
    if rng.random() < 0.4:
        data = data[: int(len(data) * rng.uniform(0.35, 0.85))]
    else:
        for at in rng.integers(len(data) // 5, len(data) - 2, int(rng.integers(2, 7))):
            data[at] = int(rng.integers(0, 255))  # 255 begins a marker
    allowed, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return Image.open(BytesIO(bytes(data))).convert("RGB")
    except OSError:
        return broken(image, rng)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = allowed


def on_a_table(image: Image.Image, rng: Rng) -> Image.Image:
    """A print or a page, photographed or scanned askew: its edges, a glare, the table."""
    width, height = image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    room = np.array([width, height]) * rng.uniform(0.03, 0.14, (4, 2))
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    matrix = cv2.getPerspectiveTransform(corners, (corners + room * inward).astype(np.float32))
    table = np.full((height, width, 3), rng.uniform(40, 235)) + rng.uniform(-25, 25, 3)
    flat = cv2.warpPerspective(
        levels(image) * rng.uniform(0.65, 0.95) + rng.uniform(5, 40), matrix, image.size
    )
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, image.size)
    across, down = places(image)
    x, y = rng.uniform(0.2, 0.8, 2)
    glare = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 0.12**2)) * rng.uniform(0, 110)
    return mixed(flat + glare[..., None], table, mask)


def player(image: Image.Image, rng: Rng) -> Image.Image:
    """A still with the buttons of a player over it."""
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.55, 0.9))
    place, (width, height) = ImageDraw.Draw(image), image.size
    size = min(image.size) * rng.uniform(0.08, 0.14)
    x, y = width / 2, height / 2
    place.ellipse(
        (x - size, y - size, x + size, y + size), outline=(240, 240, 240), width=max(2, int(size / 9))
    )
    place.polygon(
        [(x - size / 3, y - size / 2), (x - size / 3, y + size / 2), (x + size / 2, y)], (240, 240, 240)
    )
    bar, done = int(height * 0.93), width * rng.uniform(0.1, 0.8)
    place.line(((0.05 * width, bar), (0.95 * width, bar)), (170, 170, 170), max(2, height // 150))
    place.line(((0.05 * width, bar), (done, bar)), (230, 40, 40), max(3, height // 110))
    if rng.integers(2):
        place.text((0.06 * width, bar + height // 80), "0:42 / 3:17", (240, 240, 240), font(height / 34))
    return image


def in_a_story(image: Image.Image, rng: Rng) -> Image.Image:
    """Small, on a blurred or coloured ground, as telephones fit one format into another."""
    width, height = image.size
    if rng.integers(2):
        ground = image.filter(ImageFilter.GaussianBlur(max(image.size) * 0.04))
    else:
        across, down = places(image)
        ends = rng.uniform(30, 240, (2, 3))
        ground = picture(ends[0] * (1 - down[..., None]) + ends[1] * down[..., None] + 0 * across[..., None])
    share = rng.uniform(0.55, 0.8)
    inner = image.resize((int(width * share), int(height * share)))
    if rng.integers(2):  # as wide as the page
        inner = image.crop((0, int(height * (1 - share) / 2), width, int(height * (1 + share) / 2)))
    ground.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return ground


def mixed(over: NDArray[Any], under: NDArray[Any], mask: NDArray[Any]) -> Image.Image:
    return picture(under + (over - under) * mask[..., None])


def _blobs(image: Image.Image, rng: Rng, num: int, size: float, at: NDArray[np.float64]) -> Mask:
    """Some overlapping discs with a ragged edge, 1 inside."""
    across, down = places(image)
    inside = np.zeros((image.height, image.width))
    for _ in range(num):
        x, y = at + rng.normal(0, 0.12, 2)
        angle = np.arctan2(down - y, across - x)
        radius = (
            size * rng.uniform(0.6, 1.1) * (1 + 0.15 * np.sin(rng.integers(3, 9) * angle + rng.random() * 6))
        )
        inside = np.maximum(inside, np.clip(30 * (radius - np.hypot(across - x, down - y)), 0, 1))
    return inside.astype(np.float32)


UNUSUAL: dict[str, Spoil] = {
    "sideways": sideways,
    "stretched": stretched,
    "wobbling": wobbling,
    "badly joined": badly_joined,
    "combed": combed,
    "banded": banded,
    "jagged": jagged,
    "painted": painted,
    "badly cut out": cut_out,
    "few colours": few_colours,
    "printed": printed,
    "on a screen": on_a_screen,
    "local contrast": local_contrast,
    "scribbled on": scribbled,
    "censored": censored,
    "behind a mesh": behind_a_mesh,
    "finger tip": finger_tip,
    "wet lens": wet,
    "twice exposed": twice_exposed,
    "light leak": leaking,
    "flashed": flashed,
    "broken file": broken,
    "on a table": on_a_table,
    "player": player,
    "in a story": in_a_story,
}


if __name__ == "__main__":
    show(UNUSUAL, 5)
