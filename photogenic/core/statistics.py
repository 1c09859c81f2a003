"""Intervals, tests and bootstrap: one place for review and evaluate. Agreement of raters is in `agreement`.

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


def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} cannot be {count}")
