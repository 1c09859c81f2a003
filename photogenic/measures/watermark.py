"""Marks that are laid over a picture again and again: tiled words, logos, lattices of lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.scales import reduced
from photogenic.measures.vision import Rgb, opencv

Plane = NDArray[np.float32]

VIEW_PX = 256
LOCAL_PX = 31  # edges count by how much they stand out around them, so that faint marks count as bold ones
FLAT_LEVELS = 4.0  # weaker answers of the Laplacian are noise and compression
MAX_DEVIATIONS = 2.0
NEAREST_PX = 16  # a mark repeats at this distance or further: nearer, every edge resembles itself
PEAK_PX = 9
MIN_SIDE_PX = 64


def watermark_score(rgb: Rgb) -> float:
    """How far the strongest repetition stands out, in standard deviations, from [H, W, 3]; 0 when too small.

    What is stamped on a picture many times is the same each time, what a camera sees hardly ever is. So the
    autocorrelation of the edges has a sharp peak at the distance between two marks (as in M. Kutter,
    Watermarking resisting to translation, rotation and scaling, 1998, for hidden ones). Photographs have
    4-12, repeated marks 15 and more. A single mark has no period: read those with OCR. Brick walls have one.
    """
    cv = opencv()
    grey = reduced(cv.cvtColor(rgb, cv.COLOR_RGB2GRAY), VIEW_PX)
    if min(grey.shape) < MIN_SIDE_PX:
        return 0.0
    edges = cv.Laplacian(grey, cv.CV_32F)
    spread = cv.sqrt(cv.blur(edges * edges, (LOCAL_PX, LOCAL_PX))) + FLAT_LEVELS
    agreement, usable = _autocorrelation(np.clip(edges / spread, -MAX_DEVIATIONS, MAX_DEVIATIONS))
    peaks = agreement - cv.blur(agreement, (PEAK_PX, PEAK_PX))
    deviation = float(peaks[usable].std())
    return float(peaks[usable].max()) / deviation if deviation > 0 else 0.0


def _autocorrelation(plane: Plane) -> tuple[Plane, NDArray[np.bool_]]:
    """Of [h, w] with all its shifts [256, 256], per overlapping pixel, and which shifts to look at."""
    cv = opencv()
    (height, width), size = plane.shape, max(VIEW_PX, *plane.shape)
    padded = np.zeros((size, size), np.float32)
    padded[:height, :width] = plane
    spectrum = cv.dft(padded)
    agreement = cv.idft(cv.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv.DFT_SCALE)
    distance = np.minimum(np.arange(size), size - np.arange(size))
    overlap = np.maximum(np.outer(1 - distance / height, 1 - distance / width), 0.25)
    usable = (overlap > 0.25) & (np.add.outer(distance**2, distance**2) > NEAREST_PX**2)
    return np.where(usable, agreement / overlap, 0).astype(np.float32), usable
