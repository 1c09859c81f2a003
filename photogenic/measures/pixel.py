"""Measures that need nothing but pixels: light, colour, sharpness, noise, what the frame holds.

Light and colour come from a view of at most 128 px, sharpness and noise from the canonical size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.frame import Frame, look_at_frame
from photogenic.measures.jpeg import blockiness_score, jpeg_quality
from photogenic.measures.sharpness import noise_score, sharpness_score
from photogenic.measures.vision import opencv

# "Content" is everything but a plain background: of a drawing on white, the drawing.
COLUMNS: dict[str, str] = {
    "luma_mean": "exposure: mean luma (BT.601) of the whole picture, 0-1",
    "content_luma_mean": "mean luma of the content, 0-1",
    "dark_clip_ratio": "share of the content at or below luma 5 of 255, 0-1",
    "bright_clip_ratio": "share of the content at or above luma 250 of 255, 0-1",
    "contrast": "luma of the 99th less that of the 1st percentile of the whole picture, 0-1",
    "colourfulness_score": "M3 of Hasler & Suesstrunk (2003) over the content: 0 grey, 45 fair, 109 extreme",
    "saturation_ratio": "mean saturation of the content (HSV, weighted by value), 0-1",
    "grey_ratio": "share of the content whose channels differ by less than 10 of 255, 0-1",
    "tint_ratio": "how far the content agrees in one hue (mean resultant length), 0-1; 1 for grey",
    "sharpness_score": "1 / sigma of the edges' blur, 1/px: below 0.8 blurred, above 1.6 sharp; 0 no edges",
    "noise_score": "standard deviation of the noise, in luma levels of 255",
    "foreground_ratio": "share of the picture that is content, 0-1; 1 when the background is not plain",
    "edge_touch_ratio": "share of the outermost ring that content touches, 0-1; 0 without plain background",
    "border_ratio": "share of the area in straight plain bars along the edges (letterbox, frame), 0-1",
    "blockiness_score": "step on the JPEG grid over its neighbours', in levels, 0-2; 0 for a reduced picture",
    "jpeg_quality": "1-100 on libjpeg's scale, from the quantisation tables; 100 when no JPEG",
}

SMALL_LONG_SIDE_PX = 128
DARK_CLIP, BRIGHT_CLIP = 5, 250  # luma levels: what a screen shows as black and as white
GREY_CHROMA = 10  # levels between the largest and smallest channel


def measure(picture: Picture, data: bytes | None = None) -> dict[str, float]:
    """All COLUMNS of one picture; `data`, the file's bytes, is what `jpeg_quality` is read from."""
    cv = opencv()
    grey = cv.cvtColor(picture.rgb, cv.COLOR_RGB2GRAY)
    small = small_view(picture.rgb)
    luma = cv.cvtColor(small, cv.COLOR_RGB2GRAY)
    frame = look_at_frame(small)
    noise = noise_score(grey)
    return {
        **_light(luma, frame),
        **_colour(small, frame),
        "sharpness_score": sharpness_score(grey, noise),
        "noise_score": noise,
        "foreground_ratio": float(frame.content.mean()),
        "edge_touch_ratio": frame.edge_touch_ratio,
        "border_ratio": frame.border_ratio,
        "blockiness_score": blockiness_score(grey) if _is_native(picture) else 0.0,
        "jpeg_quality": 100.0 if data is None else jpeg_quality(data),
    }


def _is_native(picture: Picture) -> bool:
    return bool(max(picture.width_px, picture.height_px) == max(picture.rgb.shape[:2]))


def small_view(rgb: Rgb) -> Rgb:
    """[h, w, 3] with a long side of at most 128 px, by area averaging."""
    height, width = rgb.shape[:2]
    ratio = max(height, width) / SMALL_LONG_SIDE_PX
    if ratio <= 1:
        return rgb
    cv = opencv()
    size = (max(1, round(width / ratio)), max(1, round(height / ratio)))
    return np.asarray(cv.resize(rgb, size, interpolation=cv.INTER_AREA))


def _light(luma: NDArray[np.uint8], frame: Frame) -> dict[str, float]:
    whole = np.bincount(luma.ravel(), minlength=256)
    content = np.bincount(luma[frame.content], minlength=256) if frame.is_plain else whole
    num_content = max(1, int(content.sum()))
    cumulative = np.cumsum(whole) / luma.size
    low, high = np.searchsorted(cumulative, (0.01, 0.99))
    levels = np.arange(256)
    return {
        "luma_mean": float(whole @ levels) / (255 * luma.size),
        "content_luma_mean": float(content @ levels) / (255 * num_content),
        "dark_clip_ratio": float(content[: DARK_CLIP + 1].sum()) / num_content,
        "bright_clip_ratio": float(content[BRIGHT_CLIP:].sum()) / num_content,
        "contrast": float(high - low) / 255,
    }


def _colour(small: Rgb, frame: Frame) -> dict[str, float]:
    pixels = small[frame.content] if frame.is_plain else small.reshape(-1, 3)
    if pixels.shape[0] == 0:  # a blank picture
        return {"colourfulness_score": 0.0, "saturation_ratio": 0.0, "grey_ratio": 1.0, "tint_ratio": 1.0}
    red, green, blue = np.ascontiguousarray(pixels.T, np.float32)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    return {
        "colourfulness_score": _colourfulness(red_green, yellow_blue),
        "saturation_ratio": float(chroma.sum() / max(1.0, float(value.sum()))),
        "grey_ratio": float((chroma < GREY_CHROMA).mean()),
        "tint_ratio": _hue_agreement(red_green, yellow_blue),
    }


def _colourfulness(red_green: NDArray[np.float32], yellow_blue: NDArray[np.float32]) -> float:
    """Hasler & Suesstrunk, Measuring colourfulness in natural images (2003): M3."""
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * offset)


def _hue_agreement(red_green: NDArray[np.float32], yellow_blue: NDArray[np.float32]) -> float:
    """|sum of the chroma vectors| / sum of their lengths: 1 for one hue, 0 for opposite ones in balance."""
    length = float(np.hypot(red_green, yellow_blue).sum())
    if length < red_green.size:  # less than one level a pixel: grey
        return 1.0
    return float(np.hypot(red_green.sum(), yellow_blue.sum())) / length


# ---- perceptual hash

HASH_VIEW_PX = 32
HASH_BITS = (40, 12, 12)  # of luma and the two chromas: colour tells drawings of one outline apart
HASH_FLAT = 1e-3  # luma levels: a smaller amplitude is rounding, in a picture without structure


def phash(rgb: Rgb) -> int:
    """64-bit DCT perceptual hash of [H, W, 3], as an unsigned integer.

    As C. Zauner's (Implementation and benchmarking of perceptual image hash functions, 2010):
    the lowest frequencies of a 32 x 32 view against their median. Unlike it, frequencies go in zigzag order
    without the mean, and 24 of the bits are chroma's. A blank picture hashes to 0.
    """
    cv = opencv()
    view = cv.resize(rgb, (HASH_VIEW_PX, HASH_VIEW_PX), interpolation=cv.INTER_AREA)
    planes = cv.cvtColor(view, cv.COLOR_RGB2YCrCb).astype(np.float32)
    basis, order = _dct_basis(), _zigzag()
    bits = []
    for plane, num_bits in enumerate(HASH_BITS):
        amplitudes = (basis @ planes[:, :, plane] @ basis.T).ravel()[order[1 : num_bits + 1]]
        bits.append(amplitudes > np.median(amplitudes) + HASH_FLAT)
    return int.from_bytes(np.packbits(np.concatenate(bits)).tobytes(), "big")


@lru_cache(maxsize=1)
def _dct_basis() -> NDArray[np.float32]:
    """[32, 32]: the cosines of DCT-II, scaled so that a coefficient is an amplitude in levels."""
    frequency, position = np.mgrid[:HASH_VIEW_PX, :HASH_VIEW_PX]
    cosines = np.cos(np.pi * frequency * (2 * position + 1) / (2 * HASH_VIEW_PX))
    return np.asarray(cosines * np.where(frequency == 0, 1, 2) / HASH_VIEW_PX, np.float32)


@lru_cache(maxsize=1)
def _zigzag() -> NDArray[np.int64]:
    """[1024]: indices into the flattened [32, 32] coefficients, by the sum of the two frequencies."""
    frequency = np.arange(HASH_VIEW_PX)
    return np.argsort((frequency[:, None] + frequency[None]).ravel(), kind="stable")
