"""Text across pictures: each layout draws on the picture and answers the text.

The font is Pillow's own (Aileron), so that the pictures do not depend on the machine's fonts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MEMES = (
    "WHEN YOU SEE IT",
    "NOT TODAY",
    "THAT MONDAY FEELING",
    "ONE DOES NOT SIMPLY",
    "ME EVERY MORNING",
    "WAIT FOR IT",
    "KEEP CALM AND CARRY ON",
    "TAG A FRIEND WHO NEEDS THIS",
)
OFFERS = (
    "SALE -50%",
    "Buy now",
    "Free download",
    "Click here to enlarge",
    "NEW! only $4.99",
    "Follow us for more",
    "Limited offer, order today",
    "Image not available for your region",
)
WATERMARKS = (
    "SAMPLE",
    "stock preview",
    "do not copy",
    "PREVIEW ONLY",
    "clipart library",
    "www.free-icons.example",
)
SIGNATURES = ("(c) 2009 J. Miller", "www.cliparts.example", "photo by anna", "IMG 2041 12/03/2011")

Overlay = tuple[str, Image.Image]


def _font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(8.0, size_px))


def _fitting_font(
    draw: ImageDraw.ImageDraw, text: str, size_px: float, width_px: float
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at `size_px`, or as much smaller as the width asks."""
    needed_px = draw.textlength(text, font=_font(size_px))
    return _font(size_px * min(1.0, width_px / needed_px))


def _meme(image: Image.Image, rng: np.random.Generator) -> Overlay:
    """White capitals with a black rim at the top, the bottom, or both."""
    texts = [str(text) for text in rng.choice(MEMES, size=int(rng.integers(1, 3)), replace=False)]
    draw = ImageDraw.Draw(image)
    size_px = rng.uniform(0.11, 0.16) * image.height
    for text, anchor, y in zip(texts, ("md", "ma"), (0.97, 0.02), strict=False):
        font = _fitting_font(draw, text, size_px, 0.94 * image.width)
        rim = max(1, round(size_px / 10))
        place = (image.width / 2, y * image.height)
        draw.text(place, text, "white", font, anchor, stroke_width=rim, stroke_fill="black")
    return " ".join(texts), image


def _watermark(image: Image.Image, rng: np.random.Generator) -> Overlay:
    """Half-transparent grey words in slanted rows over everything."""
    text = str(rng.choice(WATERMARKS))
    side = 2 * max(image.size)
    layer = Image.new("L", (side, side))
    draw = ImageDraw.Draw(layer)
    size_px = rng.uniform(0.07, 0.11) * image.height
    step = draw.textlength(text, font=_font(size_px)) * 1.3
    rows = np.arange(0, side, size_px * 2.8)
    for index, y in enumerate(rows):
        for x in np.arange(-step * (index % 2) / 2, side, step):
            draw.text((x, y), text, round(255 * 0.55), _font(size_px))
    layer = layer.rotate(float(rng.uniform(15, 40)), Image.Resampling.BILINEAR)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    mask = layer.crop((left, top, left + image.width, top + image.height))
    image.paste(Image.new("RGB", image.size, (110, 110, 110)), mask=mask)
    return text, image


def _offer(image: Image.Image, rng: np.random.Generator) -> Overlay:
    """A coloured bar with an offer."""
    text = str(rng.choice(OFFERS))
    draw = ImageDraw.Draw(image)
    bar_px = rng.uniform(0.15, 0.22) * image.height
    top = float(rng.choice([0.0, 0.4, 1.0])) * (image.height - bar_px)
    colour = str(rng.choice(["#c8102e", "#0057b7", "#111111", "#f2c100"]))
    draw.rectangle((0, top, image.width, top + bar_px), fill=colour)
    font = _fitting_font(draw, text, 0.62 * bar_px, 0.92 * image.width)
    draw.text((image.width / 2, top + bar_px / 2), text, "white", font, "mm")
    return text, image


def _signature(image: Image.Image, rng: np.random.Generator) -> Overlay:
    """A small line in a corner: an address, an author, a camera's date."""
    text = str(rng.choice(SIGNATURES))
    draw = ImageDraw.Draw(image)
    font = _fitting_font(draw, text, rng.uniform(0.07, 0.1) * image.height, 0.9 * image.width)
    colour = str(rng.choice(["#222222", "#d06000", "#808080"]))
    draw.text((0.97 * image.width, 0.97 * image.height), text, colour, font, "rd")
    return text, image


LAYOUTS: dict[str, Callable[[Image.Image, np.random.Generator], Overlay]] = {
    "meme": _meme,
    "watermark": _watermark,
    "offer": _offer,
    "signature": _signature,
}
