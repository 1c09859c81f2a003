"""Still more that goes wrong with photographs, beyond `unusual.py`: lenses, light, sensors, paper, effects.

    python benchmarks/rare.py SHEET.png              one of each kind on a sheet, to be looked at
    python benchmarks/rare.py                        the names of the kinds

The finish score learns from these too; `benchmarks/needles.py` does not plant them. Each takes a picture and
a generator and returns another picture.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from spoiling import Levels, Rng, Spoil, font, levels, picture, places, saved, show
from unusual import INKS, moved_by

WORDS = (
    *("only", "this", "week", "sale", "follow", "love", "your", "dream"),
    *("happy", "birthday", "new", "menu", "free", "delivery", "good", "morning"),
)


# ---- the lens, and what is on it


def cheap_lens(image: Image.Image, rng: Rng) -> Image.Image:
    """Coloured edges, soft and dark corners, straight lines bent: worse the farther from the middle."""
    spread, bend = rng.uniform(0.004, 0.016), rng.uniform(-0.1, 0.22)
    values, far = levels(image), _from_middle(image)
    channels = [
        _drawn_in(values[..., number], 1 - bend * (0.5 - far) + (number - 1) * spread) for number in range(3)
    ]
    values = np.stack(channels, axis=2)
    soft = cv2.GaussianBlur(values, (0, 0), max(image.size) * rng.uniform(0.003, 0.007))
    share = np.clip((far - rng.uniform(0.05, 0.25)) / 0.5, 0, 1)
    dark = np.clip(1 - rng.uniform(0.1, 0.7) * far, 0.03, 1)[..., None]
    return _of_light(_light(values + (soft - values) * share[..., None]) * dark)


def misregistered(image: Image.Image, rng: Rng) -> Image.Image:
    """Red and blue beside where they belong, over all of it."""
    reach = max(image.size) * rng.uniform(0.004, 0.014)
    red, green, blue = image.split()
    at = rng.uniform(0, 2 * np.pi)
    shift = np.array([np.cos(at), np.sin(at)]) * reach
    return Image.merge("RGB", (_shifted(red, shift), green, _shifted(blue, -shift)))


def smudged(image: Image.Image, rng: Rng) -> Image.Image:
    """Grease on the glass: lights run out in streaks, and all of it is veiled."""
    light, side = _light(levels(image)), max(image.size)
    light = light * (1 + rng.uniform(2, 7) * np.clip((light.mean(axis=2, keepdims=True) - 0.55) / 0.45, 0, 1))
    length, at = max(5, int(side * rng.uniform(0.05, 0.12))), rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    ends = np.array([np.cos(at), np.sin(at)]) * length / 2
    middle = np.array([length / 2, length / 2])
    start, end = (tuple((middle + sign * ends).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 2)
    streaks = cv2.filter2D(light, -1, kernel / max(kernel.sum(), 1e-6))
    share = rng.uniform(0.35, 0.65)
    soft = cv2.GaussianBlur(light, (0, 0), side * rng.uniform(0.0008, 0.002))
    glow = cv2.GaussianBlur(light, (0, 0), side * 0.05)
    return _of_light(soft * (1 - share) * 0.8 + share * (0.4 * streaks + 0.5 * glow) + rng.uniform(0, 0.04))


def into_the_light(image: Image.Image, rng: Rng) -> Image.Image:
    """A lamp or the sun in or near the frame: a veil from there, and ghosts of the diaphragm across."""
    across, down = places(image)
    x, y = rng.uniform(-0.05, 1.05), rng.uniform(-0.1, 0.3)
    wide = image.width / max(image.size), image.height / max(image.size)
    far = np.hypot((across - x) * wide[0], (down - y) * wide[1])
    hue = np.array([1, rng.uniform(0.7, 0.97), rng.uniform(0.4, 0.9)])
    veil = rng.uniform(0.9, 2) * np.exp(-far / rng.uniform(0.18, 0.34)) + rng.uniform(0.03, 0.16)
    light = _light(levels(image)) * rng.uniform(0.6, 0.95) + veil[..., None] * hue
    for _ in range(int(rng.integers(0, 7))):
        along, radius = rng.uniform(0.4, 2), rng.uniform(0.012, 0.07)
        off = np.hypot((across - x - (0.5 - x) * along) * wide[0], (down - y - (0.5 - y) * along) * wide[1])
        light += np.clip((radius - off) * 150, 0, 1)[..., None] * rng.uniform(0.02, 0.25, 3)
    return _of_light(light)


def focus_elsewhere(image: Image.Image, rng: Rng) -> Image.Image:
    """Sharp at an edge only, where nothing is."""
    across, down = places(image)
    along = (1 - down, down, across, 1 - across)[int(rng.choice([0, 0, 0, 1, 2, 3]))]
    along = along + 0 * across + 0 * down
    share = np.clip((along - rng.uniform(0.05, 0.16)) / rng.uniform(0.1, 0.3), 0, 1)
    side = max(image.size) * rng.uniform(0.004, 0.01)
    values, near = levels(image), disc_blurred(image, side * 0.4)
    far = disc_blurred(image, side)
    low, high = np.clip(2 * share, 0, 1)[..., None], np.clip(2 * share - 1, 0, 1)[..., None]
    return picture(values + (near - values) * low + (far - near) * high)


def zoomed(image: Image.Image, rng: Rng) -> Image.Image:
    """Zoomed, or turned about its middle, while the shutter was open."""
    size, middle = image.size, (image.width / 2, image.height / 2)
    most = rng.uniform(0.03, 0.1) if rng.integers(2) else 0.0
    degrees = 0.0 if most else rng.uniform(2, 6)
    values, total = levels(image), np.zeros((image.height, image.width, 3), np.float32)
    for part in np.linspace(0, 1, 16):
        matrix = cv2.getRotationMatrix2D(middle, degrees * part, 1 + most * part)
        total += cv2.warpAffine(values, matrix, size, borderMode=cv2.BORDER_REFLECT)
    return picture(total / 16)


def spotted(image: Image.Image, rng: Rng) -> Image.Image:
    """Dust on the sensor, or flakes and motes lit by the flash: dark or bright discs, soft."""
    is_dark, side = rng.random() < 0.4, max(image.size)
    mask = Image.new("L", image.size)
    place = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(25, 100))):
        x, y = rng.random(2) * image.size
        radius = side * (0.003 + abs(rng.normal(0, 0.008)))
        place.ellipse((x - radius, y - radius, x + radius, y + radius), int(rng.uniform(120, 255)))
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.0008, 0.004))))
    share = soft[..., None] / 255 * rng.uniform(0.5, 0.95)
    return picture(levels(image) * (1 - share) + share * (20 if is_dark else 240))


# ---- the light, and the sensor


def deeply_banded(image: Image.Image, rng: Rng) -> Image.Image:
    """Lamps that go out while rows are read: some wide bands, nearly black."""
    across, down = places(image)
    along = (across if rng.random() < 0.25 else down) + 0 * across + 0 * down
    waves = 0.5 + 0.5 * np.sin(2 * np.pi * along * rng.uniform(1.5, 10) + rng.uniform(0, 6))
    waves = waves[..., None] ** rng.uniform(0.5, 2)
    tint = 1 + waves * rng.uniform(-0.2, 0.2, 3)
    return _of_light(_light(levels(image)) * (1.1 - rng.uniform(0.45, 0.95) * waves) * tint)


def pushed(image: Image.Image, rng: Rng) -> Image.Image:
    """Far too dark, and lifted afterwards: stripes, hot pixels, a purple glow from a corner."""
    dark = 255 * (_light(levels(image)) * rng.uniform(0.15, 0.45)) ** (1 / 2.2) * 0.8 + 25
    height, width = dark.shape[:2]
    stripes = cv2.GaussianBlur(rng.normal(0, 1, (height, 1, 3)).astype(np.float32), (1, 5), 1.2)
    if rng.integers(2):
        stripes = cv2.GaussianBlur(rng.normal(0, 1, (width, 1, 3)).astype(np.float32), (1, 5), 1.2)
        stripes = stripes.transpose(1, 0, 2)
    values = dark + stripes * rng.uniform(5, 14) + rng.normal(0, rng.uniform(4, 14), dark.shape)
    hot = rng.random((height, width)) < rng.uniform(0.0002, 0.002)
    values[hot] = rng.uniform(0, 255, (int(hot.sum()), 3))
    across, down = places(image)
    x, y = rng.integers(0, 2, 2)
    glow = np.exp(-np.hypot(across - x, down - y) / rng.uniform(0.15, 0.35))
    return picture(values + glow[..., None] * np.array([75, 15, 85]) * rng.uniform(0, 1))


def surveyed(image: Image.Image, rng: Rng) -> Image.Image:
    """A camera under a ceiling or in a screen's edge: few pixels, dim, hard, nearly grey, compressed."""
    side = int(rng.integers(220, 480))
    small = image.resize([max(1, side * each // max(image.size)) for each in image.size])
    small = ImageEnhance.Color(small).enhance(rng.uniform(0, 0.6))
    values = levels(small) * rng.uniform(0.5, 1) + rng.normal(0, rng.uniform(3, 12), (*small.size[::-1], 1))
    small = picture(values * rng.uniform(0.85, 1.05, 3))
    small = _reopened(small.filter(ImageFilter.UnsharpMask(2, 200, 0)), int(rng.integers(15, 45)))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def taped(image: Image.Image, rng: Rng) -> Image.Image:
    """From a video tape: colour smeared along lines and beside its place, lines torn at the foot."""
    small = image.resize([max(1, round(side * 480 / max(image.size))) for side in image.size])
    sharp, *colours = (np.asarray(part, np.float32) for part in small.convert("YCbCr").split())
    luma = cv2.GaussianBlur(sharp, (0, 0), sigmaX=rng.uniform(0.6, 1.4), sigmaY=0.1)
    luma = luma + rng.normal(0, rng.uniform(3, 10), luma.shape)
    shift = int(rng.integers(2, 9))
    chroma = [
        np.roll(cv2.GaussianBlur(part, (0, 0), sigmaX=rng.uniform(3, 8), sigmaY=1), shift, axis=1)
        for part in colours
    ]
    values = np.stack([luma, *chroma], axis=2)
    foot = int(len(values) * rng.uniform(0.9, 0.99))
    for row in range(foot, len(values)):
        values[row] = np.roll(values[row], int((row - foot) * rng.uniform(1, 4)), axis=0)
    for row in rng.integers(0, len(values), int(rng.integers(0, 6))):
        values[row, :, 0] = rng.uniform(150, 255)
    whole = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8), "YCbCr").convert("RGB")
    return whole.resize(image.size, Image.Resampling.BILINEAR)


def glitched(image: Image.Image, rng: Rng) -> Image.Image:
    """Strips of it displaced, their channels exchanged or coarse."""
    values = levels(image)
    for _ in range(int(rng.integers(4, 16))):
        top = int(rng.integers(0, image.height))
        rows = slice(top, top + max(4, int(image.height * rng.uniform(0.01, 0.1))))
        values[rows] = np.roll(values[rows], int(image.width * rng.uniform(0.05, 0.5)), axis=1)
        if rng.integers(2):
            values[rows] = values[rows][..., rng.permutation(3)]
    return picture(values)


# ---- paper and film


def worn(image: Image.Image, rng: Rng) -> Image.Image:
    """An old print: faded to yellow or magenta, with dust, hairs, scratches and creases."""
    pale = ImageEnhance.Color(image).enhance(rng.uniform(0, 0.7))
    hue = np.array([255, rng.uniform(190, 230), rng.uniform(130, 200)])
    values = levels(pale) * rng.uniform(0.45, 0.7) + hue * rng.uniform(0.15, 0.35)
    values += rng.normal(0, rng.uniform(2, 8), (*values.shape[:2], 1))
    across, down = places(image)
    for _ in range(int(rng.integers(0, 3))):
        at = rng.uniform(-0.15, 0.15) + rng.choice([0, np.pi / 2])
        off = (across - rng.uniform(0.2, 0.8)) * np.cos(at) + (down - rng.uniform(0.2, 0.8)) * np.sin(at)
        values += 100 * np.exp(-((off / 0.0025) ** 2))[..., None]
    old = picture(values)
    place, side = ImageDraw.Draw(old), max(image.size)
    for _ in range(int(rng.integers(40, 160))):
        x, y = rng.random(2) * image.size
        radius = abs(rng.normal(0, side * 0.0012)) + 0.5
        ink = (248, 243, 232) if rng.random() < 0.7 else (40, 30, 25)
        place.ellipse((x - radius, y - radius, x + radius, y + radius), ink)
    for _ in range(int(rng.integers(2, 18))):
        points = rng.random(2) * image.size + np.cumsum(rng.normal(0, side * 0.012, (12, 2)), axis=0)
        place.line([tuple(point) for point in points.tolist()], (248, 243, 232), int(rng.integers(1, 3)))
    return old


def copied(image: Image.Image, rng: Rng) -> Image.Image:
    """By an office copier, or as a stamp: black and white with little between, speckled."""
    grey = levels(image).mean(axis=2) / 255 + rng.normal(0, rng.uniform(0.02, 0.08), image.size[::-1])
    middle = np.median(grey) * rng.uniform(0.85, 1.1)
    hard = 1 / (1 + np.exp(-(grey - middle) * rng.uniform(10, 40)))
    return picture(np.repeat((hard * 225 + 15)[..., None], 3, axis=2))


def false_colours(image: Image.Image, rng: Rng) -> Image.Image:
    """A negative, exchanged channels, turned hues, two inks, or lights and shadows that changed places."""
    way, values = int(rng.integers(5)), levels(image)
    if way == 0:
        return ImageOps.invert(image)
    if way == 1:
        return picture(values[..., list(((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0))[int(rng.integers(4))])])
    if way == 2:
        hsv = np.array(image.convert("HSV"))
        hsv[..., 0] += np.uint8(rng.integers(50, 206))
        return Image.fromarray(hsv, "HSV").convert("RGB")
    if way == 3:
        inks = [tuple(each) for each in rng.integers(0, 256, (2, 3)).tolist()]
        return ImageOps.colorize(ImageOps.grayscale(image), inks[0], inks[1])
    return picture(np.where(values > rng.uniform(100, 160), 255 - values, values) * 1.5)


# ---- shape


def bent(image: Image.Image, rng: Rng) -> Image.Image:
    """A barrel, a cushion, a fish's eye; or seen so slantwise that uprights fall."""
    if rng.integers(2):
        far = _from_middle(image)
        factor = 1 - rng.choice([rng.uniform(0.35, 0.6), -rng.uniform(0.3, 0.5)]) * (0.4 - far)
        return picture(np.stack([_drawn_in(each, factor) for each in np.moveaxis(levels(image), 2, 0)], 2))
    width, height = image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inner, edge = corners.copy(), int(rng.integers(4))
    room = rng.uniform(0.14, 0.26) * (width if edge % 2 == 0 else height)
    first, second = edge, (edge + 1) % 4
    toward = (corners[second] - corners[first]) / np.linalg.norm(corners[second] - corners[first])
    inner[first] += toward * room
    inner[second] -= toward * room
    matrix = cv2.getPerspectiveTransform(inner, corners)
    return picture(cv2.warpPerspective(levels(image), matrix, image.size))


def mirrored(image: Image.Image, rng: Rng) -> Image.Image:
    """One half of it twice, face to face."""
    width, height = image.size
    if rng.random() < 0.7:
        half = image.crop((0, 0, width // 2, height))
        parts = [(half, (0, 0)), (ImageOps.mirror(half), (width - width // 2, 0))]
    else:
        half = image.crop((0, 0, width, height // 2))
        parts = [(half, (0, 0)), (ImageOps.flip(half), (0, height - height // 2))]
    whole = image.copy()
    for part, at in parts:
        whole.paste(part, at)
    return whole


def squeezed_much(image: Image.Image, rng: Rng) -> Image.Image:
    """Half as wide or half as high as it should be."""
    factor = rng.uniform(1.7, 2.4)
    is_wide = image.width > image.height if rng.random() < 0.7 else bool(rng.integers(2))
    across, down = (factor, 1.0) if is_wide else (1.0, factor)
    return image.resize((round(image.width / across), round(image.height / down)), Image.Resampling.LANCZOS)


def jelly(image: Image.Image, rng: Rng) -> Image.Image:
    """Long waves down the frame, large enough to bend all that is upright."""
    y = np.indices((image.height, image.width), dtype=np.float32)[0]
    reach, down = max(image.size) * rng.uniform(0.015, 0.04), y / image.height
    shift = np.sin(2 * np.pi * (down * rng.uniform(1, 4) + rng.random()))
    shift += 0.35 * np.sin(2 * np.pi * (down * rng.uniform(4, 11) + rng.random()))
    shift = reach * shift + (y - image.height / 2) * rng.uniform(-0.15, 0.15)
    whole = np.asarray(moved_by(image, shift, shift * rng.uniform(0, 0.2)))
    margin = int(reach * 1.4)
    return Image.fromarray(np.ascontiguousarray(whole[:, margin:-margin]))


# ---- more than one picture, and things put over it


def everything_twice(image: Image.Image, rng: Rng) -> Image.Image:
    """A stack that failed, or a tripod that was pushed: the same again, a little beside."""
    at, reach = rng.uniform(0, 2 * np.pi), max(image.size) * rng.uniform(0.012, 0.05)
    middle = image.width / 2, image.height / 2
    matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-3, 3), rng.uniform(0.98, 1.03))
    matrix[:, 2] += [reach * np.cos(at), reach * np.sin(at)]
    light, share = _light(levels(image)), rng.uniform(0.3, 0.6)
    other = cv2.warpAffine(light, matrix, image.size, borderMode=cv2.BORDER_REFLECT)
    return _of_light(light * (1 - share) + other * share)


def behind_glass(image: Image.Image, rng: Rng) -> Image.Image:
    """Through a window: what stands on this side, out of focus and twice, lies over it."""
    share = rng.uniform(0.35, 0.7, 2)
    size = (share * image.size).astype(int)
    left, top = (rng.random(2) * (np.array(image.size) - size)).astype(int).tolist()
    other = image.crop((left, top, left + int(size[0]), top + int(size[1]))).resize(image.size)
    other = ImageOps.mirror(other).rotate(int(rng.choice([0, 0, 180])))
    light = cv2.GaussianBlur(_light(levels(other)), (0, 0), max(image.size) * rng.uniform(0.002, 0.008))
    light = np.minimum(light / max(0.05, float(light.mean())) * 0.3, 0.75)
    light = 0.7 * light + 0.3 * np.roll(light, tuple(rng.integers(4, 18, 2)), (0, 1))
    return _of_light(_light(levels(image)) * rng.uniform(0.4, 0.75) + light * rng.uniform(0.6, 1.2))


def pasted_on(image: Image.Image, rng: Rng) -> Image.Image:
    """Hearts, stars, bubbles with words, or a card with an offer: clean shapes of one colour."""
    image = image.copy()
    place, side = ImageDraw.Draw(image, "RGBA"), min(image.size)
    for _ in range(int(rng.integers(1, 6))):
        ink, size = INKS[int(rng.integers(len(INKS)))], side * rng.uniform(0.07, 0.2)
        x, y = rng.uniform(0.15, 0.85, 2) * image.size
        way = int(rng.integers(4))
        if way == 0:
            turns = np.linspace(0, 2 * np.pi, 40)
            points = np.stack([16 * np.sin(turns) ** 3, -13 * np.cos(turns) + 5 * np.cos(2 * turns)], axis=1)
            place.polygon([tuple(each) for each in ((x, y) + size / 16 * points).tolist()], ink)
        elif way == 1:
            turns = np.linspace(0, 2 * np.pi, 11) + rng.random()
            radii = size * np.where(np.arange(11) % 2, 0.45, 1)
            star = np.stack([x + radii * np.cos(turns), y + radii * np.sin(turns)], axis=1)
            place.polygon([tuple(each) for each in star.tolist()], ink)
        else:
            _worded(place, (x, y), size, ink, rng, is_card=way == 3)
    return image


def _worded(place: Any, at: tuple[float, float], size: float, ink: Any, rng: Rng, *, is_card: bool) -> None:
    """A bubble or a card with some words."""
    words = " ".join(rng.choice(WORDS, int(rng.integers(1, 5))).tolist())
    letters = font(size * 0.45)
    wide = place.textlength(words, font=letters) / 2 + size * 0.3
    high = size * (0.6 if is_card else 0.45)
    box = (at[0] - wide, at[1] - high, at[0] + wide, at[1] + high)
    opaque = (*ink, int(rng.integers(190, 256)))
    if is_card:
        place.rectangle(box, opaque)
    else:
        place.rounded_rectangle(box, high, opaque)
    dark = sum(ink) > 380
    place.text(
        (at[0] - wide + size * 0.3, at[1] - size * 0.25), words, (20,) * 3 if dark else (250,) * 3, letters
    )


def tone_mapped(image: Image.Image, rng: Rng) -> Image.Image:
    """Dark and light evened out part by part, and detail of all sizes raised: halos, dirty skies, a glow."""
    values, side = levels(image), max(image.size)
    light = np.asarray(image.convert("L"))
    even = grey = light.astype(np.float32)
    if rng.random() < 0.6:
        num = int(rng.integers(2, 13))
        even = cv2.createCLAHE(rng.uniform(2.5, 12), (num, num)).apply(light).astype(np.float32)
    for share in rng.uniform(0.001, 0.03, int(rng.integers(1, 4))):
        even = even + rng.uniform(0.3, 1.3) * (even - cv2.GaussianBlur(even, (0, 0), share * side))
    raised = np.clip(even, 0, 255)
    strength = np.clip((raised + 8) / (grey + 8), 0.5, 2.5) ** 0.7 * rng.uniform(0.7, 1.8)
    forced = raised[..., None] + (values - grey[..., None]) * strength[..., None]
    return picture(values + rng.uniform(0.65, 1) * (forced - values))


def faded_filter(image: Image.Image, rng: Rng) -> Image.Image:
    """An application's look: crossed curves, lifted blacks, a hue for lights and one for shadows, a frame."""
    values = levels(image)
    grey = values.mean(axis=2, keepdims=True) / 255
    hues = rng.uniform(-45, 45, (2, 3))
    values = values * rng.uniform(0.55, 0.8) + rng.uniform(30, 70) + hues[0] * grey + hues[1] * (1 - grey)
    values += rng.normal(0, rng.uniform(0, 14), (*values.shape[:2], 1))
    values = values * np.clip(1.1 - rng.uniform(0.2, 0.9) * _from_middle(image), 0, 1)[..., None]
    return ImageEnhance.Color(picture(values)).enhance(rng.uniform(0.5, 1.3))


# ---- parts


def _light(values: Levels) -> Levels:
    """Levels as amounts of light, 0-1."""
    return ((np.clip(values, 0, 255) / 255) ** 2.2).astype(np.float32)


def _of_light(light: NDArray[Any]) -> Image.Image:
    return picture(255 * np.clip(light, 0, 1) ** (1 / 2.2))


def _from_middle(image: Image.Image) -> NDArray[np.float32]:
    """The square of each pixel's distance from the middle, in halves of the longer side. [H, W]"""
    y, x = np.indices((image.height, image.width), dtype=np.float32)
    half = max(image.size) / 2
    return ((x - image.width / 2) / half) ** 2 + ((y - image.height / 2) / half) ** 2


def _drawn_in(values: NDArray[np.float32], factor: NDArray[Any]) -> NDArray[np.float32]:
    """[H, W], each pixel from so much farther from the middle."""
    y, x = np.indices(values.shape, dtype=np.float32)
    middle_y, middle_x = values.shape[0] / 2, values.shape[1] / 2
    maps = middle_x + (x - middle_x) * factor, middle_y + (y - middle_y) * factor
    whole = cv2.remap(
        values,
        maps[0].astype(np.float32),
        maps[1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(whole, np.float32)


def disc_blurred(image: Image.Image, radius: float) -> Levels:
    """As a lens that is out of focus blurs."""
    reach = max(1, int(np.ceil(radius)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x**2 + y**2 <= max(radius, 1) ** 2).astype(np.float32)
    blurred = cv2.filter2D(_light(levels(image)), -1, disc / disc.sum())
    return (255 * np.maximum(blurred, 0) ** (1 / 2.2)).astype(np.float32)  # by Fourier it may be below 0


def _shifted(channel: Image.Image, shift: NDArray[np.float64]) -> Image.Image:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return Image.fromarray(
        cv2.warpAffine(np.asarray(channel), matrix, channel.size, borderMode=cv2.BORDER_REFLECT)
    )


def _reopened(image: Image.Image, quality: int) -> Image.Image:
    """Saved as a JPEG and read again."""
    return Image.open(BytesIO(saved(image, quality))).convert("RGB")


RARE: dict[str, Spoil] = {
    "cheap lens": cheap_lens,
    "misregistered": misregistered,
    "smudged lens": smudged,
    "into the light": into_the_light,
    "focus elsewhere": focus_elsewhere,
    "zoomed": zoomed,
    "spotted": spotted,
    "deeply banded": deeply_banded,
    "pushed": pushed,
    "surveyed": surveyed,
    "taped": taped,
    "glitched": glitched,
    "worn print": worn,
    "copied": copied,
    "false colours": false_colours,
    "bent": bent,
    "mirrored half": mirrored,
    "squeezed": squeezed_much,
    "jelly": jelly,
    "everything twice": everything_twice,
    "behind glass": behind_glass,
    "pasted on": pasted_on,
    "faded filter": faded_filter,
    "tone mapped": tone_mapped,
}


if __name__ == "__main__":
    show(RARE, 6)
