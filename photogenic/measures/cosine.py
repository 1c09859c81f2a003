"""Near-duplicates among embeddings: exact, in blocks, and most of the arithmetic left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.duplicates import Indices, joined

Vectors = NDArray[np.float32]  # [N, D] unit vectors

BLOCK_ROWS = 2048  # a block of cosines, 16 MB, stays in the cache
NUM_LEADING = 64  # directions of the cheap look
ROTATION_ROWS = 20_000  # from which the directions are found
ROUNDING = 1e-5  # of float32 products of unit vectors, generously


def cosine_groups(vectors: Vectors, min_cosine: float) -> Indices:
    """Groups of vectors connected by steps of cosine >= `min_cosine`: [N, D] -> [N] int64.

    A group's label is the index of its first member. No pair is missed: with x = (x1, x2) in a rotated space,
    x . y <= x1 . y1 + |x2| |y2| (Cauchy and Schwarz), so the leading directions, those of largest variance,
    rule most pairs out, and only the others are multiplied out. Memory: the vectors once more, and blocks.

    Raises:
        ValueError: `min_cosine` is not above 0, where everything would be one group.
    """
    if not 0 < min_cosine <= 1:
        raise ValueError(f"min_cosine must be above 0 and at most 1, not {min_cosine}")
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unit = np.ascontiguousarray(unit, np.float32)
    root = np.arange(len(unit), dtype=np.int64)
    for left, right in _close_pairs(unit, min_cosine):
        root = joined(root, left, right)
    return root


def _close_pairs(unit: Vectors, min_cosine: float) -> Iterator[tuple[Indices, Indices]]:
    """Pairs (i, j), i < j, whose cosine is at least `min_cosine`, block by block."""
    leading, rest = _split(unit)
    for start in range(0, len(unit), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        for other in range(start, len(unit), BLOCK_ROWS):
            columns = slice(other, other + BLOCK_ROWS)
            bounds = leading[rows] @ leading[columns].T
            bounds += np.multiply.outer(rest[rows], rest[columns])
            left, right = np.nonzero(bounds >= min_cosine - ROUNDING)
            left, right = left + start, right + other
            ordered = left < right
            left, right = left[ordered], right[ordered]
            near = _are_close(unit, left, right, min_cosine)
            yield left[near], right[near]


def _are_close(unit: Vectors, left: Indices, right: Indices, min_cosine: float) -> NDArray[np.bool_]:
    """Multiplied out, in float64. [P]"""
    near = np.zeros(len(left), dtype=bool)
    for start in range(0, len(left), 65_536):
        part = slice(start, start + 65_536)
        products = np.einsum("pd,pd->p", unit[left[part]], unit[right[part]], dtype=np.float64)
        near[part] = products >= min_cosine
    return near


def _split(unit: Vectors) -> tuple[Vectors, NDArray[np.float32]]:
    """Each vector's coordinates in the leading directions [N, L], and the length of its rest [N]."""
    num = min(NUM_LEADING, unit.shape[1])
    sample = unit[:: max(1, len(unit) // ROTATION_ROWS)].astype(np.float64)
    _, directions = np.linalg.eigh(sample.T @ sample)  # not centred: the bound needs a rotation about 0
    axes = directions[:, ::-1][:, :num].astype(np.float32)
    leading = np.ascontiguousarray(unit @ axes)
    rest = np.sqrt(np.maximum(0.0, 1.0 - np.square(leading.astype(np.float64)).sum(axis=1)))
    return leading, (rest + 1e-4).astype(np.float32)  # near 0 the root magnifies rounding
