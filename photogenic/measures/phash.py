"""A perceptual hash: pictures that look alike have hashes that differ in few bits."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.scales import small_view
from photogenic.measures.vision import Rgb, opencv

HASH_VIEW_PX = 32
HASH_BITS = (40, 12, 12)  # of luma and the two chromas: colour tells drawings of one outline apart
HASH_FREQUENCIES = 9  # in zigzag order the first 41 end at the 9th; higher ones are not computed
HASH_FLAT = 1e-3  # luma levels: a smaller amplitude is rounding, in a picture without structure


def phash(rgb: Rgb) -> int:
    """64-bit DCT perceptual hash of [H, W, 3], as an unsigned integer.

    As C. Zauner's (Implementation and benchmarking of perceptual image hash functions, 2010):
    the lowest frequencies of a 32 x 32 view against their median. Unlike it, frequencies go in zigzag order
    without the mean, and 24 of the bits are chroma's. A blank picture hashes to 0.
    """
    cv = opencv()
    view = cv.resize(small_view(rgb), (HASH_VIEW_PX, HASH_VIEW_PX), interpolation=cv.INTER_AREA)
    planes = cv.cvtColor(view, cv.COLOR_RGB2YCrCb).transpose(2, 0, 1).astype(np.float32, "C")
    basis = _dct_basis()
    amplitudes = (basis @ planes @ basis.T).reshape(3, -1).tolist()
    bits = 0
    for plane, lowest_of in zip(amplitudes, _lowest(), strict=True):
        lowest = lowest_of(plane)
        least = _median(lowest) + HASH_FLAT
        for amplitude in lowest:
            bits = bits << 1 | (amplitude > least)
    return bits


def _median(values: tuple[float, ...]) -> float:
    """Of an even number of values; of so few NumPy's takes much longer, as it does over the bits."""
    ordered, middle = sorted(values), len(values) // 2
    return (ordered[middle - 1] + ordered[middle]) / 2


@lru_cache(maxsize=1)
def _dct_basis() -> NDArray[np.float32]:
    """[9, 32]: the cosines of DCT-II, scaled so that a coefficient is an amplitude in levels."""
    frequency, position = np.mgrid[:HASH_FREQUENCIES, :HASH_VIEW_PX]
    cosines = np.cos(np.pi * frequency * (2 * position + 1) / (2 * HASH_VIEW_PX))
    return np.asarray(cosines * np.where(frequency == 0, 1, 2) / HASH_VIEW_PX, np.float32)


@lru_cache(maxsize=1)
def _lowest() -> tuple[itemgetter[int], ...]:
    """For each plane what picks its lowest frequencies but the mean, in zigzag order, of [81]."""
    frequency = np.arange(HASH_FREQUENCIES)
    order = np.argsort((frequency[:, None] + frequency[None]).ravel(), kind="stable")[1:].tolist()
    return tuple(itemgetter(*order[:num_bits]) for num_bits in HASH_BITS)
