"""Sharpness and noise of a grey picture at its canonical size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

Grey = NDArray[np.uint8]

REBLUR_SIGMA_PX = 1.5  # sigma_0 of Zhuo & Sim: of the order of the blur that is just visible
EDGE_PERCENTILE = 90  # the sharpest tenth: a blurred background behind a sharp subject is no fault
MIN_GRADIENT = 4.0  # luma levels per pixel; weaker edges drown in JPEG artefacts
NOISE_GRADIENTS = 3.0  # an edge stands out this many times the noise
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
    cv = opencv()
    picture = grey.astype(np.float32)
    across, down = _gradients(picture)
    across_again, down_again = _gradients(cv.GaussianBlur(picture, (0, 0), REBLUR_SIGMA_PX))
    floor = max(MIN_GRADIENT, NOISE_GRADIENTS * noise)
    scores = [
        score
        for first, second, other in ((across, across_again, down), (down, down_again, across))
        if (score := _edge_sharpness(first, second, other, floor)) is not None
    ]
    return min(scores, default=0.0)


def _gradients(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """|d/dx| and |d/dy| in levels per pixel (Sobel)."""
    cv = opencv()
    return (
        np.abs(cv.Sobel(picture, cv.CV_32F, 1, 0, scale=1 / 8)),
        np.abs(cv.Sobel(picture, cv.CV_32F, 0, 1, scale=1 / 8)),
    )


def _edge_sharpness(
    gradient: NDArray[np.float32], reblurred: NDArray[np.float32], other: NDArray[np.float32], floor: float
) -> float | None:
    """The sharpest tenth's 1/sigma over the strong edges of one direction; None when there are too few."""
    cv = opencv()
    strong = max(floor, 0.3 * float(np.percentile(gradient[::2, ::2], 99.5)))
    ridge = (gradient >= strong) & (gradient >= other) & (gradient >= cv.dilate(gradient, None))
    before, after = gradient[ridge], reblurred[ridge]
    if before.size < MIN_EDGE_PIXELS:
        return None
    ratio = np.maximum(before / np.maximum(after, 1e-3), 1.0)
    return float(np.percentile(np.sqrt(ratio**2 - 1) / REBLUR_SIGMA_PX, EDGE_PERCENTILE))
