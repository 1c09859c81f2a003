"""Measures that need nothing but pixels: light, colour, sharpness, noise, what the frame holds.

Light and colour come from a view of at most 128 px, sharpness and noise from the canonical size.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.closeups import closeups
from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.frame import Frame, look_at_frame
from photogenic.measures.jpeg import blockiness_score, jpeg_quality
from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX, reduced, small_view
from photogenic.measures.sharpness import noise_score, ranked, sharpness_score
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
    "hue_spread_score": "spread of the colours off the line of one tint, in levels; 0 for grey or sepia",
    "cast_score": "degrees between the brightest colour and grey: 0 white light, above 10 a colour cast",
    "sharpness_score": "1 / sigma of the edges' blur, 1/px: below 0.8 blurred, above 1.6 sharp; 0 no edges",
    "noise_score": "standard deviation of the noise, in luma levels of 255",
    "foreground_ratio": "share of the picture that is content, 0-1; 1 when the background is not plain",
    "edge_touch_ratio": "share of the outermost ring that content touches, 0-1; 0 without plain background",
    "border_ratio": "share of the area in straight plain bars along the edges (letterbox, frame), 0-1",
    "blockiness_score": "step on the JPEG grid over its neighbours', in levels, 0-2; 0 for a reduced picture",
    "jpeg_quality": "1-100 on libjpeg's scale, from the quantisation tables; 100 when no JPEG",
}

Channel = NDArray[np.float32]  # [N], levels
Moments = NDArray[np.float64]

OPPONENT = np.array([[1, -1, 0], [0.5, 0.5, -1]])  # red-green and yellow-blue, from RGB

DARK_CLIP, BRIGHT_CLIP = 5, 250  # luma levels: what a screen shows as black and as white
GREY_CHROMA = 10  # levels between the largest and smallest channel
_LEVELS = np.arange(256)


def measure(picture: Picture, data: bytes | None = None) -> dict[str, float]:
    """All COLUMNS of one picture; `data`, the file's bytes, is what `jpeg_quality` is read from."""
    return measure_small(picture, small_view(picture.rgb), data)


def measure_small(picture: Picture, small: Rgb, data: bytes | None) -> dict[str, float]:
    """As `measure`, for a caller who has the small view already."""
    luma = opencv().cvtColor(small, opencv().COLOR_RGB2GRAY)
    frame = look_at_frame(small)
    detail, calm = closeups(picture.rgb, luma)
    noise, scale = noise_score(calm), min(1.0, CANONICAL_LONG_SIDE_PX / max(picture.rgb.shape[:2]))
    sharp_view = reduced(detail, round(scale * max(detail.shape)))
    return {
        **_light(luma, frame),
        **_colour(small, frame),
        "sharpness_score": sharpness_score(sharp_view, noise * scale),
        "noise_score": noise,
        "foreground_ratio": float(np.count_nonzero(frame.content) / frame.content.size),
        "edge_touch_ratio": frame.edge_touch_ratio,
        "border_ratio": frame.border_ratio,
        "blockiness_score": blockiness_score(detail, _grid_px(picture)),
        "jpeg_quality": 100.0 if data is None else jpeg_quality(data),
    }


def _grid_px(picture: Picture) -> int:
    """The side of JPEG's blocks of 8 px as this picture holds them."""
    return round(8 * int(max(picture.rgb.shape[:2])) / max(picture.width_px, picture.height_px))


def _light(luma: NDArray[np.uint8], frame: Frame) -> dict[str, float]:
    """Of [h, w]. A blank picture has no content: its ground counts."""
    whole = np.bincount(luma.ravel(), minlength=256)
    is_partial = frame.is_plain and frame.content.any()
    content = np.bincount(luma[frame.content], minlength=256) if is_partial else whole
    num_content = int(content.sum())
    low, high = np.searchsorted(np.cumsum(whole), (0.01 * luma.size, 0.99 * luma.size))
    return {
        "luma_mean": float(whole @ _LEVELS) / (255 * luma.size),
        "content_luma_mean": float(content @ _LEVELS) / (255 * num_content),
        "dark_clip_ratio": float(content[: DARK_CLIP + 1].sum()) / num_content,
        "bright_clip_ratio": float(content[BRIGHT_CLIP:].sum()) / num_content,
        "contrast": float(high - low) / 255,
    }


def _colour(small: Rgb, frame: Frame) -> dict[str, float]:
    pixels = small[frame.content] if frame.is_plain and frame.content.any() else small.reshape(-1, 3)
    planes = np.ascontiguousarray(pixels.T, np.float32)
    red, green, blue = planes
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    mean, covariance = _moments(planes)
    return {
        "colourfulness_score": _colourfulness(mean, covariance),
        "saturation_ratio": float(chroma.sum() / max(1.0, float(value.sum()))),
        "grey_ratio": float(np.count_nonzero(chroma < GREY_CHROMA) / chroma.size),
        "tint_ratio": _hue_agreement(red - green, (red + green) / 2 - blue),
        "hue_spread_score": _hue_spread(covariance),
        "cast_score": _cast(planes),
    }


def _moments(planes: NDArray[np.float32]) -> tuple[Moments, Moments]:
    """Mean [3] and covariance [3, 3] of the channels [3, N]."""
    cv = opencv()
    how = cv.COVAR_NORMAL | cv.COVAR_COLS | cv.COVAR_SCALE
    covariance, mean = cv.calcCovarMatrix(planes, None, how, ctype=cv.CV_64F)
    return mean[:, 0], covariance


def _colourfulness(mean: Moments, covariance: Moments) -> float:
    """Hasler & Suesstrunk, Measuring colourfulness in natural images (2003): M3."""
    variances = np.diag(OPPONENT @ covariance @ OPPONENT.T)
    spread = math.sqrt(max(0.0, float(variances.sum())))
    return spread + 0.3 * math.hypot(*(OPPONENT @ mean))


def _hue_agreement(red_green: Channel, yellow_blue: Channel) -> float:
    """|sum of the chroma vectors| / sum of their lengths: 1 for one hue, 0 for opposite ones in balance.

    Not with OpenCV's `magnitude`: Intel's code in it takes an approximate root of eight values at a time, but
    the exact one where one of the eight is zero (a grey pixel), and which eight go together depends on the
    address of its answer. So equal pixels got unequal last bits. NumPy's root is always the exact one.
    """
    length = float(np.sqrt(red_green * red_green + yellow_blue * yellow_blue).sum())
    if length < red_green.size:  # less than one level a pixel: grey
        return 1.0
    return min(1.0, math.hypot(red_green.sum(), yellow_blue.sum()) / length)


def _hue_spread(covariance: Moments) -> float:
    """The colours' standard deviation off the line in RGB that fits them best, in levels.

    Grey, sepia and any other single tint are shades along one line: 0.
    """
    return math.sqrt(max(0.0, float(np.linalg.eigvalsh(covariance)[:2].sum())))


def _cast(planes: NDArray[np.float32]) -> float:
    """The angle between the brightest of each channel and grey, in degrees, from [3, N].

    White patch: under white light something in a picture reflects all of it (Land, The retinex theory of
    colour vision, 1977). The 99th percentile of a quarter of the pixels, for single bright pixels are noise.
    """
    brightest = np.array([ranked(plane[::4], 0.99) for plane in planes])
    length = float(np.linalg.norm(brightest))
    return (
        math.degrees(math.acos(min(1.0, float(brightest.sum()) / (math.sqrt(3) * length)))) if length else 0.0
    )


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
    view = cv.resize(small_view(rgb), (HASH_VIEW_PX, HASH_VIEW_PX), interpolation=cv.INTER_AREA)
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
