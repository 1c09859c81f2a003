"""Steps over the whole set of who is alive: near-duplicates, the best of all, and group by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.curate import select
from photogenic.curate.columns import Ints, column_sql
from photogenic.curate.config import DuplicatesStep, SelectStep
from photogenic.curate.filters import Floats, Rule
from photogenic.curate.ledger import DROPPED, Ledger
from photogenic.curate.tables import POOL, first_of, literal

Codes = NDArray[np.int32]
Vectors = NDArray[np.float32]


def drop_duplicates(ledger: Ledger, step: DuplicatesStep, name: str) -> None:
    """Of look-alikes by perceptual hash the best by `step.keep` stays."""
    from photogenic.measures.duplicates import near_duplicate_groups

    columns = {"hash": ledger.value("phash"), "score": ledger.number(step.keep), "id": ledger.id_key}
    table = ledger.of_alive(columns)
    rows, hashes = _rows(table), np.asarray(table["hash"].to_numpy(), dtype=np.uint64)
    labels = near_duplicate_groups(hashes, step.max_distance)
    keepers = select.keepers(labels, hashes, _floats(table, "score"), _ids(table), step.max_distance)
    gone = np.flatnonzero(keepers != np.arange(len(rows)))
    distances = select.hamming_distance(hashes[gone], hashes[keepers[gone]]).astype(np.float64)
    told = _twins(ledger, rows[gone], rows[keepers[gone]])
    ledger.strike(name, DROPPED, rows[gone], told, distances, np.full(len(gone), float(step.max_distance)))


def drop_look_alikes(ledger: Ledger, step: DuplicatesStep, name: str, rows: Ints, vectors: Vectors) -> None:
    """By embeddings: one thing cropped or retouched, which the hash tells apart. rows: [M], ascending."""
    from photogenic.curate.lookalikes import look_alikes

    columns = {
        "score": ledger.number(step.keep),
        "id": ledger.id_key,
        "sample_id": column_sql(POOL, "sample_id"),
    }
    table = ledger.take(columns, rows)
    keepers, cosines = look_alikes(vectors, _floats(table, "score"), _ids(table), step.min_cosine)
    gone = np.flatnonzero(keepers != np.arange(len(rows)))
    ids = table["sample_id"].to_numpy(zero_copy_only=False)
    told = pa.array([f"looks like {ids[keeper]}" for keeper in keepers[gone]], pa.string())
    ledger.strike(name, DROPPED, rows[gone], told, cosines[gone], np.full(len(gone), step.min_cosine))


def _twins(ledger: Ledger, gone: Ints, keepers: Ints) -> pa.Array:
    """Why each of `gone` went: its keeper's name, and whether the bytes are the same. [D]"""
    concerned = np.unique(np.concatenate([gone, keepers]))
    if not len(concerned):
        return pa.array([], pa.string())
    names = ledger.take({"id": column_sql(POOL, "sample_id"), "uid": ledger.value("uid")}, concerned)
    ids = names["id"].to_numpy(zero_copy_only=False)[np.searchsorted(concerned, keepers)]
    uids = names["uid"].to_numpy(zero_copy_only=False)
    same = uids[np.searchsorted(concerned, gone)] == uids[np.searchsorted(concerned, keepers)]
    kinds = np.where(same, "same bytes as ", "near-duplicate of ")
    return pa.array(kinds.astype(object) + ids, pa.string())


def select_best(ledger: Ledger, step: SelectStep, name: str, group: str | None) -> None:
    """The best by `step.by`, in equal parts for each value of the column `group` (SQL), as far as they go."""
    score = ledger.number(step.by)
    table = ledger.of_alive({"score": score, "id": ledger.id_key})
    rows, scores = _rows(table), _floats(table, "score")
    codes, groups = group_codes(ledger, group)
    selection = select.top(scores, _ids(table), codes, step.num)
    gone = ~selection.selected
    among = [f" of {step.balance} {value!r}" if step.balance else "" for value in groups]
    sentences = pa.array([f"not among the best{each} by {step.by}" for each in among], pa.string())
    told = pa.DictionaryArray.from_arrays(pa.array(codes[gone]), sentences)
    ledger.strike(name, DROPPED, rows[gone], told, scores[gone], selection.thresholds[gone])


def drop_within(ledger: Ledger, rule: Rule, name: str, group: str) -> None:
    """Drop those on the wrong side of their own group's quantile. group: SQL of the column of groups."""
    table = ledger.of_alive({"value": ledger.number(rule.column)})
    rows, values = _rows(table), _floats(table, "value")
    codes, groups = group_codes(ledger, group)
    thresholds = _quantiles(values, codes, len(groups), rule.quantile or 0.0)[codes]
    wrong = values < thresholds if rule.side == "min" else values > thresholds
    wrong |= np.isnan(values) & (not rule.keep_unknown)
    told = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(int(wrong.sum()), np.int32)), pa.array([rule.sentence], pa.string())
    )
    ledger.strike(name, DROPPED, rows[wrong], told, values[wrong], thresholds[wrong])


def _quantiles(values: Floats, codes: Codes, num_groups: int, quantile: float) -> Floats:
    """Of each group's measured values; NaN where a group has none. [G]"""
    found = np.full(num_groups, np.nan)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(num_groups + 1))
    for group in range(num_groups):
        own = values[order[bounds[group] : bounds[group + 1]]]
        own = own[~np.isnan(own)]
        if own.size:
            found[group] = np.quantile(own, quantile)
    return found


def group_codes(ledger: Ledger, group: str | None) -> tuple[Codes, Sequence[str]]:
    """The number of each living sample's group, and the groups' names; one group without a column."""
    if group is None:
        return np.zeros(ledger.count(ledger.living), np.int32), [""]
    value = first_of([(f"{group} IS NULL", literal(""))], f"{group}::VARCHAR")
    names = ledger.distinct(value)
    coded = ledger.of_alive({"group": value})["group"]
    codes = [_codes(chunk, names) for chunk in coded.chunks]
    return np.concatenate(codes) if codes else np.zeros(0, np.int32), names


def _codes(chunk: pa.Array, names: list[str]) -> Codes:
    import pyarrow.compute as pc

    return np.asarray(pc.index_in(chunk, pa.array(names, pa.string())).to_numpy(), dtype=np.int32)


def _rows(table: pa.Table) -> Ints:
    return np.asarray(table["row"].to_numpy(), dtype=np.int64)


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _ids(table: pa.Table) -> NDArray[np.uint64]:
    return np.asarray(table["id"].to_numpy(), dtype=np.uint64)
