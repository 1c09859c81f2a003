"""How many prompts a comparison needs before anyone is asked."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import bdtr, bdtrc, ndtri


def untied_prompts_needed(win_rate: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Prompts won or lost (ties aside) that a two-sided sign test needs to see `win_rate`.

    n = ((z_{1-alpha/2} / 2 + z_power sqrt(p (1 - p))) / (p - 1/2))², to the nearest prompt: an approximation
    by the normal distribution. `sign_test_power` tells what the exact test makes of it.

    Source: Fleiss, Levin & Paik, Statistical Methods for Rates and Proportions (3rd ed.), section 2.5.

    Raises:
        ValueError: a share outside (0, 1), or a win rate of 1/2, which no number of prompts would show.
    """
    for name, share in (("win rate", win_rate), ("power", power), ("alpha", alpha)):
        if not 0 < share < 1:
            raise ValueError(f"the {name} lies between 0 and 1, not at {share}")
    if win_rate == 0.5:
        raise ValueError("a win rate of 1/2 is no difference")
    spread = float(ndtri(1 - alpha / 2)) / 2 + float(ndtri(power)) * math.sqrt(win_rate * (1 - win_rate))
    return max(1, round((spread / (win_rate - 0.5)) ** 2))


def sign_test_power(num_untied: int, win_rate: float, *, alpha: float = 0.05) -> float:
    """Chance that the exact two-sided sign test of `num_untied` prompts has p <= alpha.

    With k the largest count whose 2 P(X <= k) <= alpha under Binomial(n, 1/2): P(X <= k) + P(X >= n - k)
    under Binomial(n, win_rate).
    """
    counts = np.arange(num_untied // 2 + 1, dtype=np.float64)
    rejected = 2 * bdtr(counts, num_untied, 0.5) <= alpha
    if not rejected.any():
        return 0.0
    k = int(np.flatnonzero(rejected)[-1])
    return float(bdtr(k, num_untied, win_rate) + bdtrc(num_untied - k - 1, num_untied, win_rate))


def majority_win_rate(win_rate: float, num_raters: int) -> float:
    """Share of prompts that a majority of `num_raters` (odd) wins when each rater alone does at `win_rate`.

    P(X > num_raters / 2), X ~ Binomial(num_raters, win_rate): five raters make 68 % of 60 %. It is a bound:
    where prompts differ, raters agree more than by chance, and the majority gains less.
    """
    if num_raters < 1 or num_raters % 2 == 0:
        raise ValueError(f"a majority without ties needs an odd number of raters, not {num_raters}")
    return float(bdtrc(num_raters // 2, num_raters, win_rate))
