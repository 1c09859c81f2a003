"""Sharpness and noise of a grey picture at its canonical size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]

REBLUR_SIGMA_PX = 1.5  # sigma_0 of Zhuo & Sim: of the order of the blur that is just visible
EDGE_PERCENTILE = 90  # the sharpest tenth: a blurred background behind a sharp subject is no fault
MIN_GRADIENT = 4.0  # luma levels per pixel; weaker edges drown in JPEG artefacts
NOISE_GRADIENTS = 3.0  # an edge stands out this many times the noise
STRONG_SHARE = 0.3  # of the strongest gradients
MIN_EDGE_PIXELS = 8

NOISE_BLOCK_PX = 16
NOISE_PERCENTILE = 20  # the quietest fifth of the blocks has no texture
MIN_NOISE_LUMA, MAX_NOISE_LUMA = 10, 245  # clipped blocks hold no noise, whatever the camera did


def noise_score(grey: Grey) -> float:
    """Standard deviation of the noise in luma levels (0-255), from [H, W].

    J. Immerkaer, Fast Noise Variance Estimation (1996), in blocks, of which the quietest count, so
    that texture is not taken for noise. 0 for drawings with flat colours.
    """
    if min(grey.shape) < NOISE_BLOCK_PX:
        return 0.0
    cv = opencv()
    # The second derivative in x of the second derivative in y: Immerkaer's mask N, blind to plain edges.
    response = cv.convertScaleAbs(cv.Sobel(grey, cv.CV_16S, 2, 2, ksize=3))
    blocks = (grey.shape[1] // NOISE_BLOCK_PX, grey.shape[0] // NOISE_BLOCK_PX)
    mean_response = cv.resize(response.astype(np.float32), blocks, interpolation=cv.INTER_AREA)
    luma = cv.resize(grey, blocks, interpolation=cv.INTER_AREA)
    usable = mean_response[(luma >= MIN_NOISE_LUMA) & (luma <= MAX_NOISE_LUMA)]
    if usable.size == 0:
        return 0.0
    return float(np.percentile(usable, NOISE_PERCENTILE) * np.sqrt(np.pi / 2) / 6)


def sharpness_score(grey: Grey, noise: float = 0.0) -> float:
    """1 / sigma of the edges' blur, in 1/px at the canonical size, from [H, W]; 0 when nothing has an edge.

    Blurring an edge of width sigma once more, by sigma_0, weakens its gradient by
    R = sqrt(sigma^2 + sigma_0^2) / sigma (Zhuo & Sim, Defocus map estimation from a single image, 2011),
    whatever its contrast: so neither a dull nor a busy picture is judged by anything but its edges.
    Of horizontal and vertical edges the blurrier kind counts, for motion blurs only one of them.
    As a guide: below 0.8 a blur is plain to see, above 1.6 edges are about as sharp as this size can hold.
    """
    if min(grey.shape) < 5:
        return 0.0
    picture = grey.astype(np.float32)
    reblurred = opencv().GaussianBlur(picture, (0, 0), REBLUR_SIGMA_PX)
    gradients, weakened = _gradients(picture), _gradients(reblurred)
    floor = max(MIN_GRADIENT, NOISE_GRADIENTS * noise)
    scores = [_edge_sharpness(gradients, weakened, direction, floor) for direction in (0, 1)]
    return min((score for score in scores if score is not None), default=0.0)


def _gradients(picture: Plane) -> tuple[Plane, Plane]:
    """|d/dx| and |d/dy| in levels per pixel (Sobel), each [H, W]."""
    cv = opencv()
    return (
        np.abs(cv.Sobel(picture, cv.CV_32F, 1, 0, scale=1 / 8)),
        np.abs(cv.Sobel(picture, cv.CV_32F, 0, 1, scale=1 / 8)),
    )


def _edge_sharpness(
    gradients: tuple[Plane, Plane], weakened: tuple[Plane, Plane], direction: int, floor: float
) -> float | None:
    """The sharpest tenth's 1/sigma over the strong edges of one direction; None when there are too few."""
    gradient = gradients[direction]
    strong = np.flatnonzero(gradient >= max(floor, STRONG_SHARE * _strongest(gradient)))
    before = gradient.ravel()[strong]
    summit = before >= opencv().dilate(gradient, None).ravel()[strong]
    summit &= before >= gradients[1 - direction].ravel()[strong]
    before, after = before[summit], weakened[direction].ravel()[strong[summit]]
    if before.size < MIN_EDGE_PIXELS:
        return None
    ratio = np.maximum(before / np.maximum(after, 1e-3), 1.0)
    return float(np.percentile(np.sqrt(ratio**2 - 1) / REBLUR_SIGMA_PX, EDGE_PERCENTILE))


def _strongest(gradient: Plane) -> float:
    """The 99.5th percentile, of every third pixel both ways."""
    sample = gradient[::3, ::3].ravel()
    rank = int(0.995 * (sample.size - 1))
    return float(np.partition(sample, rank)[rank])
