"""Heads at work: columns from vectors that are in the store already, or are made first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.core.shards import write_table
from photogenic.curate.neural import EMBEDDING, Head, Vectors

if TYPE_CHECKING:
    from photogenic.curate.filters import Mask
    from photogenic.curate.ledger import Ledger
    from photogenic.curate.scorers import Scorer
    from photogenic.curate.scores import Scored, Scores

CHUNK_ROWS = 16_384

Strings = NDArray[np.object_]


def fill_head(scores: Scores, scorer: Scorer, ledger: Ledger, which: Mask, texts: Strings) -> Scored:
    """As Scores.fill: `which` get the head's columns, from vectors that are made where they are missing."""
    from photogenic.curate.scores import Scored, stamps_of, stored_rows, valid_rows

    if scorer.head is None:
        return scores.fill(scorer, ledger, which, texts)
    head, folder, stamps = scorer.head, scores.folder / scorer.folder_name, stamps_of(scorer, ledger, texts)
    stored = valid_rows(stored_rows(scorer, [folder]), ledger, stamps)
    missing = which & pc.is_null(stored["stamp"]).to_numpy(zero_copy_only=False)
    if not missing.any() and (folder / "00000.parquet").exists():
        return Scored(stored)
    sources = [scores.fill(source, ledger, missing, texts) for source in head.sources]
    rows = np.flatnonzero(missing)
    tables = [source.table.take(pa.array(rows)) for source in sources]
    fresh = [_judged(scorer, head, part, ledger.ids, stamps) for part in _parts(rows, tables)]
    known = stored.filter(pc.is_valid(stored["stamp"]))
    table = valid_rows(pa.concat_tables([known, *fresh]).combine_chunks(), ledger, stamps)
    write_table(folder / "00000.parquet", table.filter(pc.is_valid(table["stamp"])))
    scored = Scored(table)
    for source in sources:
        scored.unreachable |= source.unreachable
        scored.broke |= source.broke
    return scored


def _parts(
    rows: NDArray[np.int64], tables: list[pa.Table]
) -> Iterator[tuple[NDArray[np.int64], list[pa.Table]]]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows[start : start + CHUNK_ROWS], [table.slice(start, CHUNK_ROWS) for table in tables]


def _judged(
    scorer: Scorer, head: Head, part: tuple[NDArray[np.int64], list[pa.Table]], ids: Strings, stamps: pa.Array
) -> pa.Table:
    """Rows of the head's table: of all that the sources could see, with nulls where one has no vector."""
    rows, tables = part
    seen = np.logical_and.reduce([pc.is_valid(table["stamp"]).to_numpy() for table in tables])
    has_all = np.logical_and.reduce([pc.is_valid(table[EMBEDDING]).to_numpy() for table in tables])
    columns = {name: np.full(len(rows), None, dtype=object) for name in scorer.columns}
    if has_all.any():
        vectors = [vectors_of(table.filter(pa.array(has_all))) for table in tables]
        for name, values in head.judge(vectors, scorer.model).items():
            columns[name][has_all] = values
    undecodable = tables[0]["undecodable"]
    arrays = {"sample_id": pa.array(ids[rows], pa.string()), "stamp": stamps.take(pa.array(rows))}
    arrays |= {"undecodable": undecodable.combine_chunks()}
    arrays |= {name: pa.array(values, scorer.schema.field(name).type) for name, values in columns.items()}
    return pa.table(arrays, schema=scorer.schema).filter(pa.array(seen))


def vectors_of(table: pa.Table) -> Vectors:
    """The column of vectors, none of them null: [N, D] float32."""
    column = table[EMBEDDING].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(column), -1), np.float32)
