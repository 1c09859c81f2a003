"""Measures that need nothing but pixels: light, colour, sharpness, noise, what the frame holds.

Light and colour come from a view of at most 128 px, sharpness and noise from the canonical size.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable

import numpy as np

from photogenic.measures.closeups import calm_closeup
from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.jpeg import blockiness_score, jpeg_quality
from photogenic.measures.look import Levels, Look
from photogenic.measures.scales import sampled, small_view
from photogenic.measures.sharpness import noise_score, sharpness_score

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

DARK_CLIP, BRIGHT_CLIP = 5, 250  # luma levels: what a screen shows as black and as white
# By a factor near to one a bilinear step smooths some places and leaves others as they are, so the quietest
# blocks tell of less noise than there is elsewhere: it is taken from what was decoded.
LITTLE_REDUCED = 0.8
GREY_CHROMA = 10  # levels between the largest and smallest channel


def measure(picture: Picture, data: bytes | None = None) -> dict[str, float]:
    """All COLUMNS of one picture; `data`, the file's bytes, is what `jpeg_quality` is read from."""
    return measure_small(picture, small_view(picture.rgb), data)


def measure_small(
    picture: Picture, small: Rgb, data: bytes | None, columns: Iterable[str] = COLUMNS
) -> dict[str, float]:
    """As `measure`, for a caller who has the small view already, and wants some of the columns perhaps.

    What a column needs and no other one asks for is not computed.
    """
    look = Look(picture, small, data)
    return {name: MEASURES[name](look) for name in columns}


# ---- light


def _luma_mean(look: Look) -> float:
    return _mean_luma(look.levels)


def _content_luma_mean(look: Look) -> float:
    return _mean_luma(look.content_levels)


def _mean_luma(levels: Levels) -> float:
    """A pixel's luma is the number of levels below it: so many times is it not counted below 255."""
    num = levels[-1]
    return (255 * num - sum(levels[:-1])) / (255 * num)


def _dark_clip_ratio(look: Look) -> float:
    levels = look.content_levels
    return levels[DARK_CLIP] / levels[-1]


def _bright_clip_ratio(look: Look) -> float:
    levels = look.content_levels
    return (levels[-1] - levels[BRIGHT_CLIP - 1]) / levels[-1]


def _contrast(look: Look) -> float:
    levels, num = look.levels, look.luma.size
    return (bisect_left(levels, 0.99 * num) - bisect_left(levels, 0.01 * num)) / 255


# ---- colour


def _colourfulness_score(look: Look) -> float:
    """Hasler & Suesstrunk, Measuring colourfulness in natural images (2003): M3."""
    (red, green, blue), ((rr, rg, rb), (_, gg, gb), (_, _, bb)) = look.moments
    variance_red_green = rr + gg - 2 * rg
    variance_yellow_blue = (rr + gg) / 4 + rg / 2 - rb - gb + bb
    spread = math.sqrt(max(0.0, variance_red_green + variance_yellow_blue))
    return spread + 0.3 * math.hypot(red - green, (red + green) / 2 - blue)


def _saturation_ratio(look: Look) -> float:
    return float(look.chroma.sum() / max(1.0, float(look.value.sum())))


def _grey_ratio(look: Look) -> float:
    return float(np.count_nonzero(look.chroma < GREY_CHROMA) / look.chroma.size)


def _tint_ratio(look: Look) -> float:
    """|sum of the chroma vectors| / sum of their lengths: 1 for one hue, 0 for opposite ones in balance.

    Not with OpenCV's `magnitude`: Intel's code in it takes an approximate root of eight values at a time, but
    the exact one where one of the eight is zero (a grey pixel), and which eight go together depends on the
    address of its answer. So equal pixels got unequal last bits. NumPy's root is always the exact one.
    """
    red, green, blue = look.planes
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    length = float(np.sqrt(red_green * red_green + yellow_blue * yellow_blue).sum())
    if length < red_green.size:  # less than one level a pixel: grey
        return 1.0
    return min(1.0, math.hypot(red_green.sum(), yellow_blue.sum()) / length)


def _hue_spread_score(look: Look) -> float:
    """The colours' standard deviation off the line in RGB that fits them best, in levels.

    Grey, sepia and any other single tint are shades along one line: 0.
    """
    _, covariance = look.moments
    return math.sqrt(max(0.0, float(np.linalg.eigvalsh(covariance)[:2].sum())))


def _cast_score(look: Look) -> float:
    """The angle between the brightest of each channel and grey, in degrees.

    White patch: under white light something in a picture reflects all of it (Land, The retinex theory of
    colour vision, 1977). The 99th percentile of a quarter of the pixels, for single bright pixels are noise.
    """
    some = look.planes[:, ::4]
    rank = int(0.99 * (some.shape[1] - 1))
    brightest = np.partition(some, rank, axis=1)[:, rank].astype(np.float64)
    length = float(np.linalg.norm(brightest))
    if not length:
        return 0.0
    return math.degrees(math.acos(min(1.0, float(brightest.sum()) / (math.sqrt(3) * length))))


# ---- detail, the frame, the file


def _sharpness_score(look: Look) -> float:
    canonical = sampled(look.detail, round(look.scale * max(look.detail.shape)))
    return sharpness_score(canonical, look.detail if look.scale > LITTLE_REDUCED else canonical)


def _noise_score(look: Look) -> float:
    return noise_score(calm_closeup(look.picture.rgb, look.luma))


def _foreground_ratio(look: Look) -> float:
    return float(np.count_nonzero(look.frame.content) / look.frame.content.size)


def _edge_touch_ratio(look: Look) -> float:
    return look.frame.edge_touch_ratio


def _border_ratio(look: Look) -> float:
    return look.frame.border_ratio


def _blockiness_score(look: Look) -> float:
    return blockiness_score(look.detail, look.grid_px)


def _jpeg_quality(look: Look) -> float:
    return 100.0 if look.data is None else jpeg_quality(look.data)


MEASURES: dict[str, Callable[[Look], float]] = {
    "luma_mean": _luma_mean,
    "content_luma_mean": _content_luma_mean,
    "dark_clip_ratio": _dark_clip_ratio,
    "bright_clip_ratio": _bright_clip_ratio,
    "contrast": _contrast,
    "colourfulness_score": _colourfulness_score,
    "saturation_ratio": _saturation_ratio,
    "grey_ratio": _grey_ratio,
    "tint_ratio": _tint_ratio,
    "hue_spread_score": _hue_spread_score,
    "cast_score": _cast_score,
    "sharpness_score": _sharpness_score,
    "noise_score": _noise_score,
    "foreground_ratio": _foreground_ratio,
    "edge_touch_ratio": _edge_touch_ratio,
    "border_ratio": _border_ratio,
    "blockiness_score": _blockiness_score,
    "jpeg_quality": _jpeg_quality,
}
