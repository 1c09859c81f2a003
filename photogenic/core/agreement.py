"""How far raters agree: percent agreement, Krippendorff's alpha, Gwet's AC1, all for nominal answers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ratings = Sequence[Sequence[Hashable | None]]  # a row per unit, an entry per rater, None where none was given


def percent_agreement(ratings: Ratings) -> float:
    """Share of agreeing pairs of raters, averaged over the units with two ratings or more, in 0..1.

    p_a = mean over i of sum_k r_ik (r_ik - 1) / (r_i (r_i - 1)), r_ik of unit i's r_i raters having said k.
    NaN when no unit has two ratings.

    Source: Gwet, Handbook of Inter-Rater Reliability (4th ed.), section 5.3.
    """
    counts = _counts(ratings)
    return _pair_agreement(counts) if np.any(counts.sum(1) >= 2) else math.nan


def krippendorff_alpha(ratings: Ratings) -> float:
    """Nominal alpha = 1 - D_o / D_e: 1 is perfect, 0 is chance; NaN when all ratings are the same.

    Over the units with two ratings or more, with n pairable ratings, n_k of them k:
    D_o = (1/n) sum_i sum_{k != l} r_ik r_il / (r_i - 1),   D_e = sum_{k != l} n_k n_l / (n (n - 1)).

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections C and D.
    """
    counts = _counts(ratings)
    counts = counts[counts.sum(1) >= 2]
    per_unit, per_category = counts.sum(1), counts.sum(0)
    n = counts.sum()
    expected = (n * n - np.sum(per_category**2)) / (n * (n - 1)) if n else 0.0
    if expected == 0:
        return math.nan
    observed = np.sum((per_unit**2 - np.sum(counts**2, axis=1)) / (per_unit - 1)) / n
    return float(1 - observed / expected)


def gwet_ac1(ratings: Ratings, categories: Sequence[Hashable] | None = None) -> float:
    """AC1 = (p_a - p_e) / (1 - p_e): does not collapse, as kappa does, when nearly all answers are the same.

    p_a as in `percent_agreement`;  p_e = 1/(K - 1) sum_k pi_k (1 - pi_k)  with  pi_k = mean over rated units
    of r_ik / r_i.

    Args:
        ratings: one row per unit, None where a rater gave none.
        categories: all K answers that could be given; None counts those that were. NaN when K < 2.

    Source: Gwet (2008), British Journal of Mathematical and Statistical Psychology 61, 29-48.
    """
    counts = _counts(ratings, categories)
    counts = counts[counts.sum(1) >= 1]
    num_categories = counts.shape[1]
    if num_categories < 2 or not np.any(counts.sum(1) >= 2):
        return math.nan
    share = np.mean(counts / counts.sum(1, keepdims=True), axis=0)
    chance = np.sum(share * (1 - share)) / (num_categories - 1)
    return float((_pair_agreement(counts) - chance) / (1 - chance))


def _pair_agreement(counts: Floats) -> float:
    counts = counts[counts.sum(1) >= 2]
    per_unit = counts.sum(1)
    return float(np.mean(np.sum(counts * (counts - 1), axis=1) / (per_unit * (per_unit - 1))))


def _counts(ratings: Ratings, categories: Sequence[Hashable] | None = None) -> Floats:
    """[units, categories]: how many raters put the unit there; categories in order of first appearance."""
    numbers: dict[Hashable, int] = {label: i for i, label in enumerate(categories or ())}
    for row in ratings:
        for label in row:
            if label is not None and label not in numbers:
                if categories is not None:
                    raise ValueError(f"rating {label!r} is none of the categories")
                numbers[label] = len(numbers)
    counts = np.zeros((len(ratings), len(numbers)))
    for i, row in enumerate(ratings):
        for label in row:
            if label is not None:
                counts[i, numbers[label]] += 1
    return counts
