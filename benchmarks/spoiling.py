"""What goes wrong with photographs, made from good ones: a function for each kind.

    python benchmarks/spoiling.py SHEET.png          one of each kind on a sheet, to be looked at
    python benchmarks/spoiling.py                    the names of the kinds

Each takes a picture and a generator and returns another picture; how strong a fault is differs from one to
the next. `benchmarks/needles.py` makes its haystack of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Rng = np.random.Generator
Spoil = Callable[[Image.Image, Rng], Image.Image]
Levels = NDArray[np.float32]  # [H, W, 3], 0-255 and beyond

WORDS = "when you see the best deal ever friday money now happy sale".upper().split()
CHATTER = ["liked", "by", "anna", "and", "2,341", "others", "view", "all", "comments", "share"]
GAINS = ((1.12, 1.0, 0.78), (0.8, 1.0, 1.15), (0.88, 1.08, 0.85), (1.1, 0.85, 1.1))  # bulbs, shade, tubes


def levels(image: Image.Image) -> Levels:
    return np.asarray(image, np.float32)


def picture(values: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def saved(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


# ---- the lens and the hand


def blurred(least: float, most: float) -> Spoil:
    """Out of focus, by a Gaussian of so much of the longer side."""

    def spoil(image: Image.Image, rng: Rng) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(max(image.size) * rng.uniform(least, most)))

    return spoil


def moved(image: Image.Image, rng: Rng) -> Image.Image:
    values, axis = levels(image), int(rng.integers(2))
    half = max(1, int(max(image.size) * rng.uniform(0.006, 0.015)))
    reach = [(half + 1, half) if axis == along else (0, 0) for along in range(3)]
    sums = np.cumsum(np.pad(values, reach, "edge"), axis=axis, dtype=np.float64)
    size = values.shape[axis]
    last = np.take(sums, np.arange(2 * half + 1, 2 * half + 1 + size), axis=axis)
    return picture((last - np.take(sums, np.arange(size), axis=axis)) / (2 * half + 1))


def tilted(image: Image.Image, rng: Rng) -> Image.Image:
    """A crooked horizon, and the middle of it off the middle."""
    (width, height), margin = image.size, 0.22
    turned = image.rotate(rng.uniform(8, 18) * rng.choice([-1, 1]), Image.Resampling.BICUBIC)
    left, right = (margin, 0.62) if rng.integers(2) else (0.38, 1 - margin)
    return turned.crop(
        (int(width * left), int(height * margin), int(width * right), int(height * (1 - margin)))
    )


def finger(image: Image.Image, rng: Rng) -> Image.Image:
    (width, height), mask = image.size, Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((-width // 4, height // 2, width // 3, int(height * 1.4)), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(width * 0.02))
    return Image.composite(Image.new("RGB", image.size, (180, 120, 100)), image, mask)


def light_shining_in(image: Image.Image, rng: Rng) -> Image.Image:
    across, down = places(image)
    x, y = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.5)
    veil = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 0.25**2))
    return picture(levels(image) + 230 * veil[..., None])


def dark_corners(image: Image.Image, rng: Rng) -> Image.Image:
    across, down = places(image)
    from_middle = (2 * across - 1) ** 2 + (2 * down - 1) ** 2
    return picture(levels(image) * np.clip(1.1 - 0.75 * from_middle, 0, 1)[..., None])


def places(image: Image.Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each pixel is, from left to right and from top to bottom, 0-1. [1, W], [H, 1]"""
    width, height = image.size
    return np.linspace(0, 1, width)[None], np.linspace(0, 1, height)[:, None]


# ---- light and colour


def scaled(least: float, most: float, *, lift: tuple[float, float] = (0, 0), around: float = 0) -> Spoil:
    """Levels times a factor, from `around` on, and lifted."""

    def spoil(image: Image.Image, rng: Rng) -> Image.Image:
        return picture(around + (levels(image) - around) * rng.uniform(least, most) + rng.uniform(*lift))

    return spoil


def hazy(image: Image.Image, rng: Rng) -> Image.Image:
    share = rng.uniform(0.4, 0.5)
    return picture(levels(image) * (1 - share) + np.array([200, 205, 210]) * share)


def dull(image: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Color(image).enhance(rng.uniform(0.08, 0.25))


def forced(image: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.6)).enhance(rng.uniform(2.5, 3.5))


def cast(image: Image.Image, rng: Rng) -> Image.Image:
    return picture(levels(image) * np.array(GAINS[int(rng.integers(len(GAINS)))]))


def posterised(image: Image.Image, rng: Rng) -> Image.Image:
    return ImageOps.posterize(image, 2)


# ---- the file


def enlarged(image: Image.Image, rng: Rng) -> Image.Image:
    small = image.copy()
    small.thumbnail((int(rng.integers(100, 200)),) * 2)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def mosaic(image: Image.Image, rng: Rng) -> Image.Image:
    small = image.resize([max(1, side * 90 // max(image.size)) for side in image.size], Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


def noisy(image: Image.Image, rng: Rng) -> Image.Image:
    values = levels(image)
    return picture(values + rng.normal(0, rng.uniform(12, 30), values.shape))


def blotchy(image: Image.Image, rng: Rng) -> Image.Image:
    """Noise of colour alone, in blobs, as small sensors make it in the dark."""
    small = rng.normal(0, 40, (image.height // 4 + 1, image.width // 4 + 1, 3)).astype(np.float32)
    small -= small.mean(axis=2, keepdims=True)
    planes = [Image.fromarray(small[..., c]).resize(image.size, Image.Resampling.BICUBIC) for c in range(3)]
    return picture(levels(image) + np.stack([np.asarray(plane) for plane in planes], axis=2))


def compressed(least: int, most: int) -> Spoil:
    def spoil(image: Image.Image, rng: Rng) -> Image.Image:
        return Image.open(BytesIO(saved(image, int(rng.integers(least, most + 1))))).convert("RGB")

    return spoil


def smeared(image: Image.Image, rng: Rng) -> Image.Image:
    return image.filter(ImageFilter.MedianFilter(9))


def over_sharpened(image: Image.Image, rng: Rng) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(max(image.size) * 0.004, percent=350, threshold=0))


def mediocre(image: Image.Image, rng: Rng) -> Image.Image:
    """A little soft, flat, pale and compressed."""
    soft = image.filter(ImageFilter.GaussianBlur(max(image.size) * 0.0015))
    flat = scaled(0.72, 0.72, around=128)(soft, rng)
    return compressed(30, 54)(ImageEnhance.Color(flat).enhance(0.6), rng)


# ---- what is laid over or around it


def font(height_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, height_px))


def lettered(image: Image.Image, rng: Rng) -> Image.Image:
    image, lines = image.copy(), [" ".join(rng.choice(WORDS, 5)) for _ in range(2)]
    place, letters = ImageDraw.Draw(image), font(image.width / 16)
    for share, line in zip((0.05, 0.85), lines, strict=True):
        at = (image.width // 2, int(share * image.height))
        place.text(at, line, "white", letters, "mt", stroke_width=2, stroke_fill="black")
    return image


def dated(image: Image.Image, rng: Rng) -> Image.Image:
    image = image.copy()
    day = f"'{rng.integers(0, 20):02d} {rng.integers(1, 13):2d} {rng.integers(1, 29):2d} 18:32"
    at = (int(image.width * 0.97), int(image.height * 0.95))
    ImageDraw.Draw(image).text(at, day, (255, 140, 30), font(image.height / 18), "rb")
    return image


def stamped(image: Image.Image, rng: Rng) -> Image.Image:
    """Half-transparent words, tiled."""
    (width, height), opacity = image.size, int(255 * rng.uniform(0.25, 0.6))
    layer, size = Image.new("RGBA", (2 * width, 2 * height)), height * rng.uniform(0.05, 0.09)
    place, letters, word = (
        ImageDraw.Draw(layer),
        font(size),
        str(rng.choice(["SAMPLE", "stockpix", "preview"])),
    )
    across, down = int(place.textlength(word, letters) * 1.5), int(size * rng.uniform(2.5, 4))
    for y in range(0, layer.height, down):
        for x in range(0, layer.width, across):
            place.text((x, y), word, (255, 255, 255, opacity), letters)
    layer = layer.rotate(rng.uniform(0, 35))
    layer = layer.crop((width // 2, height // 2, width // 2 + width, height // 2 + height))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def screenshot(image: Image.Image, rng: Rng) -> Image.Image:
    width, height = image.size
    page = Image.new("RGB", image.size, (245, 246, 248))
    place = ImageDraw.Draw(page)
    place.rectangle((0, 0, width, height // 12), fill=(60, 90, 150))
    page.paste(image.resize((width // 2, height // 2)), (width // 4, height // 6))
    for line in range(5):
        at = (width // 4, int(height * (0.7 + 0.05 * line)))
        place.text(at, " ".join(rng.choice(CHATTER, 7)), (30, 30, 30), font(height / 36))
    return page


def framed(image: Image.Image, rng: Rng) -> Image.Image:
    """Bars above and below, bars at the sides, or a frame."""
    width, height = image.size
    page = Image.new("RGB", image.size, ("black", "white")[int(rng.integers(2))])
    share, kind = rng.uniform(0.08, 0.16), int(rng.integers(3))
    if kind == 2:
        bar = int(min(width, height) * 0.05)
        page.paste(image.resize((width - 2 * bar, height - 2 * bar)), (bar, bar))
        return page
    left, top = (0, int(height * share)) if kind == 0 else (int(width * share), 0)
    page.paste(image.crop((left, top, width - left, height - top)), (left, top))
    return page


def collage(image: Image.Image, rng: Rng) -> Image.Image:
    """Four small ones with gutters between them."""
    width, height = image.size
    page, small = Image.new("RGB", image.size, "white"), image.resize((width // 2 - 8, height // 2 - 8))
    for number in range(4):
        tile = ImageOps.mirror(small) if number in (1, 2) else small
        page.paste(tile, (4 + number % 2 * (width // 2), 4 + number // 2 * (height // 2)))
    return page


KINDS: dict[str, Spoil] = {
    "out of focus": blurred(0.005, 0.01),
    "slightly out of focus": blurred(0.002, 0.0035),
    "moved": moved,
    "enlarged": enlarged,
    "noise": noisy,
    "heavy JPEG": compressed(5, 14),
    "under-exposed": scaled(0.15, 0.35),
    "over-exposed": scaled(1.6, 2.4, lift=(10, 40)),
    "low contrast": scaled(0.3, 0.5, around=128),
    "washed out": scaled(0.45, 0.45, lift=(100, 140)),
    "dull": dull,
    "mediocre": mediocre,
    "screenshot": screenshot,
    "bars or a frame": framed,
    "tilted": tilted,
    "colour cast": cast,
    "text laid over": lettered,
    "tiled watermark": stamped,
    "haze": hazy,
    "over-sharpened": over_sharpened,
    "colour noise": blotchy,
    "date in the corner": dated,
    "finger": finger,
    "light shining in": light_shining_in,
    "four levels": posterised,
    "colours forced": forced,
    "mosaic": mosaic,
    "collage": collage,
    "smeared": smeared,
    "dark corners": dark_corners,
}


def show(kinds: dict[str, Spoil], num_across: int) -> None:
    """The names; or, where a file is named, a photograph that scikit-image ships, spoiled in each way."""
    if len(sys.argv) < 2:
        print("\n".join(kinds))
        return
    from skimage import data

    image, side = Image.fromarray(data.coffee()), 240
    sheet = Image.new("RGB", (num_across * side, -(-len(kinds) // num_across) * side), "white")
    for number, (name, spoil) in enumerate(kinds.items()):
        small = spoil(image, np.random.default_rng(number))
        small.thumbnail((side - 10, side - 24))
        left, top = number % num_across * side, number // num_across * side
        sheet.paste(small, (left, top))
        ImageDraw.Draw(sheet).text((left, top + side - 20), name, "black", font(14))
    sheet.save(sys.argv[1])


if __name__ == "__main__":
    show(KINDS, 6)
