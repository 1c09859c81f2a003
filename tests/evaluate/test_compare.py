from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from photogenic.core.statistics import Tally, bootstrap_interval, wilson_interval
from photogenic.evaluate.compare import (
    Settings,
    adjust,
    compare,
    mean_estimate,
    net_estimate,
    per_prompt,
    set_estimate,
    share_estimate,
)

SETTINGS = Settings(confidence=0.95, num_resamples=1000, seed=3)
PROMPTS = [f"prompt-{i // 4}" for i in range(160)]  # 40 prompts, 4 pictures each


def test_a_mean_is_resampled_by_prompt() -> None:
    values = np.repeat(np.random.default_rng(0).normal(5, 1, 40), 4)
    estimate = mean_estimate(values, PROMPTS, SETTINGS)
    expected = bootstrap_interval(values, PROMPTS, seed=3, num_resamples=1000)
    assert (estimate.mean, estimate.low, estimate.high) == pytest.approx((values.mean(), *expected))
    alone = mean_estimate(values, [str(i) for i in range(160)], SETTINGS)
    assert alone.high - alone.low < 0.7 * (estimate.high - estimate.low)


def test_unknown_values_are_left_out() -> None:
    estimate = mean_estimate(np.array([1.0, math.nan, 3.0]), ["a", "b", "c"], SETTINGS)
    assert estimate.mean == 2.0
    assert math.isnan(mean_estimate(np.array([math.nan]), ["a"], SETTINGS).mean)


def test_a_share_without_exception_is_not_certain() -> None:
    some = np.arange(160) % 4 == 0
    mixed = share_estimate(some, PROMPTS, SETTINGS)
    assert (mixed.mean, mixed.low, mixed.high) == (0.25, 0.25, 0.25)  # every prompt has one of four
    for all_alike in (False, True):
        found = share_estimate(np.full(160, all_alike), PROMPTS, SETTINGS)
        expected = wilson_interval(40 * all_alike, 40)  # prompts are counted, not pictures
        assert (found.mean, found.low, found.high) == pytest.approx((float(all_alike), *expected))
    assert math.isnan(share_estimate(np.empty(0, np.bool_), [], SETTINGS).mean)


def test_a_net_win_without_exception_is_not_certain() -> None:
    unlike = wilson_interval(0, 40).high
    for result, low, high in ((1, 1 - 2 * unlike, 1), (-1, -1, 2 * unlike - 1), (0, -unlike, unlike)):
        found = net_estimate(np.full(160, float(result)), PROMPTS, SETTINGS)
        assert (found.mean, found.low, found.high) == pytest.approx((result, low, high))
    mixed = np.repeat(np.random.default_rng(0).integers(-1, 2, 40), 4).astype(np.float64)
    assert net_estimate(mixed, PROMPTS, SETTINGS) == mean_estimate(mixed, PROMPTS, SETTINGS)
    assert math.isinf(net_estimate(np.ones(1), ["a"], SETTINGS).high)


def test_a_real_difference_is_found_and_counted_by_prompt() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(0, 10, 160)
    model = base + np.repeat(rng.normal(0.5, 0.4, 40), 4)
    compared = compare(model, base, PROMPTS, SETTINGS)
    assert compared.difference.low > 0
    assert compared.difference.mean == pytest.approx(np.mean(model - base))
    assert compared.num_pairs == 160
    assert compared.prompts.n == 40  # not 160: four pictures of one prompt are one voice
    wins = int(np.sum((model - base).reshape(40, 4).mean(1) > 0))
    assert compared.p_value == pytest.approx(stats.binomtest(wins, 40).pvalue)


def test_no_difference_is_all_ties() -> None:
    compared = compare(np.ones(160), np.ones(160), PROMPTS, SETTINGS)
    assert compared.prompts == Tally(wins=0, ties=40, losses=0)
    assert compared.p_value == 1.0
    assert (compared.difference.low, compared.difference.high) == (0.0, 0.0)


def test_a_pair_without_a_value_is_no_pair() -> None:
    compared = compare(
        np.array([2.0, math.nan, 5.0]), np.array([1.0, 1.0, math.nan]), ["a", "b", "c"], SETTINGS
    )
    assert compared.num_pairs == 1
    assert compared.prompts.n == 1
    assert compare(np.array([math.nan]), np.array([1.0]), ["a"], SETTINGS).num_pairs == 0


def test_looking_at_several_measures_costs() -> None:
    model = np.repeat(np.where(np.arange(40) < 29, 1.0, -1.0), 4)
    compared = compare(model, np.zeros(160), PROMPTS, SETTINGS)
    first, second = adjust([compared, compare(np.zeros(160), np.zeros(160), PROMPTS, SETTINGS)])
    assert first.p_value == compared.p_value
    assert first.p_value_holm == pytest.approx(2 * compared.p_value)
    assert second.p_value_holm == 1.0


def test_per_prompt_keeps_the_order_of_appearance() -> None:
    assert per_prompt(np.array([1.0, 5.0, 3.0]), ["b", "a", "b"]).tolist() == [2.0, 5.0]


def test_a_statistic_of_the_set_leaves_whole_prompts_out() -> None:
    values = np.repeat(np.random.default_rng(5).normal(0, 1, 40), 4)
    seen: list[set[str]] = []

    def mean(rows: np.ndarray) -> float:
        seen.append({PROMPTS[row] for row in rows})
        assert len(rows) == 4 * len(seen[-1])
        return float(values[rows].mean())

    estimate = set_estimate(mean, PROMPTS, SETTINGS)
    assert estimate.mean == pytest.approx(values.mean())
    half = (estimate.high - estimate.low) / 2
    expected = stats.t.ppf(0.975, 19) * values.reshape(20, -1).mean(1).std(ddof=1) / math.sqrt(20)
    assert half == pytest.approx(expected, rel=0.5)
    assert {len(prompts) for prompts in seen[1:]} == {38}


def test_two_prompts_are_too_few_for_an_interval() -> None:
    estimate = set_estimate(lambda rows: float(len(rows)), ["a", "a", "b"], SETTINGS)
    assert (estimate.mean, estimate.low, estimate.high) == (3.0, -math.inf, math.inf)
