"""Strengths of several models from paired comparisons with ties: Davidson's extension of Bradley-Terry."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from photogenic.core.statistics import Interval

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
MAX_STEPS = 100  # Newton needs five to ten; more means that the estimate runs away
TOLERANCE = 1e-9  # of the score equations, per comparison


@dataclass(frozen=True)
class Strengths:
    """Fitted log-strengths, their mean 0, with their covariance.

    Model i is preferred to j, among the comparisons that do not tie, with the odds exp(theta_i - theta_j).
    """

    log_strengths: Floats  # [M] theta
    covariance: Floats  # [M, M] of theta
    tie_propensity: float  # nu >= 0; two equal models tie with probability nu / (2 + nu)

    def intervals(self, confidence: float = 0.95) -> list[Interval]:
        """Of each theta: how far a model stands from the mean of all."""
        half = _normal_quantile(confidence) * np.sqrt(np.diag(self.covariance))
        return [
            Interval(float(theta - reach), float(theta + reach))
            for theta, reach in zip(self.log_strengths, half, strict=True)
        ]

    def difference(self, model: int, against: int, confidence: float = 0.95) -> Interval:
        """Interval of theta_model - theta_against."""
        gap = self.log_strengths[model] - self.log_strengths[against]
        half = _normal_quantile(confidence) * self._gap_errors()[model, against]
        return Interval(float(gap - half), float(gap + half))

    def rank_ranges(self, confidence: float = 0.95) -> list[tuple[int, int]]:
        """The best and the worst rank each model may have, 1 being the strongest.

        A model is surely behind those whose difference from it excludes 0. The intervals of all differences
        hold together (Bonferroni over the M (M - 1) / 2 pairs), and so do the ranges.

        Source: Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic Studies 91, 476-518, section 3.
        """
        num_models = len(self.log_strengths)
        num_pairs = num_models * (num_models - 1) / 2
        reach = _normal_quantile(1 - (1 - confidence) / max(num_pairs, 1)) * self._gap_errors()
        gaps = self.log_strengths[:, None] - self.log_strengths[None, :]
        behind = np.sum(gaps < -reach, axis=1)  # [M] how many are surely better
        ahead = np.sum(gaps > reach, axis=1)
        return [
            (1 + int(worse), num_models - int(better)) for worse, better in zip(behind, ahead, strict=True)
        ]

    def _gap_errors(self) -> Floats:
        variances = np.diag(self.covariance)
        gaps = variances[:, None] + variances[None, :] - 2 * self.covariance
        return np.asarray(np.sqrt(np.maximum(gaps, 0.0)), np.float64)


def bradley_terry(
    first: ArrayLike,
    second: ArrayLike,
    outcomes: ArrayLike,
    *,
    num_models: int,
    clusters: Sequence[Hashable] | None = None,
) -> Strengths | None:
    """Maximum likelihood strengths; None when no finite ones exist (some model only ever won, say).

    With theta_i = log pi_i, of one comparison of i and j
        P(i) : P(j) : P(tie)  =  pi_i : pi_j : nu sqrt(pi_i pi_j),
    which is concave in (theta, log nu), so Newton's method finds the one maximum. Without ties nu = 0: the
    plain model of Bradley and Terry.

    The covariance is the inverse of the observed information. With `clusters` it is the sandwich
    A^-1 (C / (C - 1) sum_c s_c s_c') A^-1, s_c the scores summed over a cluster: comparisons of one prompt
    may depend on each other in any way.

    Args:
        first, second: [n] numbers of the two models, 0 <= number < num_models.
        outcomes: [n] 1 where the first is preferred, -1 the second, 0 a tie.
        clusters: [n] labels, such as prompts.

    Sources: Davidson (1970), JASA 65, 317-328, equation 2.1; Liang & Zeger (1986), Biometrika 73, 13-22.
    """
    i, j, y = _checked(first, second, outcomes, num_models)
    wins, ties = _counts(i, j, y, num_models)
    if not estimable(wins, ties):
        return None
    theta, log_nu = _maximum(wins, ties)
    inverse = np.linalg.inv(_information(wins, ties, theta, log_nu) + _along_ones(num_models, log_nu))
    inverse -= _along_ones(num_models, log_nu)
    if clusters is not None:
        scores = _cluster_scores(i, j, y, theta, log_nu, clusters)
        meat = scores.T @ scores * len(scores) / max(len(scores) - 1, 1)
        inverse = inverse @ meat @ inverse
    covariance = np.asarray(inverse[:num_models, :num_models], np.float64)
    return Strengths(theta, covariance, math.exp(log_nu))


def estimable(wins: Floats, ties: Floats) -> bool:
    """Whether finite maximum likelihood strengths exist.

    They do unless the parameters can move forever in a direction in which no observed answer becomes less
    likely (a linear programme). Models that all beat each other, directly or through others, are the plain
    case.

    Args:
        wins: [M, M] how often the row was preferred to the column.
        ties: [M, M] how often they tied; symmetric.

    Source: Albert & Anderson (1984), Biometrika 71, 1-10, theorems 1-3; Ford (1957) for the plain case.
    """
    if _strongly_connected(wins > 0):
        return True
    from scipy.optimize import linprog

    gains = _gains(wins, ties)
    if not len(gains):
        return False
    # With the first theta held at 0, every direction that is left must cost some observed answer.
    free = gains[:, 1:]
    best = linprog(-free.sum(0), A_ub=-free, b_ub=np.zeros(len(free)), bounds=(-1, 1))
    return bool(-best.fun < 1e-9) and int(np.linalg.matrix_rank(free)) == free.shape[1]


def _gains(wins: Floats, ties: Floats) -> Floats:
    """Rows [M (+ 1)]: how much an observed answer gains over another one, per unit of theta (and log nu)."""
    num_models, tied = len(wins), bool(ties.any())
    rows: list[Floats] = []

    def gain(better: int, worse: int, share: float, tie: float) -> None:
        row = np.zeros(num_models + tied)
        row[better], row[worse] = share, -share
        if tied:
            row[-1] = tie
        rows.append(row)

    for i, j in zip(*np.nonzero(wins), strict=True):
        gain(int(i), int(j), 1.0, 0.0)
        if tied:
            gain(int(i), int(j), 0.5, -1.0)
    for i, j in zip(*np.nonzero(ties), strict=True):
        gain(int(i), int(j), 0.5, 1.0)
    return np.array(rows).reshape(len(rows), num_models + tied)


def _strongly_connected(edges: NDArray[np.bool_]) -> bool:
    reach = edges | np.eye(len(edges), dtype=bool)
    for _ in range(max(len(edges).bit_length(), 1)):
        reach = reach @ reach
    return bool(reach.all())


# --- Likelihood ------------------------------------------------------------------------------------


def _maximum(wins: Floats, ties: Floats) -> tuple[Floats, float]:
    """theta, log nu at the maximum: Newton's method, halving steps that would lose likelihood."""
    num_models = len(wins)
    theta = np.zeros(num_models)
    log_nu = math.log(max(ties.sum() / 2, 1e-300) / wins.sum() * 2) if ties.any() else -math.inf
    size = wins.sum() + ties.sum() / 2
    likelihood = _log_likelihood(wins, ties, theta, log_nu)
    for _ in range(MAX_STEPS):
        gradient = _gradient(wins, ties, theta, log_nu)
        if np.abs(gradient).max() <= TOLERANCE * size:
            break
        information = _information(wins, ties, theta, log_nu) + _along_ones(num_models, log_nu)
        step = np.linalg.solve(information, gradient)
        for halving in range(30):
            moved = theta + step[:num_models] / 2**halving
            moved_nu = log_nu + step[num_models] / 2**halving if ties.any() else log_nu
            reached = _log_likelihood(wins, ties, moved, moved_nu)
            if reached >= likelihood - 1e-12 * size:
                break
        theta, log_nu, likelihood = moved - moved.mean(), moved_nu, reached
    return theta, log_nu


def _chances(gap: Floats, log_nu: float) -> tuple[Floats, Floats, Floats]:
    """Chances that the first wins, the second wins, they tie, from the gap theta_i - theta_j."""
    weights = np.stack([gap / 2, -gap / 2, np.full(gap.shape, log_nu)])
    weights = np.exp(weights - weights.max(0))
    win, loss, tie = weights / weights.sum(0)
    return win, loss, tie


def _log_likelihood(wins: Floats, ties: Floats, theta: Floats, log_nu: float) -> float:
    win, _, tie = _chances(theta[:, None] - theta[None, :], log_nu)
    tied = ties > 0
    return float(np.sum(wins * np.log(win)) + np.sum(ties[tied] * np.log(tie[tied])) / 2)


def _gradient(wins: Floats, ties: Floats, theta: Floats, log_nu: float) -> Floats:
    """[M (+ 1)]: points won (a tie is half of one) less those expected; ties less those expected."""
    win, _, tie = _chances(theta[:, None] - theta[None, :], log_nu)
    n = wins + wins.T + ties
    points = (wins + ties / 2 - n * (win + tie / 2)).sum(1)
    return np.append(points, (ties - n * tie).sum() / 2) if ties.any() else points


def _information(wins: Floats, ties: Floats, theta: Floats, log_nu: float) -> Floats:
    """[M (+ 1), M (+ 1)]: covariance of points and ties, summed over the comparisons."""
    win, loss, tie = _chances(theta[:, None] - theta[None, :], log_nu)
    n = wins + wins.T + ties
    mean = (win - loss) / 2
    variance = n * ((win + loss) / 4 - mean**2)
    information = np.diag(variance.sum(1)) - variance
    if not ties.any():
        return np.asarray(information, np.float64)
    crossed = -(n * mean * tie).sum(1)
    corner = (n * tie * (1 - tie)).sum() / 2
    return np.block([[information, crossed[:, None]], [crossed[None, :], np.array([[corner]])]])


def _along_ones(num_models: int, log_nu: float) -> Floats:
    """Fills the direction in which all strengths rise together, of which comparisons say nothing."""
    size = num_models + (log_nu > -math.inf)
    filled = np.zeros((size, size))
    filled[:num_models, :num_models] = 1 / num_models
    return filled


def _cluster_scores(
    i: Rows, j: Rows, y: Floats, theta: Floats, log_nu: float, clusters: Sequence[Hashable]
) -> Floats:
    """[C, M (+ 1)]: each cluster's part of the gradient."""
    if len(clusters) != len(y):
        raise ValueError(f"{len(y)} comparisons but {len(clusters)} cluster labels")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(label, len(numbers)) for label in clusters], np.int64)
    win, loss, tie = _chances(theta[i] - theta[j], log_nu)
    surprise = (y - (win - loss)) / 2
    scores = np.zeros((len(numbers), len(theta) + (log_nu > -math.inf)))
    np.add.at(scores, (index, i), surprise)
    np.add.at(scores, (index, j), -surprise)
    if log_nu > -math.inf:
        np.add.at(scores[:, -1], index, (y == 0) - tie)
    return scores


def _checked(
    first: ArrayLike, second: ArrayLike, outcomes: ArrayLike, num_models: int
) -> tuple[Rows, Rows, Floats]:
    i, j = np.asarray(first, np.int64), np.asarray(second, np.int64)
    y = np.asarray(outcomes, np.float64)
    if not (i.shape == j.shape == y.shape and y.ndim == 1):
        raise ValueError(f"comparisons need equal lengths, not {i.shape}, {j.shape} and {y.shape}")
    if len(y) and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= num_models):
        raise ValueError(f"models are numbered from 0 to {num_models - 1}")
    if np.any(i == j) or not np.all(np.isin(y, (-1.0, 0.0, 1.0))):
        raise ValueError("a comparison is of two models, and its outcome 1, 0 or -1")
    return i, j, y


def _counts(i: Rows, j: Rows, y: Floats, num_models: int) -> tuple[Floats, Floats]:
    wins, ties = np.zeros((num_models, num_models)), np.zeros((num_models, num_models))
    np.add.at(wins, (i, j), y == 1)
    np.add.at(wins, (j, i), y == -1)
    np.add.at(ties, (i, j), y == 0)
    return wins, ties + ties.T


def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return float(ndtri((1 + confidence) / 2))
