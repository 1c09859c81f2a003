"""Where to look closely: sharpness is seen where the detail is, noise where there is none.

A small view says where that is, so that of a large picture two quarters are looked at, not all of it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX
from photogenic.measures.sharpness import MAX_NOISE_LUMA, MIN_NOISE_LUMA
from photogenic.measures.vision import Rgb, opencv

Grey = NDArray[np.uint8]

STEPS = 8  # a window is STEPS / 2 steps wide and high, and may begin at any step


def closeups(rgb: Rgb, luma: Grey) -> tuple[Grey, Grey]:
    """The quarter of [H, W, 3] with most detail, and the calmest one, both grey [H / 2, W / 2].

    `luma` is the small view of the same picture. A clipped place is no place to look for noise: it counts as
    busy. A picture of at most the canonical size is taken as a whole.
    """
    if max(rgb.shape[:2]) <= CANONICAL_LONG_SIDE_PX or min(luma.shape) < STEPS:
        whole = _grey(rgb)
        return whole, whole
    cv = opencv()
    dx, dy = cv.spatialGradient(luma)
    busy = cv.convertScaleAbs(np.abs(dx) + np.abs(dy), alpha=1 / 8)
    clipped = cv.bitwise_not(cv.inRange(luma, MIN_NOISE_LUMA, MAX_NOISE_LUMA))  # there 255, elsewhere 0
    detail, calm = _windows(busy).argmax(), _windows(cv.max(busy, clipped)).argmin()
    return _closeup(rgb, int(detail)), _closeup(rgb, int(calm))


def _windows(busy: Grey) -> NDArray[np.int32]:
    """The sum over each window that begins at one of 5 x 5 places. [5, 5]"""
    sums = opencv().integral(busy)
    rows, columns = (_steps(side - 1) for side in sums.shape)
    corners = sums[rows][:, columns]
    half = STEPS // 2
    right, left = corners[:, half:], corners[:, :-half]
    return np.asarray((right[half:] - right[:-half]) - (left[half:] - left[:-half]))


@lru_cache(maxsize=1024)
def _steps(side: int) -> NDArray[np.int64]:
    """Where the STEPS of a side begin and end. [STEPS + 1]"""
    return np.asarray(np.arange(STEPS + 1) * side // STEPS, np.int64)


def _closeup(rgb: Rgb, number: int) -> Grey:
    (height, width), places = rgb.shape[:2], STEPS // 2 + 1
    top, left = number // places * height // STEPS, number % places * width // STEPS
    return _grey(rgb[top : top + height // 2, left : left + width // 2])


def _grey(rgb: Rgb) -> Grey:
    return np.asarray(opencv().cvtColor(rgb, opencv().COLOR_RGB2GRAY))
