"""The finest detail of a picture as it was decoded, and light that was laid over it. `finish.py` judges them.

What a filter smeared keeps its strong edges and loses the finest octave; what was pixelated has steps at even
distances; light that shines in lifts even the darkest parts, most in one place and ever less around it; where
one side was resized more than the other, what is seen across is softer than what is seen down, or harder.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.families import Family, gathered
from photogenic.measures.vision import Rgb, opencv

Plane = NDArray[np.float32]
Values = NDArray[np.float64]

PIECE_PX = 512  # the middle of a larger picture is enough
OCTAVES, BLOCK_PX = 4, 32  # of the finest octave
BUSY_SHARE = 0.3  # of the blocks
STEEP_SHARE = 0.05  # of the pixels
EVEN_FROM = 8  # waves across the piece: fewer are what the picture shows
CELLS = (16, 24)  # down, across
VEIL_SIGMA = 0.25  # of a side
NEAR_PX = 5  # an edge: a step that is over within so many pixels,
STEEPEST, STEP = 8, 20  # levels: the least that the steepest of them goes up or down, and all together
MIN_EDGES = 100  # fewer tell nothing
VEIL_PLACES = [(down, across) for down in (0.1, 0.2, 0.3, 0.4, 0.5) for across in (0.2, 0.35, 0.5, 0.65, 0.8)]

FINEST_COLUMNS = (
    "finest_01_low",
    "finest_01_middle",
    "finest_01_high",
    "finest_02_middle",
    "finest_12_middle",
    "finest_13_middle",
    "slope_kurtosis",
    "calm_beside_steep",
    "even_steps",
    "even_steps_least",
    "veil",
    "veil_outside",
    "veil_fit",
    "darkest_most",
    "axes_apart",
    "edges_apart",
)


def finest(rgb: Rgb) -> dict[str, float]:
    """All FINEST_COLUMNS of [H, W, 3], as decoded: its longer side below twice the canonical size."""
    height, width = rgb.shape[:2]
    top, left = max(0, (height - PIECE_PX) // 2), max(0, (width - PIECE_PX) // 2)
    piece = np.ascontiguousarray(rgb[top : top + PIECE_PX, left : left + PIECE_PX])
    grey = opencv().cvtColor(piece, opencv().COLOR_RGB2GRAY).astype(np.float32)
    return gathered(octaves(grey), steps(grey), veil(rgb), axes(grey))


def octaves(grey: Plane) -> Family:
    """How strong the octaves are against coarser ones, where there is most detail."""
    cv, blocks, coarser = opencv(), [], grey
    for octave in range(OCTAVES):
        finer, coarser = coarser, cv.pyrDown(coarser)
        band, side = finer - cv.pyrUp(coarser, dstsize=finer.shape[::-1]), BLOCK_PX >> octave
        across, down = band.shape[1] // side, band.shape[0] // side
        power = np.square(band[: down * side, : across * side])
        power = cv.resize(power, (across, down), interpolation=cv.INTER_AREA)
        blocks.append(np.sqrt(power) + 0.1)
    down, across = (min(block.shape[axis] for block in blocks) for axis in (0, 1))
    blocks = [block[:down, :across] for block in blocks]
    contrast = blocks[1] + blocks[2] + blocks[3]
    busy = contrast >= np.quantile(contrast, 1 - BUSY_SHARE)
    ratios = {(0, 1): (0.1, 0.5, 0.9), (0, 2): (0.5,), (1, 2): (0.5,), (1, 3): (0.5,)}
    for (fine, coarse), shares in ratios.items():
        values = np.quantile(np.log2(blocks[fine] / blocks[coarse])[busy], shares)
        names = ("low", "middle", "high") if len(shares) > 1 else ("middle",)
        for name, value in zip(names, values, strict=True):
            yield f"finest_{fine}{coarse}_{name}", value


def steps(grey: Plane) -> Family:
    """How rare and large the steps from pixel to pixel are, and whether they come at even distances."""
    cv, across, down = opencv(), np.diff(grey, axis=1), np.diff(grey, axis=0)
    powers = np.square(np.concatenate([across.ravel(), down.ravel()]))
    yield "slope_kurtosis", np.log2(np.square(powers).mean() / (powers.mean() ** 2 + 1e-6) + 1)
    slope = np.hypot(across[:-1], down[:, :-1])
    steep = slope > np.partition(slope.ravel(), limit := int((1 - STEEP_SHARE) * slope.size))[limit]
    beside = cv.dilate(steep.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    yield "calm_beside_steep", (beside & (slope < 1)).sum() / (beside.sum() + 1)
    peaks = [evenness(np.abs(across).mean(axis=0)), evenness(np.abs(down).mean(axis=1))]
    yield "even_steps", max(peaks)
    yield "even_steps_least", min(peaks)


def evenness(profile: Plane) -> float:
    """How far one wavelength stands out of the others in [N], in powers of two."""
    flat = profile - opencv().blur(profile[None], (31, 1))[0]
    waves = np.abs(np.fft.rfft(flat * np.hanning(len(flat))))[EVEN_FROM:]
    return float(np.log2(waves.max() / (np.median(waves) + 1e-3) + 1))


def veil(rgb: Rgb) -> Family:
    """How bright a soft spot of light fits under the darkest parts around it, wherever it fits best."""
    cv, (rows, columns) = opencv(), CELLS
    small = cv.resize(rgb, (4 * columns, 4 * rows), interpolation=cv.INTER_AREA).min(axis=2)
    dark = cv.erode(small, np.ones((3, 3), np.uint8))[1::4, 1::4].astype(np.float32)
    lights = [np.quantile(dark[near] / spot[near], 0.1) for spot, near in soft_spots()]
    best = soft_spots()[int(np.argmax(lights))][0]
    yield "veil", max(lights) / 255
    yield "veil_outside", np.median(dark[best < 0.2]) / 255
    yield "veil_fit", np.corrcoef(best.ravel(), dark.ravel())[0, 1] if dark.std() > 1 else 0
    yield "darkest_most", dark.max() / 255


def axes(grey: Plane) -> Family:
    """How much harder it is across than down: the finest octave against the next, and the edges."""
    turned = np.ascontiguousarray(grey.T)
    yield "axes_apart", fineness(grey) - fineness(turned)
    across, down = steepness(grey), steepness(turned)
    yield "edges_apart", across - down if across is not None and down is not None else 0.0


def fineness(grey: Plane) -> float:
    """The power of what bends from pixel to pixel along the rows of [H, W], over that of steps between pairs;
    in powers of two.
    """
    even = grey[:, : grey.shape[1] // 2 * 2]
    bends, pairs = np.diff(grey, 2, axis=1), np.diff((even[:, ::2] + even[:, 1::2]) / 2, axis=1)
    return float(np.log2(np.square(bends).mean() / (np.square(pairs).mean() + 0.01) + 0.001))


def steepness(grey: Plane) -> float | None:
    """The median share of an edge's step that its steepest pixel takes, along the rows of [H, W]; in powers
    of two, None where there are too few edges.
    """
    smooth = opencv().blur(grey, (1, 3))
    step = np.abs(smooth[:, NEAR_PX:] - smooth[:, :-NEAR_PX])
    slopes, side = np.abs(np.diff(smooth, axis=1)), NEAR_PX // 2
    before, steepest, after = (
        slopes[:, side - 1 : -side - 1],
        slopes[:, side:-side],
        slopes[:, side + 1 : 1 - side],
    )
    is_edge = (steepest >= before) & (steepest >= after) & (steepest > STEEPEST) & (step > STEP)
    shares = steepest[is_edge] / step[is_edge]
    return float(np.log2(np.median(shares))) if len(shares) >= MIN_EDGES else None


@cache
def soft_spots() -> list[tuple[Values, NDArray[np.bool_]]]:
    """Gaussians over CELLS, and where each is above a half."""
    down, across = np.mgrid[0 : 1 : CELLS[0] * 1j, 0 : 1 : CELLS[1] * 1j]
    spots = [np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * VEIL_SIGMA**2)) for y, x in VEIL_PLACES]
    return [(spot, spot > 0.5) for spot in spots]
