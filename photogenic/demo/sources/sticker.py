"""What every source yields, and how its drawings become pixels."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from photogenic.core.errors import DecodeError, MissingExtraError, PhotogenicError

Pixels = npt.NDArray[np.uint8]

PROBE_PX = 256  # size of the first drawing when the drawn part of a page must be found
CSS_DPI = 96.0  # SVG lengths such as 210mm need one; CSS defines it


class MissingSourceError(PhotogenicError):
    """A data package is not installed; the haystack goes on without it."""


@dataclass(frozen=True)
class Sticker:
    """One picture of a data package, not drawn yet."""

    key: str  # unique over all sources: "<source>-<concept>"
    concept: str  # emoji: unified code points without the presentation selector; openclipart: its path
    name: str  # short name in words
    tags: tuple[str, ...]
    group: str  # folder-like: "food-drink"
    source: str
    licence: str  # SPDX identifier, or "public-domain"
    attribution: str
    art: str | Path  # SVG text, or a file (.svg, .png, .webp)
    trim: bool = False  # the drawing lies somewhere on a page: cut it out

    def render(self, size_px: int) -> Pixels:
        """RGBA uint8 [H, W, 4], straight alpha, longest side `size_px`; see `draw`."""
        return draw(self.art, size_px, trim=self.trim)


def draw(art: str | Path, size_px: int, *, trim: bool = False) -> Pixels:
    """RGBA uint8 [H, W, 4] with the longest side `size_px`.

    Args:
        art: SVG text, or the path of an SVG, PNG or WebP file.
        trim: cut away what is fully transparent around the drawing.

    Raises:
        DecodeError: nothing can be drawn from it, or nothing is visible.
    """
    is_svg = isinstance(art, str) or art.suffix == ".svg"
    try:
        image = _draw_svg(_svg_text(art), size_px, trim) if is_svg else _open_raster(Path(art), size_px)
    except (ValueError, OSError) as error:
        raise DecodeError(f"{_title(art)} cannot be drawn: {error}.") from error
    pixels: Pixels = np.asarray(image)
    if not pixels[..., 3].any():
        raise DecodeError(f"{_title(art)} draws nothing.")
    return pixels


def _draw_svg(text: str, size_px: int, trim: bool) -> Image.Image:
    if not trim:
        return _fit(_rasterise(text, size_px), size_px)
    # A clip art of a few centimetres on an A4 page: a first drawing tells how large the page has to be drawn
    # for the drawn part to have `size_px`. Eight times is the end, lest a dot be drawn as a poster.
    probe = _rasterise(text, PROBE_PX)
    box = probe.getchannel("A").getbbox()
    if box is None:
        return probe
    scale = PROBE_PX / max(box[2] - box[0], box[3] - box[1])
    page = _rasterise(text, round(size_px * min(scale, 8.0)))
    return _fit(page.crop(page.getchannel("A").getbbox()), size_px)


def _rasterise(text: str, size_px: int) -> Image.Image:
    try:
        import resvg_py
    except ModuleNotFoundError as error:
        raise MissingExtraError("demo", "Drawing SVG") from error
    # Fonts of the machine would make the picture depend on the machine.
    png = resvg_py.svg_to_bytes(svg_string=text, width=size_px, dpi=CSS_DPI, skip_system_fonts=True)
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    if image.height > image.width:
        height = resvg_py.svg_to_bytes(svg_string=text, height=size_px, dpi=CSS_DPI, skip_system_fonts=True)
        image = Image.open(io.BytesIO(height)).convert("RGBA")
    return image


def _open_raster(path: Path, size_px: int) -> Image.Image:
    with Image.open(path) as image:
        return _fit(image.convert("RGBA"), size_px)


def _fit(image: Image.Image, size_px: int) -> Image.Image:
    scale = size_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == image.size:
        return image
    # Premultiplied, or the colour of transparent pixels would leak into the rim.
    return image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")


def _svg_text(art: str | Path) -> str:
    return art if isinstance(art, str) else art.read_text(encoding="utf-8", errors="replace")


def _title(art: str | Path) -> str:
    return "An SVG" if isinstance(art, str) else str(art)


def concept_of(hexcode: str) -> str:
    """Unified code points in lower-case hex, at least four digits each, without the selector fe0f.

    Packages differ in these three habits; the concept is the same in all: "1F6D6", "2764-FE0F", "23-20e3".
    """
    parts = (part.lower().zfill(4) for part in hexcode.split("-"))
    return "-".join(part for part in parts if part != "fe0f")


def slug(text: str) -> str:
    """`"Food & Drink"` -> `"food-drink"`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
