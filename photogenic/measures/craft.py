"""What a photograph's pixels say of how it was made: numbers that `finish.py` judges together.

All are taken at the canonical size, [H, W, 3] uint8 sRGB with the longer side at most 512 px. Each family
looks for another trace: how detail is spread over the octaves (focus, shake, enlargement, sharpening), colour
in places without detail (noise), light towards the corners, lines without any content (collages), and
where the colours of lights, shadows and the least coloured places lie (casts). None of them is a verdict.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.families import Family, gathered
from photogenic.measures.vision import Rgb, opencv

Plane = NDArray[np.float32]
Values = NDArray[np.float64]

OCTAVES = 5
BLOCK_PX = 64  # of the finest octave; half of it in the next one, and so on
BUSY_SHARE = 0.4  # of the blocks: where there is detail, its octaves tell how sharp it is
CALM_BLOCK_PX = 32
NOISE_SIGMA_PX = 4.0  # finer than this is noise where there is no detail
MIN_SIDE_PX = 2 * BLOCK_PX

SCHARR_GAIN = 32.0  # its answer to a slope of one level a pixel
FLAT_SLOPE = 1.0  # levels a pixel, and less: nothing to see
PLAIN_DEVIATION = 6.0  # levels along a line from side to side, and less: it is plain
BESIDE_PX = 6  # so far from a gutter there is content on both sides,
BESIDE_DEVIATION = 12.0  # which is more than so many levels along the line
INNER = (0.15, 0.85)  # shares of a side: a line further out may belong to a frame

STRAIGHT_PX = 15  # over such squares an edge is straight or not
COHERENCE = 0.9  # of slopes that all point one way: 1; of those that point anywhere: 0
MIN_LINE_POWER = 2.0  # mean squared slope, levels a pixel squared
UPRIGHT_DEGREES = 2  # off upright or level, and less
SLANTS_DEGREES = (5, 20)  # where slanted lines are looked for,
SLANT_WIDTH_DEGREES = 5  # those of so many degrees together


CRAFT_COLUMNS = (
    "octave_0",
    "octave_1",
    "octave_2",
    "octave_3",
    "busy_01_low",
    "busy_01_middle",
    "busy_01_high",
    "busy_02_low",
    "busy_02_middle",
    "busy_02_high",
    "busy_13_low",
    "busy_13_middle",
    "busy_13_high",
    "curvature_least",
    "curvature_most",
    "anisotropy",
    "slope_middle",
    "slope_spread",
    "flat",
    "clipped_edges",
    "flat_inside",
    "flat_colours",
    "calm_colour",
    "middle_colour",
    "calm_colour_by_luma",
    "colour_by_luma",
    "calm_luma",
    "brightest_corner",
    "brightest_corner_by_middle",
    "corners_by_middle",
    "falloff",
    "rim_light",
    "gutter",
    "seam",
    "luma_p01",
    "luma_p05",
    "luma_p50",
    "luma_p95",
    "luma_p99",
    "dark_channel_low",
    "dark_channel",
    "clipped_channels",
    "missing_tones",
    "chroma_p05",
    "chroma_p25",
    "chroma_p50",
    "chroma_p90",
    "all_red_green",
    "all_yellow_blue",
    "lights_red_green",
    "lights_yellow_blue",
    "shadows_red_green",
    "shadows_yellow_blue",
    "greys_red_green",
    "greys_yellow_blue",
    "upright_lines",
    "slanted_lines",
)


def craft(rgb: Rgb) -> dict[str, float]:
    """All measures of [H, W, 3], by name; none of a picture with a side below MIN_SIDE_PX."""
    if min(rgb.shape[:2]) < MIN_SIDE_PX:
        return {}
    cv = opencv()
    grey = cv.cvtColor(rgb, cv.COLOR_RGB2GRAY).astype(np.float32)
    slopes = cv.Scharr(grey, cv.CV_32F, 1, 0) / SCHARR_GAIN, cv.Scharr(grey, cv.CV_32F, 0, 1) / SCHARR_GAIN
    return gathered(
        detail(grey),
        directions(grey),
        edges(rgb, grey, np.hypot(*slopes)),
        colour_noise(rgb),
        corners(grey),
        plain_lines(grey),
        tones(rgb, grey),
        colours(rgb),
        straightness(*slopes),
    )


# ---- detail


def detail(grey: Plane) -> Family:
    """How strong each octave is against the next coarser ones, in powers of two.

    Natural pictures have about as much contrast in each octave (Field, Relations between the statistics of
    natural images, 1987). Blur takes the finest away, sharpening and noise add to it.
    """
    cv = opencv()
    strengths, blocks, coarser = [], [], grey
    for octave in range(OCTAVES):
        finer, coarser = coarser, cv.pyrDown(coarser)
        band = finer - cv.pyrUp(coarser, dstsize=finer.shape[::-1])
        strengths.append(float(band.std()) + 0.05)
        blocks.append(block_deviations(band, max(4, BLOCK_PX >> octave)) + 0.1)
    for octave in range(OCTAVES - 1):
        yield f"octave_{octave}", np.log2(strengths[octave] / strengths[octave + 1])
    rows, columns = min(block.shape[0] for block in blocks), min(block.shape[1] for block in blocks)
    blocks = [block[:rows, :columns] for block in blocks]
    contrast = blocks[1] + blocks[2]
    busy = contrast >= np.quantile(contrast, 1 - BUSY_SHARE)
    for fine, coarse in ((0, 1), (0, 2), (1, 3)):
        ratios = np.log2(blocks[fine] / blocks[coarse])[busy]
        for name, share in (("low", 0.1), ("middle", 0.5), ("high", 0.9)):
            yield f"busy_{fine}{coarse}_{name}", np.quantile(ratios, share)


def block_deviations(plane: Plane, side: int) -> Values:
    """Root mean square of each block of [H, W]. [H // side, W // side]"""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    blocks = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(np.sqrt(np.square(blocks).mean(axis=(1, 3))), np.float64)


def directions(grey: Plane) -> Family:
    """Curvature over slope, across and down: a shaken picture has less of it along the way."""
    ratios = []
    for plane in (grey, grey.T):
        slope, curve = np.diff(plane, axis=0), np.diff(plane, 2, axis=0)
        ratios.append(float(np.abs(curve).mean()) / (float(np.abs(slope).mean()) + 0.05))
    yield "curvature_least", min(ratios)
    yield "curvature_most", max(ratios)
    yield "anisotropy", abs(np.log2((ratios[0] + 0.01) / (ratios[1] + 0.01)))


def edges(rgb: Rgb, grey: Plane, slope: Plane) -> Family:
    """How steep the steepest places are against the middle, what is flat, and whether edges are clipped."""
    middle, steep, steepest = np.quantile(slope[::2, ::2], (0.5, 0.9, 0.99))
    yield "slope_middle", np.log2(middle + 0.1)
    yield "slope_spread", np.log2((steepest + 0.1) / (middle + 0.1))
    flat = slope < FLAT_SLOPE
    yield "flat", flat.mean()
    yield "clipped_edges", ((grey >= 253) | (grey <= 2))[slope >= steep].mean()
    inside = opencv().erode(flat.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    yield "flat_inside", inside.mean()
    yield "flat_colours", entropy(rgb[inside]) if inside.sum() > 200 else 8.0


def entropy(pixels: NDArray[np.uint8]) -> float:
    """Bits of [N, 3] in steps of eight levels: few where colours were cut to a few steps."""
    counts = np.bincount((pixels // 8).astype(np.int64) @ np.array([1024, 32, 1]))
    shares = counts[counts > 0] / len(pixels)
    return float(-(shares * np.log2(shares)).sum())


def colour_noise(rgb: Rgb) -> Family:
    """Fine changes of colour and of luma in the calmest blocks."""
    cv = opencv()
    planes = cv.split(cv.cvtColor(rgb, cv.COLOR_RGB2YCrCb).astype(np.float32))
    luma, red, blue = (
        block_deviations(plane - cv.GaussianBlur(plane, (0, 0), NOISE_SIGMA_PX), CALM_BLOCK_PX)
        for plane in planes
    )
    colour = np.hypot(red, blue)
    yield "calm_colour", np.log2(np.quantile(colour, 0.2) + 0.3)
    yield "middle_colour", np.log2(np.median(colour) + 0.3)
    yield "calm_colour_by_luma", np.log2(np.quantile(colour / (luma + 0.5), 0.2) + 0.01)
    yield "colour_by_luma", np.log2(np.median(colour / (luma + 0.5)) + 0.01)
    yield "calm_luma", np.log2(np.quantile(luma, 0.05) + 0.3)


# ---- the frame


def corners(grey: Plane) -> Family:
    """Light of the four corners, and how it falls from the middle on."""
    rows, columns = 24, 32
    small = opencv().resize(grey, (columns, rows), interpolation=opencv().INTER_AREA)
    parts = [
        small[top][:, left].mean()
        for top in (slice(4), slice(-4, None))
        for left in (slice(5), slice(-5, None))
    ]
    middle = small[6:18, 8:24].mean()
    yield "brightest_corner", max(parts) / 255
    yield "brightest_corner_by_middle", np.log2((max(parts) + 3) / (middle + 3))
    yield "corners_by_middle", np.log2((np.mean(parts) + 3) / (middle + 3))
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    distance = (down**2 + across**2).ravel()
    yield "falloff", np.polyfit(distance, np.log2(small.ravel() + 3), 1)[0]
    yield "rim_light", np.quantile(small.ravel()[distance > 1.2], 0.9) / 255


def plain_lines(grey: Plane) -> Family:
    """Lines without content from side to side, between content: the gutters of a collage. And seams."""
    gutters, seams = [], []
    for plane in (grey, grey.T):
        deviations, num = plane.std(axis=1), len(plane)
        inner = slice(int(num * INNER[0]), int(num * INNER[1]))
        beside = np.pad(deviations, BESIDE_PX, constant_values=np.inf)
        beside = np.minimum(beside[: -2 * BESIDE_PX], beside[2 * BESIDE_PX :])
        gutters.append(((deviations < PLAIN_DEVIATION) & (beside > BESIDE_DEVIATION))[inner].any())
        steps = np.median(np.abs(np.diff(plane[:, ::2], axis=0)), axis=1)
        seams.append(np.log2((steps[inner].max() + 0.5) / (np.median(steps[inner]) + 0.5)))
    yield "gutter", max(gutters)
    yield "seam", max(seams)


def straightness(across: Plane, down: Plane) -> Family:
    """Straight edges that are upright or level, and those at the same slant of 5-20 degrees."""
    cv = opencv()
    size = (STRAIGHT_PX, STRAIGHT_PX)
    xx, yy, xy = (cv.blur(plane, size) for plane in (across * across, down * down, across * down))
    strength, along = xx + yy, np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    straight = (along > COHERENCE * strength) & (strength > MIN_LINE_POWER)
    degrees = np.degrees(0.5 * np.arctan2(2 * xy[straight], (xx - yy)[straight]))
    degrees = (degrees + 45) % 90 - 45
    counts = np.histogram(degrees, bins=90, range=(-45, 45))[0] / across.size
    at = np.arange(-44.5, 45)
    slanted = [
        counts[(sign * at > start) & (sign * at < start + SLANT_WIDTH_DEGREES)].sum()
        for sign in (1, -1)
        for start in range(*SLANTS_DEGREES)
    ]
    yield "upright_lines", np.log2(counts[np.abs(at) < UPRIGHT_DEGREES].sum() + 1e-3)
    yield "slanted_lines", np.log2(max(slanted) + 1e-3)


# ---- light and colour


def tones(rgb: Rgb, grey: Plane) -> Family:
    """The darkest and lightest places, haze, clipped channels, and tones that are missing."""
    cv, num = opencv(), grey.size
    counts = cv.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    for percent in (1, 5, 50, 95, 99):
        level = np.searchsorted(np.cumsum(counts), percent / 100 * num)
        yield f"luma_p{percent:02d}", level / 255
    # He, Sun & Tang, Single image haze removal using dark channel prior (2009)
    dark = cv.erode(np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2]), np.ones((9, 9), np.uint8))
    dark = dark[::3, ::3]
    yield "dark_channel_low", np.quantile(dark, 0.1) / 255
    yield "dark_channel", np.median(dark) / 255
    yield "clipped_channels", (rgb >= 254).mean()
    counts = cv.calcHist([rgb], [1], None, [256], [0, 256]).ravel() / num
    near, wide = (np.convolve(counts, np.ones(width) / width, "same") for width in (3, 31))
    yield "missing_tones", np.abs(near - wide).sum()


def colours(rgb: Rgb) -> Family:
    """In CIELAB: how much colour there is, and where lights, shadows and the least coloured places lie."""
    cv = opencv()
    small = cv.resize(rgb, (96, 72), interpolation=cv.INTER_AREA).astype(np.float32) / 255
    lab = cv.cvtColor(small, cv.COLOR_RGB2Lab).reshape(-1, 3)
    chroma, light = np.hypot(lab[:, 1], lab[:, 2]), lab[:, 0]
    for percent in (5, 25, 50, 90):
        yield f"chroma_p{percent:02d}", np.percentile(chroma, percent)
    places = {
        "all": light >= 0,
        "lights": light >= np.percentile(light, 95),
        "shadows": light <= np.percentile(light, 10),
        "greys": chroma <= np.percentile(chroma, 15),
    }
    for name, place in places.items():
        red_green, yellow_blue = lab[place, 1:].mean(axis=0)
        yield f"{name}_red_green", red_green
        yield f"{name}_yellow_blue", yellow_blue
