"""Where to look closely: sharpness is seen where the detail is, noise where there is none.

A small view says where that is, so that of a large picture two quarters are looked at, not all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX
from photogenic.measures.sharpness import MAX_NOISE_LUMA, MIN_NOISE_LUMA
from photogenic.measures.vision import Rgb, opencv

Grey = NDArray[np.uint8]

STEPS = 8  # a window is STEPS / 2 steps wide and high, and may begin at any step
CLIPPED_GRADIENT = 255  # a clipped place is no place to look for noise: it counts as busy


def closeups(rgb: Rgb, luma: Grey) -> tuple[Grey, Grey]:
    """The quarter of [H, W, 3] with most detail, and the calmest one, both grey [H / 2, W / 2].

    `luma` is the small view of the same picture. A picture of at most the canonical size is taken as a whole.
    """
    if max(rgb.shape[:2]) <= CANONICAL_LONG_SIDE_PX or min(luma.shape) < STEPS:
        whole = _grey(rgb)
        return whole, whole
    dx, dy = opencv().spatialGradient(luma)
    busy = opencv().convertScaleAbs(np.abs(dx) + np.abs(dy), alpha=1 / 8)
    detail = _windows(busy).argmax()
    busy[(luma < MIN_NOISE_LUMA) | (luma > MAX_NOISE_LUMA)] = CLIPPED_GRADIENT
    return _closeup(rgb, int(detail)), _closeup(rgb, int(_windows(busy).argmin()))


def _windows(busy: Grey) -> NDArray[np.int32]:
    """The sum over each window that begins at one of 5 x 5 places. [5, 5]"""
    sums = opencv().integral(busy)
    rows, columns = (np.arange(STEPS + 1) * (side - 1) // STEPS for side in sums.shape)
    corners = sums[np.ix_(rows, columns)]
    half = STEPS // 2
    right, left = corners[:, half:], corners[:, :-half]
    return np.asarray((right[half:] - right[:-half]) - (left[half:] - left[:-half]))


def _closeup(rgb: Rgb, number: int) -> Grey:
    (height, width), places = rgb.shape[:2], STEPS // 2 + 1
    top, left = number // places * height // STEPS, number % places * width // STEPS
    return _grey(rgb[top : top + height // 2, left : left + width // 2])


def _grey(rgb: Rgb) -> Grey:
    return np.asarray(opencv().cvtColor(rgb, opencv().COLOR_RGB2GRAY))
