"""How well an order finds what was chosen: area under the curve with its interval, precision at k."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from photogenic.core.statistics import Interval, wilson_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Auc:
    """The chance that a chosen one has a higher score than one that was not; ties count half."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Found:
    """How many of the first k were chosen."""

    k: int
    hits: int
    expected: float  # of an order drawn at random
    interval: Interval  # of hits / k (Wilson)

    @property
    def precision(self) -> float:
        return self.hits / self.k


def auc(scores: ArrayLike, chosen: ArrayLike, confidence: float = 0.95) -> Auc:
    """Area under the receiver operating characteristic, with DeLong's interval.

    Raises:
        ValueError: nothing was chosen, or all was; or a score is not finite.
    """
    of_chosen, of_others = _placements(scores, chosen)
    return _estimate(of_chosen, of_others, confidence, 0.0, 1.0)


def auc_difference(a: ArrayLike, b: ArrayLike, chosen: ArrayLike, confidence: float = 0.95) -> Auc:
    """auc(a) - auc(b) on the same pictures, which the interval makes use of (DeLong).

    Raises:
        ValueError: as `auc`.
    """
    (a_chosen, a_others), (b_chosen, b_others) = _placements(a, chosen), _placements(b, chosen)
    return _estimate(a_chosen - b_chosen, a_others - b_others, confidence, -1.0, 1.0)


def found_at(scores: ArrayLike, chosen: ArrayLike, k: int, confidence: float = 0.95) -> Found:
    """Of the k highest scores (equal ones in their given order), how many were chosen.

    Raises:
        ValueError: there are fewer than k, or k is not positive.
    """
    values, flags = _checked(scores, chosen)
    if not 0 < k <= len(values):
        raise ValueError(f"the first {k} of {len(values)}")
    hits = int(flags[np.argsort(-values, kind="stable")[:k]].sum())
    return Found(k, hits, k * float(flags.mean()), wilson_interval(hits, k, confidence))


def _estimate(of_chosen: Floats, of_others: Floats, confidence: float, lowest: float, highest: float) -> Auc:
    """Mean placement; its variance is that of both groups' placements (DeLong et al. 1988, Biometrics 44)."""
    value = float(of_chosen.mean())
    if min(len(of_chosen), len(of_others)) < 2:
        return Auc(value, Interval(lowest, highest))
    variance = of_chosen.var(ddof=1) / len(of_chosen) + of_others.var(ddof=1) / len(of_others)
    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    return Auc(value, Interval(max(lowest, value - half), min(highest, value + half)))


def _placements(scores: ArrayLike, chosen: ArrayLike) -> tuple[Floats, Floats]:
    """Of each chosen one the share of others below it; of each other the share of chosen ones above it.

    By midranks, as Sun & Xu (2014, IEEE Signal Processing Letters 21) do.
    """
    values, flags = _checked(scores, chosen)
    num_chosen, num_others = int(flags.sum()), int((~flags).sum())
    if not num_chosen or not num_others:
        raise ValueError("an area needs some that were chosen and some that were not")
    everywhere, of_chosen, of_others = rankdata(values), values[flags], values[~flags]
    below = (everywhere[flags] - rankdata(of_chosen)) / num_others
    above = 1.0 - (everywhere[~flags] - rankdata(of_others)) / num_chosen
    return below, above


def _checked(scores: ArrayLike, chosen: ArrayLike) -> tuple[Floats, Bools]:
    values, flags = np.asarray(scores, np.float64), np.asarray(chosen, np.bool_)
    if values.ndim != 1 or values.shape != flags.shape or not np.all(np.isfinite(values)):
        raise ValueError("a ranking needs a finite score for each")
    return values, flags
