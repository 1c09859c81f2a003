"""Where to look closely: sharpness is seen where the detail is, noise where there is none.

A small view says where that is, so that of a large picture two parts are looked at, not all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX
from photogenic.measures.sharpness import MAX_NOISE_LUMA, MIN_NOISE_LUMA
from photogenic.measures.vision import Rgb, opencv

Grey = NDArray[np.uint8]

STEPS = 8  # a window may begin at any of these parts of a side
WINDOW_STEPS = 3  # and is so many of them wide and high: a seventh of the picture
PLACES = STEPS - WINDOW_STEPS + 1


def detail_closeup(rgb: Rgb, luma: Grey) -> Grey:
    """The part of [H, W, 3] with most detail, grey [3/8 H, 3/8 W].

    `luma` is the small view of the same picture. A picture of at most the canonical size is taken as a whole.
    """
    if _is_whole(rgb, luma):
        return _grey(rgb)
    return _closeup(rgb, int(_windows(_busy(luma)).argmax()))


def calm_closeup(rgb: Rgb, luma: Grey) -> Grey:
    """As `detail_closeup`, the calmest part. A clipped place counts as busy: no noise is seen there."""
    if _is_whole(rgb, luma):
        return _grey(rgb)
    cv = opencv()
    clipped = cv.bitwise_not(cv.inRange(luma, MIN_NOISE_LUMA, MAX_NOISE_LUMA))  # there 255, elsewhere 0
    return _closeup(rgb, int(_windows(cv.max(_busy(luma), clipped)).argmin()))


def _is_whole(rgb: Rgb, luma: Grey) -> bool:
    return bool(max(rgb.shape[:2]) <= CANONICAL_LONG_SIDE_PX or min(luma.shape) < STEPS)


def _busy(luma: Grey) -> Grey:
    """By how much the luma varies among each pixel's neighbours. [h, w]"""
    return np.asarray(opencv().morphologyEx(luma, opencv().MORPH_GRADIENT, None))


def _windows(busy: Grey) -> NDArray[np.int32]:
    """The sum over each window that begins at one of 6 x 6 places, in means of a step by a step. [6, 6]"""
    cv = opencv()
    corners = cv.integral(cv.resize(busy, (STEPS, STEPS), interpolation=cv.INTER_AREA))
    by_row = corners[WINDOW_STEPS:] - corners[:-WINDOW_STEPS]
    return np.asarray(by_row[:, WINDOW_STEPS:] - by_row[:, :-WINDOW_STEPS])


def _closeup(rgb: Rgb, number: int) -> Grey:
    height, width = rgb.shape[:2]
    top, left = number // PLACES * height // STEPS, number % PLACES * width // STEPS
    return _grey(rgb[top : top + height * WINDOW_STEPS // STEPS, left : left + width * WINDOW_STEPS // STEPS])


def _grey(rgb: Rgb) -> Grey:
    return np.asarray(opencv().cvtColor(rgb, opencv().COLOR_RGB2GRAY))
