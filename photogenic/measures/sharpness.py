"""Sharpness and noise of a grey picture at its canonical size, in the fewest bits that hold them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]

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
MASK_GAIN = 8  # so that the means of blocks, which are whole numbers, keep three more bits
IMMERKAER = math.sqrt(math.pi / 2) / 6  # from the mean size of the mask's answer to the standard deviation


def noise_score(grey: Grey) -> float:
    """Standard deviation of the noise in luma levels (0-255), from [H, W].

    J. Immerkaer, Fast Noise Variance Estimation (1996), in blocks, of which the quietest count, so
    that texture is not taken for noise. 0 for drawings with flat colours.
    """
    if min(grey.shape) < NOISE_BLOCK_PX:
        return 0.0
    luma = _block_means(grey)
    usable = _masked_means(grey)[(luma >= MIN_NOISE_LUMA) & (luma <= MAX_NOISE_LUMA)]
    return _deviation(usable) if usable.size else 0.0


def _masked_means(grey: Grey) -> NDArray[np.uint16]:
    """How strongly each block of 16 px answers to Immerkaer's mask N, [H // 16, W // 16], MASK_GAIN-fold.

    The mask is the second derivative in x of the second derivative in y: blind to plain edges.
    """
    cv = opencv()
    masked = cv.Sobel(grey, cv.CV_16S, 2, 2, ksize=3, scale=MASK_GAIN)
    return _block_means(np.abs(masked, out=masked).view(np.uint16))


def _block_means(plane: NDArray[Any]) -> NDArray[Any]:
    cv = opencv()
    height, width = plane.shape[0] // NOISE_BLOCK_PX, plane.shape[1] // NOISE_BLOCK_PX
    whole = plane[: height * NOISE_BLOCK_PX, : width * NOISE_BLOCK_PX]
    return np.asarray(cv.resize(whole, (width, height), interpolation=cv.INTER_AREA))


def _deviation(masked_means: NDArray[np.uint16]) -> float:
    """The noise of the quietest blocks, in luma levels."""
    return IMMERKAER * ranked(masked_means.ravel(), NOISE_RANK) / MASK_GAIN


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
    cv, (height, width) = opencv(), grey.shape
    slopes = np.empty((2, height, width), np.int16)  # horizontal and vertical, SOBEL_GAIN-fold
    cv.spatialGradient(grey, slopes[0], slopes[1])
    floor = max(MIN_GRADIENT, NOISE_GRADIENTS * _quietest(noisy))
    places = _summits(slopes, floor * SOBEL_GAIN / COARSE)
    weakened = np.empty((2, height, width), np.float32)
    taps = _reblur_taps()
    reblurred = cv.sepFilter2D(grey, cv.CV_32F, taps, taps)
    cv.Sobel(reblurred, cv.CV_32F, 1, 0, weakened[0])
    cv.Sobel(reblurred, cv.CV_32F, 0, 1, weakened[1])
    ratios = np.abs(slopes.take(places)) / np.maximum(np.abs(weakened.take(places)), np.float32(0.01))
    first_vertical = places.searchsorted(height * width)
    kinds = (ratios[:first_vertical], ratios[first_vertical:])
    return min((_edge_sharpness(kind) for kind in kinds if kind.size >= MIN_EDGE_PIXELS), default=0.0)


def _quietest(grey: Grey) -> float:
    """The noise of [H, W] as far as edges have to stand out from it, clipped blocks and all."""
    return _deviation(_masked_means(grey)) if min(grey.shape) >= NOISE_BLOCK_PX else 0.0


@lru_cache(maxsize=1)
def _reblur_taps() -> Values:
    cv = opencv()
    return np.asarray(cv.getGaussianKernel(REBLUR_TAPS, REBLUR_SIGMA_PX, cv.CV_32F))


def _summits(slopes: NDArray[np.int16], floor: float) -> NDArray[np.int64]:
    """Where edges are steepest, those of either direction: indices into [2, H, W] flattened, ascending."""
    cv, (_, height, width) = opencv(), slopes.shape
    coarse = cv.convertScaleAbs(slopes.reshape(2 * height, width), alpha=1 / COARSE).reshape(slopes.shape)
    either = cv.max(coarse[0], coarse[1])
    is_summit = np.empty(slopes.shape, np.bool_)
    for gradient, found in zip(coarse, is_summit, strict=True):
        strongest = ranked(gradient[::6, ::6].flatten(), 0.995)
        least = min(255, math.ceil(max(floor, STRONG_SHARE * strongest)))
        highest_around = cv.max(cv.max(cv.dilate(gradient, None), either), least)
        np.greater_equal(gradient, highest_around, out=found)
    if min(height, width) > 8 * MARGIN_PX:  # at the rim the blur met its own mirror image
        is_summit[:, :MARGIN_PX] = is_summit[:, -MARGIN_PX:] = False
        is_summit[:, :, :MARGIN_PX] = is_summit[:, :, -MARGIN_PX:] = False
    return np.asarray(is_summit.ravel().nonzero()[0], np.int64)


def _edge_sharpness(ratios: NDArray[np.floating[Any]]) -> float:
    """The sharpest tenth's 1 / sigma, from edges' gradients before over those after the second blur, [N]."""
    ratio = max(1.0, ranked(ratios, EDGE_RANK))
    return math.sqrt(ratio * ratio - 1) / REBLUR_SIGMA_PX
