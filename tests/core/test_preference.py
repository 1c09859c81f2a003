from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from photogenic.core.preference import Strengths, bradley_terry, estimable

Floats = NDArray[np.float64]


def simulated(
    strengths: Floats, nu: float, num_each: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Each pair of models `num_each` times, answered as Davidson's model says."""
    pairs = np.repeat(np.array(list(combinations(range(len(strengths)), 2))), num_each, axis=0)
    gap = strengths[pairs[:, 0]] - strengths[pairs[:, 1]]
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), nu)])
    edges = np.cumsum(weights / weights.sum(0), axis=0)
    drawn = rng.random(len(gap))
    return pairs[:, 0], pairs[:, 1], np.where(drawn < edges[0], 1, np.where(drawn < edges[1], -1, 0))


def fitted(*comparisons: tuple[int, int, int], num_models: int) -> Strengths:
    first, second, outcomes = zip(*comparisons, strict=True)
    strengths = bradley_terry(first, second, outcomes, num_models=num_models)
    assert strengths is not None
    return strengths


def test_two_models_have_a_closed_form() -> None:
    # 30 wins, 20 ties, 10 losses: the model is saturated, so every share is met exactly.
    strengths = fitted(*[(0, 1, 1)] * 30, *[(0, 1, 0)] * 20, *[(0, 1, -1)] * 10, num_models=2)
    assert np.diff(-strengths.log_strengths) == pytest.approx(np.log(3))
    assert strengths.tie_propensity == pytest.approx(20 / np.sqrt(30 * 10))
    low, high = strengths.difference(0, 1)
    assert (high - low) / 2 == pytest.approx(1.959964 * np.sqrt(1 / 30 + 1 / 10), rel=1e-6)


def test_without_ties_it_is_bradley_and_terry() -> None:
    # The odds of a saturated cycle-free triple: 0 beats 1 at 2:1, 1 beats 2 at 3:1.
    strengths = fitted(
        *[(0, 1, 1)] * 20, *[(0, 1, -1)] * 10, *[(1, 2, 1)] * 30, *[(2, 1, 1)] * 10, num_models=3
    )
    assert strengths.tie_propensity == 0
    assert np.diff(-strengths.log_strengths) == pytest.approx(np.log([2, 3]))
    assert strengths.log_strengths.sum() == pytest.approx(0)


def test_the_maximum_is_the_one_a_general_optimizer_finds() -> None:
    rng = np.random.default_rng(3)
    first, second, outcomes = simulated(np.array([0.9, 0.2, -0.1, -1.0]), 0.6, 40, rng)

    def loss(parameters: Floats) -> float:
        theta, log_nu = parameters[:4], parameters[4]
        a, b = theta[first], theta[second]
        utilities = np.stack([b, (a + b) / 2 + log_nu, a])  # in the order of the outcomes -1, 0, 1
        picked = utilities[outcomes + 1, np.arange(len(outcomes))]
        return float(np.sum(logsumexp(utilities, axis=0) - picked)) + float(theta.sum() ** 2)

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-6})
    ours = bradley_terry(first, second, outcomes, num_models=4)
    assert ours is not None
    np.testing.assert_allclose(ours.log_strengths, best.x[:4], atol=1e-4)
    assert np.log(ours.tie_propensity) == pytest.approx(best.x[4], abs=1e-4)
    # The curvature by finite differences, with the direction of all ones held by the penalty.
    step = 1e-3
    unit = np.eye(5) * step
    hessian = np.array(
        [
            [
                (loss(best.x + a + b) - loss(best.x + a - b) - loss(best.x - a + b) + loss(best.x - a - b))
                / (4 * step**2)
                for b in unit
            ]
            for a in unit
        ]
    )
    gap = np.array([1, -1, 0, 0, 0])
    variance = gap @ np.linalg.inv(hessian) @ gap
    low, high = ours.difference(0, 1)
    assert ((high - low) / 2 / 1.959964) ** 2 == pytest.approx(variance, rel=1e-3)


def test_finite_strengths_exist_or_do_not() -> None:
    def asked(*comparisons: tuple[int, int, int], num_models: int = 2) -> bool:
        return (
            bradley_terry(*(list(row) for row in zip(*comparisons, strict=True)), num_models=num_models)
            is not None
        )

    assert asked((0, 1, 1), (0, 1, -1))
    assert not asked((0, 1, 1), (0, 1, 1))  # never lost
    assert not asked((0, 1, 1), (0, 1, 0))  # never lost, and ties do not help
    assert not asked((0, 1, 0), (0, 1, 0))  # only ties
    assert not asked((0, 1, 1), (0, 1, -1), (2, 3, 1), (2, 3, -1), num_models=4)  # never met
    assert not asked((0, 1, 1), (0, 1, -1), num_models=3)  # one nobody has seen
    assert asked((0, 1, 1), (1, 2, 1), (2, 0, 1), num_models=3)  # a circle
    # The third only tied, yet its strength is held from both sides.
    assert asked((0, 1, 1), (1, 0, 1), (0, 2, 0), (1, 2, 0), num_models=3)


def test_estimable_agrees_with_a_likelihood_that_runs_away() -> None:
    rng = np.random.default_rng(0)
    answers = set()
    for _ in range(30):
        wins = rng.integers(0, 2, (3, 3)) * (1 - np.eye(3))
        upper = np.triu(rng.integers(0, 2, (3, 3)), 1)
        ties = (upper + upper.T).astype(float)
        met = np.linalg.matrix_power(wins + wins.T + ties + np.eye(3), 2) > 0
        if not (ties.any() and wins.any() and met.all()):
            continue  # the penalty would hold a model that nobody has seen
        assert estimable(wins, ties) == stays_finite(wins, ties)
        answers.add(estimable(wins, ties))
    assert answers == {True, False}


def stays_finite(wins: Floats, ties: Floats) -> bool:
    """Whether a penalty that is made 100 times weaker leaves the maximum where it was."""

    def loss(parameters: Floats, penalty: float) -> float:
        theta, log_nu = parameters[:3], parameters[3]
        total = penalty * float(parameters @ parameters)
        for i, j in product(range(3), range(3)):
            utilities = np.array([theta[i], theta[j], (theta[i] + theta[j]) / 2 + log_nu])
            log_chances = utilities - logsumexp(utilities)
            total -= wins[i, j] * log_chances[0] + ties[i, j] / 2 * log_chances[2]
        return total

    ends = [minimize(loss, np.zeros(4), args=(penalty,)).x for penalty in (1e-3, 1e-5)]
    return bool(np.abs(ends[1] - ends[0]).max() < 1)


def test_order_of_sides_and_models_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    first, second, outcomes = simulated(np.array([0.5, 0.0, -0.5]), 0.5, 60, rng)
    one = bradley_terry(first, second, outcomes, num_models=3)
    other = bradley_terry(2 - second, 2 - first, -outcomes, num_models=3)
    assert one is not None and other is not None
    np.testing.assert_allclose(one.log_strengths, other.log_strengths[::-1], atol=1e-7)


def test_every_comparison_its_own_cluster_is_close_to_the_information() -> None:
    rng = np.random.default_rng(6)
    first, second, outcomes = simulated(np.array([0.4, 0.0, -0.4]), 0.7, 1000, rng)
    plain = bradley_terry(first, second, outcomes, num_models=3)
    sandwich = bradley_terry(first, second, outcomes, num_models=3, clusters=range(len(outcomes)))
    assert plain is not None and sandwich is not None
    np.testing.assert_allclose(sandwich.covariance, plain.covariance, rtol=0.1)


def test_copies_of_a_prompt_do_not_make_it_surer() -> None:
    rng = np.random.default_rng(7)
    first, second, outcomes = simulated(np.array([0.4, 0.0, -0.4]), 0.7, 100, rng)
    prompts = list(range(300))
    once = bradley_terry(first, second, outcomes, num_models=3, clusters=prompts)
    tripled = bradley_terry(
        np.tile(first, 3), np.tile(second, 3), np.tile(outcomes, 3), num_models=3, clusters=prompts * 3
    )
    assert once is not None and tripled is not None
    np.testing.assert_allclose(tripled.covariance, once.covariance, rtol=1e-6)


def test_rank_ranges() -> None:
    rng = np.random.default_rng(8)
    clear = bradley_terry(*simulated(np.array([-2.0, 2.0, 0.0]), 0.5, 300, rng), num_models=3)
    assert clear is not None
    assert clear.rank_ranges() == [(3, 3), (1, 1), (2, 2)]
    equal = bradley_terry(*simulated(np.zeros(3), 0.5, 30, rng), num_models=3)
    assert equal is not None
    assert equal.rank_ranges() == [(1, 3)] * 3


def test_known_raters_are_recovered() -> None:
    """Over 2,000 simulations: the 95 % intervals hold the truth in 93 to 97 %, the ranks in 94 % or more."""
    rng = np.random.default_rng(9)
    truth = np.array([0.4, 0.1, -0.5])
    held, ranked = np.zeros(3), 0
    for _ in range(2000):
        strengths = bradley_terry(*simulated(truth, 0.8, 60, rng), num_models=3)
        assert strengths is not None
        held += [
            low <= theta <= high for (low, high), theta in zip(strengths.intervals(), truth, strict=True)
        ]
        ranked += all(
            best <= rank <= worst
            for rank, (best, worst) in zip((1, 2, 3), strengths.rank_ranges(), strict=True)
        )
    assert np.all((held / 2000 > 0.93) & (held / 2000 < 0.97)), held / 2000
    assert ranked / 2000 > 0.94


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": [0], "second": [0], "outcomes": [1]},
        {"first": [0], "second": [2], "outcomes": [1]},
        {"first": [0], "second": [1], "outcomes": [2]},
        {"first": [0, 1], "second": [1], "outcomes": [1]},
    ],
)
def test_what_is_no_comparison(wrong: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError):
        bradley_terry(**wrong, num_models=2)
