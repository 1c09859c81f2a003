"""What is wrong with pictures of real haystacks, one function per kind.

The ranges are those of web pictures that a person would reject at a glance. They were set by eye, before any
filter was run, and are not fitted to one. All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from photogenic.demo import overlay

Pixels = npt.NDArray[np.uint8]
Parameters = dict[str, float | str]

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in JPEG


class Spoiled(NamedTuple):
    """A spoiled picture, RGB uint8 [H, W, 3], and how it was done."""

    rgb: Pixels
    parameters: Parameters


class SpoiledFile(NamedTuple):
    """A file that is spoiled as a file."""

    content: bytes
    parameters: Parameters


def overlaid_text(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """A caption, a watermark, or a shop's offer across the picture."""
    layout = str(rng.choice(["meme", "watermark", "offer", "signature"], p=[0.3, 0.3, 0.25, 0.15]))
    text, image = overlay.LAYOUTS[layout](Image.fromarray(rgb), rng)
    return Spoiled(np.asarray(image), {"layout": layout, "text": text, "num_words": len(text.split())})


def blur(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """Out of focus (Gaussian, sigma 1.2-3 % of the longer side) or moved (a line of 5-12 %)."""
    longer_px = max(rgb.shape[:2])
    if rng.random() < 0.6:
        sigma_px = round(float(rng.uniform(0.012, 0.03)) * longer_px, 2)
        image = Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma_px))
        return Spoiled(np.asarray(image), {"blur": "focus", "sigma_px": sigma_px})
    length_px = max(3, round(float(rng.uniform(0.05, 0.12)) * longer_px))
    angle = round(float(rng.uniform(0.0, np.pi)), 3)
    return Spoiled(_move(rgb, length_px, angle), {"blur": "motion", "length_px": length_px, "angle": angle})


def _move(rgb: Pixels, length_px: int, angle: float) -> Pixels:
    """The mean over positions along a line: what a shutter sees of something that moves."""
    steps = np.linspace(-0.5, 0.5, length_px) * length_px
    offsets = np.rint(np.outer(steps, (np.sin(angle), np.cos(angle)))).astype(int)
    rim = int(np.abs(offsets).max())
    padded = np.pad(rgb, ((rim, rim), (rim, rim), (0, 0)), mode="edge").astype(np.float32)
    height, width = rgb.shape[:2]
    shifted = (padded[rim + dy : rim + dy + height, rim + dx : rim + dx + width] for dy, dx in offsets)
    return _to_uint8(sum(shifted, np.zeros(rgb.shape, np.float32)) / length_px)


def over_exposed(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """1 to 2 stops too much light, and what is over white is lost."""
    stops = round(float(rng.uniform(1.0, 2.0)), 2)
    return Spoiled(_expose(rgb, stops), {"stops": stops})


def under_exposed(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """2.5 to 4 stops too little light, with the sensor noise that comes with it."""
    stops = round(float(rng.uniform(-4.0, -2.5)), 2)
    dark = _expose(rgb, stops).astype(np.float32)
    return Spoiled(_to_uint8(dark + rng.normal(0.0, 2.5, rgb.shape)), {"stops": stops})


def _expose(rgb: Pixels, stops: float) -> Pixels:
    # A gamma of 2.2 stands for sRGB's curve: exposure multiplies light, not code values.
    light = (rgb / 255.0) ** 2.2 * 2.0**stops
    return _to_uint8(255.0 * light.clip(0.0, 1.0) ** (1 / 2.2))


def washed_out(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """A faded print: little contrast around a light grey, half of the colour."""
    contrast, level = round(float(rng.uniform(0.2, 0.4)), 2), round(float(rng.uniform(0.65, 0.85)), 2)
    faded = 0.5 * (rgb + (rgb @ LUMA)[..., None])
    flat = 255 * level + contrast * (faded - 255 * level)
    return Spoiled(_to_uint8(flat), {"contrast": contrast, "level": level})


def grey(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """No colour at all; one in four slightly toned, as scans are."""
    luma = (rgb @ LUMA)[..., None]
    toned = rng.random() < 0.25
    tone = np.array([1.0, 0.96, 0.88]) if toned else np.ones(3)
    return Spoiled(_to_uint8(luma * tone), {"tone": "warm" if toned else "none"})


def cut_off(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """A frame that shows 45-65 % of the picture's width or height (or of both), from an edge."""
    height, width = rgb.shape[:2]
    sides = str(rng.choice(["width", "height", "both"]))
    part = round(float(rng.uniform(0.45, 0.65)), 2)
    width_px = round(width * part) if sides != "height" else width
    height_px = round(height * part) if sides != "width" else height
    top = (height - height_px) * int(rng.integers(2))
    left = (width - width_px) * int(rng.integers(2))
    window = rgb[top : top + height_px, left : left + width_px]
    return Spoiled(np.ascontiguousarray(window), {"sides": sides, "part": part})


def tiny(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """A thumbnail of 24-56 px."""
    longer_px = int(rng.integers(24, 57))
    return Spoiled(_resized(rgb, longer_px / max(rgb.shape[:2])), {"longer_px": longer_px})


def near_duplicate(rgb: Pixels, rng: np.random.Generator) -> Spoiled:
    """What a second web site makes of a picture: smaller, slightly cropped, slightly lighter or darker."""
    scale = round(float(rng.uniform(0.6, 0.95)), 2)
    crop = round(float(rng.uniform(0.0, 0.05)), 3)
    gain = round(float(rng.uniform(0.95, 1.03)), 3)
    height, width = rgb.shape[:2]
    top, left = round(height * crop), round(width * crop)
    inner = rgb[top : height - top, left : width - left]
    copy = _to_uint8(_resized(np.ascontiguousarray(inner), scale).astype(np.float32) * gain)
    return Spoiled(copy, {"scale": scale, "crop": crop, "gain": gain})


def heavy_jpeg(rgb: Pixels, rng: np.random.Generator) -> SpoiledFile:
    """JPEG at quality 4-14 with halved colour; one in four saved again at 92, to hide it from the header."""
    quality = int(rng.integers(4, 15))
    content = encode_jpeg(rgb, quality)
    again = bool(rng.random() < 0.25)
    if again:
        content = encode_jpeg(np.asarray(Image.open(io.BytesIO(content))), 92)
    return SpoiledFile(content, {"quality": quality, "saved_again": "yes" if again else "no"})


def truncated(content: bytes, rng: np.random.Generator) -> SpoiledFile:
    """A download that broke off after 15-75 % of the file."""
    part = round(float(rng.uniform(0.15, 0.75)), 2)
    return SpoiledFile(content[: max(1, int(len(content) * part))], {"part": part})


def encode_jpeg(rgb: Pixels, quality: int) -> bytes:
    """JPEG bytes, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()


def _resized(rgb: Pixels, scale: float) -> Pixels:
    height, width = rgb.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _to_uint8(values: npt.NDArray[np.floating]) -> Pixels:
    pixels: Pixels = np.rint(values).clip(0, 255).astype(np.uint8)
    return pixels
