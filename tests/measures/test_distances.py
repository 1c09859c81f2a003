from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from photogenic.measures.distances import cmmd, diversity, frechet_distance


def draws(seed: int, num: int, dim: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (num, dim)).astype(np.float32)


def test_frechet_distance_is_the_textbook_formula() -> None:
    a, b = draws(0, 400, 12), draws(1, 300, 12, shift=0.5, scale=1.7) @ draws(2, 12, 12)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    cov_a, cov_b = np.cov(a.T.astype(float)), np.cov(b.T.astype(float))
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b))


def test_frechet_distance_of_scaled_axes_has_a_closed_form() -> None:
    """|shift|^2 + sum (s - t)^2 for diagonal covariances, reached exactly by moving one white sample."""
    a = draws(3, 500, 6).astype(np.float64)
    a = (a - a.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(a.T))).T  # exactly white
    scales, shift = np.array([1, 2, 3, 0.5, 0, 1.0]), np.array([0, 1, 0, 2, 0, 0.0])
    expected = np.sum(shift**2) + np.sum((scales - 1) ** 2)
    assert frechet_distance(a, a * scales + shift) == pytest.approx(expected)


def test_equal_sets_are_at_distance_zero_even_when_small() -> None:
    few = draws(4, 5, 64)  # fewer pictures than dimensions: singular covariances
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert cmmd(few, few) == pytest.approx(0, abs=1e-9)


def test_cmmd_is_the_mean_of_kernels() -> None:
    a, b = draws(5, 40, 8), draws(6, 30, 8, shift=1.0)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([[np.exp(-np.sum((p - q) ** 2.0) / 200) for q in y] for p in x]))

    expected = 1000 * (kernel(a, a) + kernel(b, b) - 2 * kernel(a, b))
    assert cmmd(a, b) == pytest.approx(expected, rel=1e-4)


def test_cmmd_of_two_points_has_a_closed_form() -> None:
    a, b = np.zeros((2, 3)), np.tile([0.0, 3.0, 4.0], (2, 1))
    assert cmmd(a, b) == pytest.approx(1000 * (2 - 2 * np.exp(-25 / 200)))


def test_cmmd_in_chunks_is_the_same() -> None:
    a, b = draws(7, 2500, 4), draws(8, 50, 4, shift=0.3)
    whole = np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / 200).mean()
    expected = 1000 * (cmmd_self(a) + cmmd_self(b) - 2 * whole)
    assert cmmd(a, b) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def cmmd_self(a: np.ndarray) -> float:
    lengths = (a.astype(float) ** 2).sum(axis=1)
    return float(np.exp(-(lengths[:, None] + lengths - 2 * a.astype(float) @ a.T) / 200).mean())


def test_both_distances_grow_with_the_shift() -> None:
    a = draws(9, 300, 16)
    for measure in (frechet_distance, cmmd):
        values = [measure(a, draws(10, 300, 16, shift=s)) for s in (0.0, 0.5, 1.0, 2.0)]
        assert values == sorted(values) and values[0] < 0.1 * values[-1]


def test_diversity_of_known_sets() -> None:
    assert diversity(np.ones((5, 3))) == pytest.approx(0)
    assert diversity(np.eye(4)) == pytest.approx(1)
    assert diversity(np.array([[1.0, 0], [-2.0, 0]])) == pytest.approx(2)
    vectors = draws(11, 50, 7)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[np.triu_indices(50, 1)]
    assert diversity(vectors) == pytest.approx(1 - cosines.mean(), abs=1e-6)


def test_sets_that_cannot_be_compared_are_refused() -> None:
    for a, b in (
        (draws(0, 5, 3), draws(0, 5, 4)),
        (draws(0, 1, 3), draws(0, 5, 3)),
        (np.ones(3), np.ones(3)),
    ):
        for measure in (frechet_distance, cmmd):
            with pytest.raises(ValueError):
                measure(a, b)
    with pytest.raises(ValueError):
        diversity(np.ones((1, 4)))
