"""Statistics against closed forms, scipy and worked examples from the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from photogenic.core.statistics import (
    Tally,
    bootstrap_interval,
    holm,
    jackknife_interval,
    majority,
    paired_bootstrap_interval,
    sign_test,
    tally,
    wilson_interval,
)


@pytest.mark.parametrize(("wins", "n"), [(0, 10), (1, 10), (5, 10), (81, 263), (10, 10), (1200, 1600)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_interval_equals_scipy(wins: int, n: int, confidence: float) -> None:
    expected = stats.binomtest(wins, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(wins, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_interval_of_newcombe_1998() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_interval_without_data_knows_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "n"), [(-1, 4), (5, 4)])
def test_wilson_interval_refuses_impossible_counts(wins: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        wilson_interval(wins, n)


@given(st.integers(0, 400), st.integers(0, 400))
def test_sign_test_equals_scipy(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_sign_test_closed_forms() -> None:
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(3, 3) == 1.0


def test_holm_worked_example() -> None:
    # 4 x .005, then 3 x .01 -> .03, 2 x .03 = .06, and .04 is lifted to its predecessor's .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_rule_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    expected: list[tuple[int, float]] = []
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        step = min(1.0, (len(p_values) - rank) * p_values[index])
        expected.append((int(index), max([step, *(value for _, value in expected)])))
    assert adjusted == pytest.approx([value for _, value in sorted(expected)])


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])


def test_tally_counts_signs_and_leaves_nan_out() -> None:
    counted = tally([0.5, 0.0, -1.0, 2.0, math.nan])
    assert counted == Tally(wins=2, ties=1, losses=1)
    assert counted.net_win == pytest.approx(0.25)
    assert counted.win_rate_without_ties == pytest.approx(2 / 3)
    assert counted.win_rate_with_half_ties == pytest.approx(0.625)
    assert counted.p_value == pytest.approx(stats.binomtest(2, 3).pvalue)
    assert counted.interval() == wilson_interval(2, 3)


def test_a_tally_of_nothing_has_no_rate() -> None:
    empty = tally([])
    assert math.isnan(empty.net_win)
    assert math.isnan(empty.win_rate_without_ties)
    assert math.isnan(empty.win_rate_with_half_ties)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        (["left", "left", "right"], "left"),
        (["left", "right", "tie"], "tie"),
        (["left", "left", "right", "right", "tie"], "tie"),
        ([], "tie"),
    ],
)
def test_majority_is_more_than_half(votes: list[str], expected: str) -> None:
    assert majority(votes) == expected


def test_bootstrap_interval_approaches_the_normal_one() -> None:
    values = np.random.default_rng(3).normal(10, 2, 2000)
    low, high = bootstrap_interval(values, seed=1, num_resamples=4000)
    half = 1.959964 * values.std() / math.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.006)


def test_bootstrap_interval_equals_scipy_percentile() -> None:
    values = np.random.default_rng(5).exponential(1.0, 300)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=8000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert bootstrap_interval(values, num_resamples=8000) == pytest.approx(
        (expected.low, expected.high), abs=0.006
    )


def test_bootstrap_interval_is_a_function_of_its_seed() -> None:
    values = np.arange(50.0)
    assert bootstrap_interval(values, seed=7) == bootstrap_interval(values, seed=7)
    assert bootstrap_interval(values, seed=7) != bootstrap_interval(values, seed=8)


def test_repeating_every_value_within_its_cluster_does_not_narrow_the_interval() -> None:
    values = np.random.default_rng(11).normal(size=80)
    alone = bootstrap_interval(values, seed=2)
    repeated = bootstrap_interval(np.repeat(values, 5), np.repeat(np.arange(80), 5).tolist(), seed=2)
    assert repeated == pytest.approx(alone)
    low, high = bootstrap_interval(np.repeat(values, 5), seed=2)
    assert high - low < 0.6 * (alone.high - alone.low)  # forgetting the clusters would claim too much


def test_clustered_bootstrap_covers_the_truth() -> None:
    rng = np.random.default_rng(13)
    clusters = np.repeat(np.arange(40), 4).tolist()
    hits = 0
    for trial in range(300):
        values = np.repeat(rng.normal(0, 1, 40), 4) + rng.normal(0, 0.5, 160)
        low, high = bootstrap_interval(values, clusters, seed=trial, num_resamples=600)
        hits += low <= 0 <= high
    assert 0.90 <= hits / 300 <= 0.98


def test_one_cluster_says_nothing_of_the_spread() -> None:
    assert bootstrap_interval([1.0, 2.0, 3.0], ["a", "a", "a"]) == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[1.0, math.nan], [math.inf], [[1.0]]])
def test_bootstrap_refuses_what_is_not_a_list_of_numbers(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        bootstrap_interval(values)


def test_paired_bootstrap_sees_a_shift_that_unpaired_intervals_cannot() -> None:
    rng = np.random.default_rng(17)
    base = rng.normal(0, 10, 200)
    tuned = base + rng.normal(0.5, 1, 200)
    low, high = paired_bootstrap_interval(tuned, base, seed=0)
    assert 0 < low < np.mean(tuned - base) < high
    assert bootstrap_interval(tuned).low < bootstrap_interval(base).high


def test_paired_bootstrap_needs_pairs() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        paired_bootstrap_interval([1.0, 2.0], [1.0])


def test_jackknife_of_the_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(19).normal(3, 2, 30)
    left_out = (values.sum() - values) / 29
    expected = stats.t.interval(0.9, 29, values.mean(), stats.sem(values))
    assert jackknife_interval(values.mean(), left_out, confidence=0.9) == pytest.approx(expected)


def test_jackknife_covers_a_nonlinear_statistic() -> None:
    rng = np.random.default_rng(23)
    hits = 0
    for _ in range(400):
        groups = rng.normal(2, 1, (20, 10))
        left_out = [np.delete(groups, j, axis=0).mean() ** 2 for j in range(20)]
        low, high = jackknife_interval(groups.mean() ** 2, left_out)
        hits += low <= 4 <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_jackknife_of_one_group_knows_nothing() -> None:
    assert jackknife_interval(1.0, [1.0]) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="finite"):
        jackknife_interval(math.nan, [1.0, 2.0])
