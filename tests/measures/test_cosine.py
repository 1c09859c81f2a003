from __future__ import annotations

import numpy as np
import pytest

from photogenic.measures.cosine import BLOCK_ROWS, cosine_groups


def clustered(num: int, dim: int, seed: int = 0) -> np.ndarray:
    """Vectors in a narrow cone with a falling spectrum, as CLIP's are, some of them close to one another."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(num, dim)) / np.arange(1, dim + 1) ** 0.5 + 0.2
    twins = generator.integers(0, num, num // 4)
    vectors[: len(twins)] = vectors[twins] + generator.normal(size=(len(twins), dim)) * 0.03
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors: np.ndarray, min_cosine: float) -> np.ndarray:
    from scipy.sparse.csgraph import connected_components

    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    _, component = connected_components(exact @ exact.T >= min_cosine, directed=False)
    first = {label: row for row, label in reversed(list(enumerate(component)))}
    return np.array([first[label] for label in component])


@pytest.mark.parametrize("min_cosine", [0.6, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("dim", [16, 200])
def test_no_pair_is_missed(min_cosine: float, dim: int) -> None:
    vectors = clustered(700, dim)
    groups = cosine_groups(vectors, min_cosine)
    if min_cosine < 1:
        np.testing.assert_array_equal(groups, brute_force(vectors, min_cosine))
        assert len(np.unique(groups)) < 700


def test_pairs_across_blocks_are_found() -> None:
    vectors = clustered(BLOCK_ROWS + 300, 32, seed=3)
    vectors[-1] = vectors[0]
    np.testing.assert_array_equal(cosine_groups(vectors, 0.99), brute_force(vectors, 0.99))


def test_bounds_and_nothing_at_all() -> None:
    assert cosine_groups(np.empty((0, 8), np.float32), 0.9).size == 0
    with pytest.raises(ValueError, match="above 0"):
        cosine_groups(clustered(8, 4), 0.0)
