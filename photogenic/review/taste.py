"""Learning a taste from decisions, and what it saves. It orders and proposes; it never decides.

The model is a logistic regression on standardised columns (measures, and embeddings where there are any), its
probabilities calibrated on decisions that it was not fitted on: Platt scaling over cross-validated scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.measures.taste import Taste, load, matrix_of, save

__all__ = [
    "Saving",
    "Taste",
    "decisions_needed",
    "gold_proposals",
    "learn",
    "load",
    "save",
    "saving",
    "surprises",
]

Floats = NDArray[np.float64]
MIN_OF_EACH = 10  # decisions of either kind; fewer teach nothing
FOLDS = 5
REGULARISATION = 0.1  # scikit-learn's C, where many columns meet few decisions


def learn(columns: pa.Table | Mapping[str, Any], kept: Sequence[bool], *, seed: int = 0) -> Taste:
    """The taste of whoever kept and dropped these rows.

    Raises:
        RunError: fewer than MIN_OF_EACH rows were kept, or dropped, or no column holds numbers.
    """
    answers = np.asarray(kept, bool)
    num_kept, num_dropped = int(answers.sum()), int((~answers).sum())
    if min(num_kept, num_dropped) < MIN_OF_EACH:
        raise RunError(
            f"{num_kept} kept and {num_dropped} dropped pictures are too few to learn a taste from.",
            f"Go on until there are {MIN_OF_EACH} of each.",
        )
    return _fit(columns, answers, seed)


def _fit(columns: pa.Table | Mapping[str, Any], answers: NDArray[np.bool_], seed: int) -> Taste:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    num_kept, num_dropped = int(answers.sum()), int((~answers).sum())
    names = numeric_columns(columns)
    matrix = matrix_of(columns, names)
    means = np.array([np.mean(column[np.isfinite(column)]) for column in matrix.T])
    filled = np.where(np.isfinite(matrix), matrix, means)
    scales = np.maximum(filled.std(0), 1e-9)
    standard = (filled - means) / scales
    model = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000)
    folds = StratifiedKFold(min(FOLDS, num_kept, num_dropped), shuffle=True, random_state=seed)
    margins = cross_val_predict(model, standard, answers, cv=folds, method="decision_function")
    slope, offset = _platt(margins, answers)
    model.fit(standard, answers)
    return Taste(
        columns=tuple(names),
        means=tuple(map(float, means)),
        scales=tuple(map(float, scales)),
        weights=tuple(map(float, model.coef_[0])),
        bias=float(model.intercept_[0]),
        slope=slope,
        offset=offset,
        num_kept=num_kept,
        num_dropped=num_dropped,
    )


def _platt(margins: Floats, answers: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of Platt's scaling, with his smoothed targets (1999, section 2.2).

    With plain targets, decisions that a line separates would give an endless slope: all probabilities 0 or 1,
    and no order among those that are kept.
    """
    from sklearn.linear_model import LogisticRegression

    num_kept, num_dropped = int(answers.sum()), int((~answers).sum())
    targets = np.where(answers, (num_kept + 1) / (num_kept + 2), 1 / (num_dropped + 2))
    fitted = LogisticRegression(C=1e6).fit(
        np.concatenate([margins, margins])[:, None],
        np.repeat([True, False], len(margins)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def numeric_columns(columns: pa.Table | Mapping[str, Any]) -> list[str]:
    """Names of the measures: floats, integers that count, and each part of an embedding.

    Raises:
        RunError: there are none.
    """
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    names: list[str] = []
    for field in table.schema:
        if field.name in POOL_SCHEMA.names or field.name == "phash":
            continue
        if pa.types.is_fixed_size_list(field.type):
            names += [f"{field.name}[{i}]" for i in range(field.type.list_size)]
        elif pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
            names.append(field.name)
    usable = [
        name
        for name, column in zip(names, matrix_of(table, names).T, strict=True)
        if np.isfinite(column).any()
    ]
    if not usable:
        raise RunError("The candidates have no measures to learn a taste from.", "Run the funnel first.")
    return usable


# --- what it is good for ---------------------------------------------------------------------------------


def decisions_needed(order: Sequence[int], kept: Sequence[bool], share: float = 0.95) -> int:
    """How many pictures in this order one has to judge until `share` of the needles are found."""
    found = np.cumsum(np.asarray(kept, bool)[np.asarray(order, np.int64)])
    if not len(found) or found[-1] == 0:
        return 0
    return int(np.searchsorted(found, np.ceil(share * found[-1])) + 1)


@dataclass(frozen=True)
class Saving:
    """Decisions until 95 % of the needles are found, each picture scored by a taste that never saw it."""

    by_taste: int
    at_random: float  # expected
    num: int

    @property
    def words(self) -> str:
        saved = 1 - self.by_taste / self.at_random if self.at_random else 0.0
        return (
            f"In the order of taste {self.by_taste:,} of {self.num:,} decisions find 95 % of the needles;"
            f" in random order {self.at_random:,.0f}: {100 * saved:.0f} % fewer."
        )


def saving(columns: pa.Table, kept: Sequence[bool], *, seed: int = 0) -> Saving:
    """What taste would have saved, by cross-validation over the decisions there are.

    At random the k-th of K needles among n is expected at k (n + 1) / (K + 1).
    """
    from sklearn.model_selection import StratifiedKFold

    answers = np.asarray(kept, bool)
    scores = np.zeros(len(answers))
    fewest = min(int(answers.sum()), int((~answers).sum()))
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    for fit, held_out in folds.split(np.zeros(len(answers)), answers):
        taste = _fit(columns.take(pa.array(fit)), answers[fit], seed)
        scores[held_out] = taste.score(columns.take(pa.array(held_out)))
    order = np.argsort(-scores, kind="stable")
    wanted = np.ceil(0.95 * answers.sum())
    at_random = float(wanted * (len(answers) + 1) / (answers.sum() + 1))
    return Saving(decisions_needed(order.tolist(), answers.tolist()), at_random, len(answers))


def surprises(scores: Floats, kept: Sequence[bool], count: int) -> list[int]:
    """Rows whose decision a taste finds least likely: worth a second look."""
    answers = np.asarray(kept, bool)
    likelihood = np.where(answers, scores, 1 - scores)
    return [int(row) for row in np.argsort(likelihood, kind="stable")[:count]]


def gold_proposals(scores: Floats, kept: Sequence[bool], count: int) -> list[int]:
    """Rows on which people and taste agree most surely, half kept and half dropped: fit to be gold."""
    answers = np.asarray(kept, bool)
    likelihood = np.where(answers, scores, 1 - scores)
    chosen: list[int] = []
    for side in (answers, ~answers):
        rows = np.flatnonzero(side)
        chosen += [int(row) for row in rows[np.argsort(-likelihood[rows], kind="stable")][: count // 2]]
    return chosen
