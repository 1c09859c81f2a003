"""Sharpness and noise of a grey picture at its canonical size, in the fewest bits that hold them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]
Sums = NDArray[np.int32]

REBLUR_SIGMA_PX = 1.5  # sigma_0 of Zhuo & Sim: of the order of the blur that is just visible
REBLUR_TAPS = 9
MARGIN_PX = REBLUR_TAPS // 2 + 1
EDGE_RANK = 0.9  # the sharpest tenth: a blurred background behind a sharp subject is no fault
MIN_GRADIENT = 4.0  # luma levels per pixel; weaker edges drown in JPEG artefacts
NOISE_GRADIENTS = 4.0  # an edge stands out this many times the noise
STRONG_SHARE = 0.3  # of the strongest gradients
MIN_EDGE_PIXELS = 8

SOBEL_GAIN = 8  # Sobel's answer to a slope of one level per pixel
COARSE = 4  # an eighth of a level, times 4: so the largest answer, 4 x 255, fits into a byte

NOISE_BLOCK_PX = 16
NOISE_RANK = 0.2  # the quietest fifth of the blocks has no texture
MIN_NOISE_LUMA, MAX_NOISE_LUMA = 10, 245  # clipped blocks hold no noise, whatever the camera did
IMMERKAER = math.sqrt(math.pi / 2) / 6  # from the mean size of the mask's answer to the standard deviation


def noise_score(grey: Grey) -> float:
    """Standard deviation of the noise in luma levels (0-255), from [H, W].

    J. Immerkaer, Fast Noise Variance Estimation (1996), in blocks, of which the quietest count, so
    that texture is not taken for noise. 0 for drawings with flat colours.
    """
    if min(grey.shape) < NOISE_BLOCK_PX:
        return 0.0
    luma = _block_sums(grey) / NOISE_BLOCK_PX**2
    usable = _masked_sums(grey)[(luma >= MIN_NOISE_LUMA) & (luma <= MAX_NOISE_LUMA)]
    return _deviation(usable) if usable.size else 0.0


def _masked_sums(grey: Grey) -> Sums:
    """How strongly each block of 16 px answers to Immerkaer's mask N, [H // 16, W // 16].

    The mask is the second derivative in x of the second derivative in y: blind to plain edges.
    """
    cv = opencv()
    return _block_sums(cv.convertScaleAbs(cv.Sobel(grey, cv.CV_16S, 2, 2, ksize=3)))


def _block_sums(plane: Grey) -> Sums:
    corners = opencv().integral(plane)[::NOISE_BLOCK_PX, ::NOISE_BLOCK_PX]
    by_row = corners[1:] - corners[:-1]
    return np.asarray(by_row[:, 1:] - by_row[:, :-1])


def _deviation(masked_sums: Sums) -> float:
    """The noise of the quietest blocks, in luma levels."""
    return IMMERKAER * ranked(masked_sums.ravel(), NOISE_RANK) / NOISE_BLOCK_PX**2


def ranked(values: NDArray[np.generic], rank: float) -> float:
    """The value that a share of `rank` (0-1) of [N] lies below: a quantile without interpolation.

    Changes the order of the values, for a copy would cost as much again.
    """
    position = int(rank * (values.size - 1))
    values.partition(position)
    return float(values[position])


def sharpness_score(grey: Grey, noisy: Grey) -> float:
    """1 / sigma of the edges' blur, in 1/px at the canonical size, from [H, W]; 0 when nothing has an edge.

    Blurring an edge of width sigma once more, by sigma_0, weakens its gradient by
    R = sqrt(sigma^2 + sigma_0^2) / sigma (Zhuo & Sim, Defocus map estimation from a single image, 2011),
    whatever its contrast: so neither a dull nor a busy picture is judged by anything but its edges.
    Of horizontal and vertical edges the blurrier kind counts, for motion blurs only one of them.
    As a guide: below 0.8 a blur is plain to see, above 1.6 edges are about as sharp as this size can hold.

    noisy: the same part of the picture, [H', W'], out of whose noise edges must stand.
    """
    if min(grey.shape) < 5:
        return 0.0
    cv = opencv()
    taps = _reblur_taps()
    reblurred = cv.sepFilter2D(grey, cv.CV_32F, taps, taps)
    slopes = cv.spatialGradient(grey)
    coarse = [cv.convertScaleAbs(slope, alpha=1 / COARSE) for slope in slopes]
    floor = max(MIN_GRADIENT, NOISE_GRADIENTS * _quietest(noisy)) * SOBEL_GAIN / COARSE
    scores = []
    for direction, slope in enumerate(slopes):
        places = _summits(coarse[direction], coarse[1 - direction], floor)
        if places.size >= MIN_EDGE_PIXELS:
            weakened = cv.Sobel(reblurred, cv.CV_32F, 1 - direction, direction)
            scores.append(_edge_sharpness(slope.take(places), weakened.take(places)))
    return min(scores, default=0.0)


def _quietest(grey: Grey) -> float:
    """The noise of [H, W] as far as edges have to stand out from it, clipped blocks and all."""
    return _deviation(_masked_sums(grey)) if min(grey.shape) >= NOISE_BLOCK_PX else 0.0


@lru_cache(maxsize=1)
def _reblur_taps() -> Values:
    cv = opencv()
    return np.asarray(cv.getGaussianKernel(REBLUR_TAPS, REBLUR_SIGMA_PX, cv.CV_32F))


def _summits(gradient: Grey, other: Grey, floor: float) -> NDArray[np.int64]:
    """Where edges of one direction are steepest: indices into [H, W] flattened."""
    cv = opencv()
    strongest = ranked(gradient[::6, ::6].flatten(), 0.995)
    least = min(255, math.ceil(max(floor, STRONG_SHARE * strongest)))
    highest_around = cv.max(cv.max(cv.dilate(gradient, None), other), least)
    is_summit = gradient >= highest_around
    if min(gradient.shape) > 8 * MARGIN_PX:  # at the rim the blur met its own mirror image
        is_summit[:MARGIN_PX] = is_summit[-MARGIN_PX:] = False
        is_summit[:, :MARGIN_PX] = is_summit[:, -MARGIN_PX:] = False
    return np.asarray(is_summit.ravel().nonzero()[0], np.int64)


def _edge_sharpness(slope: NDArray[np.int16], weakened: Values) -> float:
    """The sharpest tenth's 1 / sigma, from the gradients at edges before and after the second blur, [N]."""
    ratio = max(1.0, ranked(np.abs(slope) / np.maximum(np.abs(weakened), np.float32(0.01)), EDGE_RANK))
    return math.sqrt(ratio * ratio - 1) / REBLUR_SIGMA_PX
