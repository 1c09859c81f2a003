"""How far two sets of pictures lie apart, and how varied one is, from their embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.floating]
Matrix = NDArray[np.float64]

CMMD_SIGMA, CMMD_SCALE = 10.0, 1000.0  # Jayasumana et al. (2024)
CHUNK_ROWS = 2048


def frechet_distance(a: Embeddings, b: Embeddings) -> float:
    """|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2) of [N, D] and [M, D]; 0 for equal sets.

    Dowson & Landau (1982); FID (Heusel et al., 2017) when the embeddings are Inception's, which
    ours are not: compare only values of one embedding. Biased upwards for small sets: use equal N, well
    above D.
    """
    first, second = _checked(a, b)
    shift = first.mean(axis=0) - second.mean(axis=0)
    x, y = _centred(first), _centred(second)
    # tr (C_a C_b)^1/2 is the nuclear norm of x y^T: no square root of a nearly singular matrix is needed.
    _, small_x = np.linalg.qr(x)
    _, small_y = np.linalg.qr(y)
    overlap = np.linalg.svd(small_x @ small_y.T, compute_uv=False).sum()
    distance = shift @ shift + np.square(x).sum() + np.square(y).sum() - 2 * overlap
    return max(0.0, float(distance))


def cmmd(a: Embeddings, b: Embeddings) -> float:
    """1000 x the squared maximum mean discrepancy of [N, D] and [M, D] under exp(-|x - y|^2 / (2 sigma^2)).

    S. Jayasumana et al., Rethinking FID: towards a better evaluation metric for image generation (2024),
    with sigma = 10, on unit vectors of CLIP; as in their code, the diagonals are kept. Unlike FID
    it assumes no normal distribution and is nearly the same for few pictures.
    """
    first, second = _checked(a, b)
    own = _mean_kernel(first, first) + _mean_kernel(second, second)
    return CMMD_SCALE * (own - 2 * _mean_kernel(first, second))


def diversity(embeddings: Embeddings) -> float:
    """Mean cosine distance (1 - cosine) over all pairs of [N, D]: 0 for equal pictures, 1 for unrelated."""
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise ValueError(f"diversity needs [N, D] with N >= 2, not {list(embeddings.shape)}")
    vectors = embeddings.astype(np.float64)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    total = unit.sum(axis=0)
    num = len(unit)
    sum_of_cosines = total @ total - np.square(unit).sum()  # over ordered pairs of different pictures
    return float(1 - sum_of_cosines / (num * (num - 1)))


def _checked(a: Embeddings, b: Embeddings) -> tuple[Matrix, Matrix]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"two sets [N, D] and [M, D] of at least 2 are needed, not {a.shape} and {b.shape}")
    return a.astype(np.float64), b.astype(np.float64)


def _centred(vectors: Matrix) -> Matrix:
    """X with X^T X = the sample covariance."""
    return np.asarray((vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors) - 1))


def _mean_kernel(a: Matrix, b: Matrix) -> float:
    """The mean of the Gaussian kernel over all pairs, a block of rows at a time."""
    total = 0.0
    lengths = np.square(b).sum(axis=1)
    for start in range(0, len(a), CHUNK_ROWS):
        rows = a[start : start + CHUNK_ROWS]
        squared = np.square(rows).sum(axis=1)[:, None] + lengths - 2 * rows @ b.T
        total += float(np.exp(-np.maximum(squared, 0) / (2 * CMMD_SIGMA**2)).sum())
    return total / (len(a) * len(b))
