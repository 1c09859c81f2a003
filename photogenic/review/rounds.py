"""One round of review: candidates in, needles out."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.review.captions import caption_for
from photogenic.review.config import ReviewConfig
from photogenic.review.export import Needles, write_needles
from photogenic.review.imports import needles_from_table
from photogenic.review.own_folder import needles_from_folder
from photogenic.review.settled import FINISHED
from photogenic.review.stars import needles_from_stars

Floats = NDArray[np.float64]


def review(config: ReviewConfig, run: Run, *, seed: int) -> None:
    """Write RUN/review/needles.parquet.

    `seed` belongs to the signature of a stage; no route of this one draws anything.

    Raises:
        RunError: there is nothing to decide on, or the decisions do not fit it.
    """
    if config.decisions == "auto":
        candidates = read_table(run.folder / "curate" / "candidates.parquet")
        write_needles(best_by_score(config, candidates), run)
        return
    if config.decisions == "people":
        _write_peoples_needles(config, run, seed)
        return
    if config.decisions == "stars":
        write_needles(needles_from_stars(run, config.min_stars), run)
        return
    path = config.decisions.expanduser()
    if path.is_dir():
        write_needles(needles_from_folder(path, run), run)
    elif path.is_file():
        write_needles(needles_from_table(path, run), run)
    else:
        raise RunError(
            f"There are no decisions at {path}.",
            "Set `review.decisions` to `auto`, `stars` or `people`, to a table (CSV, JSONL, parquet), or to a"
            " folder of your own needles.",
        )


def _write_peoples_needles(config: ReviewConfig, run: Run, seed: int) -> None:
    from photogenic.review.desk import Review
    from photogenic.review.needles import write_decided

    finished = run.folder / "review" / FINISHED
    if not finished.exists():
        raise RunError(
            "People have not finished deciding.",
            "Serve the rounds: `photogenic review RECIPE`. When they are through: the same with --finish.",
        )
    # As --finish was told; where all was settled it said nothing, and what is not any more has to be told.
    taken = read_json(finished).get("captions", {}).get("taken", "settled")
    write_decided(Review(config, run, seed), taken=taken)


def best_by_score(config: ReviewConfig, candidates: pa.Table) -> Needles:
    """The `num_needles` best candidates, best first; equal scores in the order of their sample_id.

    With `balance` the groups take turns, each giving its best one left, so that their shares are equal as far
    as their candidates go.
    """
    scores = score_by(config, candidates)
    ids = candidates["sample_id"].to_numpy(zero_copy_only=False).astype(str)
    best_first = np.lexsort((ids, -np.nan_to_num(scores, nan=-np.inf)))
    turns = _turns(_groups(candidates, config.balance)[best_first])
    chosen = np.sort(np.argsort(turns, kind="stable")[: config.num_needles])
    rows = candidates.take(best_first[chosen])
    return Needles(
        rows=rows,
        captions=[caption_for(text) for text in rows["alt_text"].to_pylist()],
        decided_by=[_decided_by(config)] * rows.num_rows,
        scores=scores[best_first[chosen]].tolist(),
    )


def score_by(config: ReviewConfig, candidates: pa.Table) -> Floats:
    """[n], higher is better: the one column as it is, or the weighted mean of the columns' ranks, in 0..1.

    NaN where the one column has none; in a blend a missing value ranks below all others.
    """
    if isinstance(config.by, str):
        return _column(candidates, config.by)
    total = sum(config.by.values())
    blended = np.zeros(candidates.num_rows)
    for name, weight in config.by.items():
        blended += weight / total * _rank(_column(candidates, name))
    return blended


def _rank(values: Floats) -> Floats:
    """Share of the candidates that lie below, those that equal counting half; missing values 0."""
    known = np.isfinite(values)
    ranks = np.zeros(len(values))
    _, index, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks[known] = (np.sum(~known) + below + counts / 2)[index] / max(len(values), 1)
    return ranks


def _turns(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """[n]: how many of its own group stand before each row."""
    seen: dict[str, int] = {}
    turns = np.empty(len(groups), np.int64)
    for i, group in enumerate(groups):
        turns[i] = seen.get(group, 0)
        seen[group] = turns[i] + 1
    return turns


def _groups(candidates: pa.Table, balance: str | None) -> NDArray[np.str_]:
    if balance is None:
        return np.full(candidates.num_rows, "")
    if balance in candidates.column_names:
        labels = candidates[balance].to_pylist()
    else:
        labels = [json.loads(fields or "{}").get(balance) for fields in candidates["fields"].to_pylist()]
    if all(label is None for label in labels) and labels:
        raise RunError(
            f"`review.balance: {balance}` names neither a column nor a side-car field of the candidates.",
            "Leave `balance` out, or name a field that your metadata have.",
        )
    return np.array([str(label or "") for label in labels], np.str_)


def _column(candidates: pa.Table, name: str) -> Floats:
    scores = [
        field.name
        for field in candidates.schema
        if field.name not in POOL_SCHEMA.names
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
    if name not in scores:
        raise RunError(
            f"`review.by` names {name!r}, which no step of the funnel has measured.",
            f"The candidates have: {', '.join(scores) or 'no scores'}.",
        )
    values = pc.fill_null(candidates[name].cast(pa.float64()), float("nan"))
    return np.asarray(values.to_numpy(), np.float64)


def _decided_by(config: ReviewConfig) -> str:
    by = config.by if isinstance(config.by, str) else "a blend of " + " and ".join(config.by)
    balanced = f", balanced by {config.balance}" if config.balance else ""
    return f"auto: best by {by}{balanced}, no person looked"
