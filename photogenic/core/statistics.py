"""Intervals, tests and agreement: one place for review and evaluate.

Everything is deterministic: a bootstrap draws from the seed it is given and from nothing else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, stdtrit

Floats = NDArray[np.float64]
# One row per unit, one entry per rater, None where none was given.
Ratings = Sequence[Sequence[Hashable | None]]

RESAMPLES_AT_ONCE = 256  # bounds the memory of a bootstrap to 256 x clusters


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


# --- Shares ---------------------------------------------------------------------------------------


def wilson_interval(wins: int, n: int, confidence: float = 0.95) -> Interval:
    """Interval of a binomial share, in 0..1.

    centre ± half with z the normal quantile and p = wins / n:
    (p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n).  Of n = 0 nothing is known: (0, 1).

    Source: Wilson (1927), JASA 22, 209-212.
    """
    _check_counts(wins=wins, losses=n - wins)
    if n == 0:
        return Interval(0.0, 1.0)
    z, share = _normal_quantile(confidence), wins / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(0.0 if wins == 0 else centre - half, 1.0 if wins == n else centre + half)


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided p-value of "a win is as likely as a loss"; ties are left out beforehand.

    p = min(1, 2 P(X <= min(wins, losses))) with X ~ Binomial(wins + losses, 1/2).  Without any pair p = 1.

    Source: Conover, Practical Nonparametric Statistics (3rd ed.), section 3.4.
    """
    _check_counts(wins=wins, losses=losses)
    n = wins + losses
    return 1.0 if n == 0 else min(1.0, 2.0 * float(bdtr(float(min(wins, losses)), n, 0.5)))


def holm(p_values: ArrayLike) -> Floats:
    """p-values adjusted for looking at several, in the given order.

    Sorted upwards, p'_(i) = max over j <= i of min(1, (m - j + 1) p_(j)): the family-wise error stays below
    alpha however the tests depend on each other.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p-values are a list of numbers between 0 and 1")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(stepped)
    return adjusted


# --- Wins, ties and losses ------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """How often one side won, tied and lost."""

    wins: int
    ties: int
    losses: int

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def net_win(self) -> float:
        """(wins - losses) / n, in -1..1; NaN without pairs."""
        return (self.wins - self.losses) / self.n if self.n else math.nan

    @property
    def win_rate_without_ties(self) -> float:
        """wins / (wins + losses); NaN when all tied."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else math.nan

    @property
    def win_rate_with_half_ties(self) -> float:
        """(wins + ties / 2) / n; NaN without pairs."""
        return (self.wins + self.ties / 2) / self.n if self.n else math.nan

    @property
    def p_value(self) -> float:
        """Exact two-sided sign test on the decided pairs."""
        return sign_test(self.wins, self.losses)

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson interval of the win rate without ties."""
        return wilson_interval(self.wins, self.wins + self.losses, confidence)


def tally(differences: ArrayLike) -> Tally:
    """Count the signs of `differences` (ours - theirs); exactly 0 is a tie, NaN counts for nobody."""
    values = np.asarray(differences, np.float64)
    return Tally(int(np.sum(values > 0)), int(np.sum(values == 0)), int(np.sum(values < 0)))


def majority(votes: Sequence[str], tie: str = "tie") -> str:
    """The answer that more than half of `votes` give; without one, `tie`."""
    if not votes:
        return tie
    answer, count = Counter(votes).most_common(1)[0]
    return answer if 2 * count > len(votes) else tie


# --- Bootstrap ------------------------------------------------------------------------------------


def bootstrap_interval(
    values: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """Percentile interval of the mean of `values`, resampling whole clusters.

    The pictures of one prompt stay together.  With C clusters, sums s_c and counts n_c: draw C clusters with
    replacement, mean* = sum s_c / sum n_c, and take the (1 ± confidence)/2 quantiles over `num_resamples`
    draws.  With fewer than two clusters nothing can be said of the spread: (-inf, inf).

    Args:
        values: [n] finite numbers.
        clusters: [n] labels; None makes each value its own cluster.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, section 13.3; Davison & Hinkley, 3.8.
    """
    sums, counts = _cluster_totals(values, clusters)
    if len(sums) < 2:
        return Interval(-math.inf, math.inf)
    rng = np.random.default_rng(seed)
    means = np.empty(num_resamples)
    shares = np.full(len(sums), 1 / len(sums))
    for begin in range(0, num_resamples, RESAMPLES_AT_ONCE):
        rows = min(RESAMPLES_AT_ONCE, num_resamples - begin)
        weights = rng.multinomial(len(sums), shares, size=rows)  # [rows, C]: how often each cluster was drawn
        means[begin : begin + rows] = (weights @ sums) / (weights @ counts)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def paired_bootstrap_interval(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """Percentile interval of mean(a - b) over pairs: a[i] and b[i] have the same prompt and seed."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"pairs need equal lengths, not {a.shape} and {b.shape}")
    return bootstrap_interval(a - b, clusters, seed=seed, confidence=confidence, num_resamples=num_resamples)


def jackknife_interval(estimate: float, left_out: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Interval of a smooth statistic of a whole set, such as a distance between two sets.

    With g estimates t_j, each leaving out one of g equal groups: se² = (g - 1)/g sum (t_j - mean t)², and
    estimate ± t_{g-1} se.  A bootstrap would repeat pictures, which such distances take for a narrower set;
    leaving out does not.  With g < 2: (-inf, inf).

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, section 11.5 and equation 11.5.
    """
    t = np.asarray(left_out, np.float64)
    if t.ndim != 1 or not np.all(np.isfinite(t)) or not math.isfinite(estimate):
        raise ValueError("a jackknife needs finite estimates")
    if len(t) < 2:
        return Interval(-math.inf, math.inf)
    error = math.sqrt((len(t) - 1) / len(t) * float(np.sum((t - t.mean()) ** 2)))
    half = float(stdtrit(len(t) - 1, (1 + confidence) / 2)) * error
    return Interval(estimate - half, estimate + half)


def _cluster_totals(values: ArrayLike, clusters: Sequence[Hashable] | None) -> tuple[Floats, Floats]:
    """Sum and count per cluster, clusters in order of first appearance: [C], [C]."""
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not np.all(np.isfinite(x)):
        raise ValueError("a bootstrap needs a list of finite numbers")
    if clusters is None:
        return x, np.ones(len(x))
    if len(clusters) != len(x):
        raise ValueError(f"{len(x)} values but {len(clusters)} cluster labels")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(label, len(numbers)) for label in clusters], np.int64)
    sums, counts = np.zeros(len(numbers)), np.zeros(len(numbers))
    np.add.at(sums, index, x)
    np.add.at(counts, index, 1.0)
    return sums, counts


# --- Agreement ------------------------------------------------------------------------------------


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


def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} cannot be {count}")
