"""Rankings against counting by hand and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from photogenic.core.ranking import auc, auc_difference, found_at

RNG = np.random.default_rng(0)
CHOSEN = RNG.random(80) < 0.3
SCORES = RNG.normal(size=80) + CHOSEN


def test_it_is_the_share_of_pairs_in_the_right_order() -> None:
    scores, chosen = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])
    # pairs: 3>1, 3>2, 2>1, 2=2
    assert auc(scores, chosen).value == pytest.approx(3.5 / 4)
    assert auc(-scores, chosen).value == pytest.approx(0.5 / 4)


def test_as_scipy_has_it() -> None:
    scores = SCORES.round(1)  # with ties
    expected = mannwhitneyu(scores[CHOSEN], scores[~CHOSEN]).statistic / (CHOSEN.sum() * (~CHOSEN).sum())
    assert auc(scores, CHOSEN).value == pytest.approx(expected)


def test_delongs_variance_by_its_definition() -> None:
    found = auc(SCORES, CHOSEN)
    wins = (SCORES[CHOSEN][:, None] > SCORES[~CHOSEN][None, :]).astype(float)
    variance = wins.mean(1).var(ddof=1) / wins.shape[0] + wins.mean(0).var(ddof=1) / wins.shape[1]
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.959964 * np.sqrt(variance))


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Normal scores a standard deviation apart: the true area is Phi(1 / sqrt 2) = 0.7602."""
    covered = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        scores = np.concatenate([rng.normal(1.0, 1.0, 40), rng.normal(0.0, 1.0, 60)])
        low, high = auc(scores, np.arange(100) < 40).interval
        covered += low <= 0.760250 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_a_difference_to_itself_is_nothing_for_certain() -> None:
    same = auc_difference(SCORES, 2.0 * SCORES + 1.0, CHOSEN)  # the same order
    assert same.value == 0.0
    assert tuple(same.interval) == (0.0, 0.0)
    turned = auc_difference(SCORES, -SCORES, CHOSEN)
    assert turned.value == pytest.approx(2 * auc(SCORES, CHOSEN).value - 1)


def test_found_at_k() -> None:
    scores, chosen = np.array([5.0, 4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False, False])
    found = found_at(scores, chosen, 3)
    assert (found.hits, found.precision, found.expected) == (2, pytest.approx(2 / 3), pytest.approx(1.2))
    assert found.interval.low < 2 / 3 < found.interval.high


@pytest.mark.parametrize("chosen", [np.zeros(80, bool), np.ones(80, bool)])
def test_without_both_kinds_there_is_no_area(chosen: np.ndarray) -> None:
    with pytest.raises(ValueError, match="chosen"):
        auc(SCORES, chosen)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        auc([1.0, float("nan")], [True, False])
    with pytest.raises(ValueError, match="first 6 of 5"):
        found_at(np.arange(5), np.ones(5), 6)
