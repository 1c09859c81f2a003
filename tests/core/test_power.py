from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest

from photogenic.core.power import majority_win_rate, sign_test_power, untied_prompts_needed


@pytest.mark.parametrize(
    ("win_rate", "needed"), [(0.52, 4903), (0.55, 783), (0.60, 194), (0.65, 85), (0.70, 47)]
)
def test_prompts_needed_for_80_percent(win_rate: float, needed: int) -> None:
    assert untied_prompts_needed(win_rate) == needed
    assert untied_prompts_needed(1 - win_rate) == needed


def test_more_power_or_less_alpha_needs_more() -> None:
    assert untied_prompts_needed(0.6, power=0.9) > 194 < untied_prompts_needed(0.6, alpha=0.01)


@pytest.mark.parametrize(("n", "win_rate"), [(1, 0.9), (5, 0.9), (6, 0.9), (47, 0.7), (194, 0.6)])
def test_exact_power_is_the_sum_over_all_counts(n: int, win_rate: float) -> None:
    seen = [k for k in range(n + 1) if binomtest(k, n).pvalue <= 0.05]
    assert sign_test_power(n, win_rate) == pytest.approx(sum(binom.pmf(seen, n, win_rate)))


def test_a_true_half_is_rejected_no_more_often_than_alpha() -> None:
    assert max(sign_test_power(n, 0.5) for n in range(1, 300)) <= 0.05


@pytest.mark.parametrize(("alone", "together"), [(0.55, 0.59), (0.60, 0.68), (0.70, 0.84)])
def test_five_raters_amplify(alone: float, together: float) -> None:
    assert majority_win_rate(alone, 5) == pytest.approx(together, abs=0.005)
    assert majority_win_rate(alone, 1) == pytest.approx(alone)


@pytest.mark.parametrize("wrong", [{"win_rate": 0.5}, {"win_rate": 0.0}, {"win_rate": 1.2}])
def test_what_cannot_be_planned(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        untied_prompts_needed(**wrong)
    with pytest.raises(ValueError):
        majority_win_rate(0.6, 4)
