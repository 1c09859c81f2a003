"""Heads at work: columns from vectors that are in the store already, or are made first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.curate.columns import column_sql
from photogenic.curate.tables import POOL, ROWS, write_batches

if TYPE_CHECKING:
    from photogenic.curate.ledger import Ledger
    from photogenic.curate.neural import Head, Vectors
    from photogenic.curate.scorers import Scorer

CHUNK_ROWS = 4096  # vectors in memory

Rows = NDArray[np.int64]


def write_judged(path: Path, scorer: Scorer, head: Head, ledger: Ledger, who: str) -> None:
    """The head's table, of all of `who` (SQL) that its sources could see. Their tables are attached.

    Null where a source has no vector: a sample without a text has no CLIP score.
    """
    sources = [source.folder_name for source in head.sources]
    columns = {
        "sample_id": column_sql(POOL, "sample_id"),
        "stamp": ledger.stamp(scorer.basis),
        "undecodable": column_sql(sources[0], "undecodable"),
    } | {_vector(place): _embedding(source) for place, source in enumerate(sources)}
    seen = " AND ".join(f"{column_sql(source, 'stamp')} IS NOT NULL" for source in sources)
    query = ledger.tables.select(columns, f"({who}) AND {seen}")
    batches = ledger.tables.batches(query, CHUNK_ROWS)
    write_batches(path, scorer.schema, (_judged(scorer, head, batch) for batch in batches))


def take_vectors(scorer: Scorer, ledger: Ledger, who: str) -> tuple[Rows, Vectors]:
    """Rows and vectors of those of `who` (SQL) that have one; the table is taken away. [M], [M, D]

    So vectors are in no other table: they lie in the store, for whoever wants them.
    """
    embedding = _embedding(scorer.folder_name)
    columns = {"row": column_sql(ROWS, "row"), "vector": embedding}
    table = ledger.tables.table(ledger.tables.select(columns, f"({who}) AND {embedding} IS NOT NULL"))
    ledger.detach(scorer.folder_name)
    rows = np.asarray(table["row"].to_numpy(), dtype=np.int64)
    pieces = [_matrix(chunk) for chunk in table["vector"].chunks if len(chunk)]
    return rows, np.concatenate(pieces) if pieces else np.zeros((0, 0), np.float32)


def _judged(scorer: Scorer, head: Head, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of the head's table."""
    vectors = [batch[_vector(place)] for place in range(len(head.sources))]
    has_all = np.logical_and.reduce(
        [pc.is_valid(column).to_numpy(zero_copy_only=False) for column in vectors]
    )
    columns = {name: np.full(batch.num_rows, None, dtype=object) for name in scorer.columns}
    if has_all.any():
        found = [_matrix(column.filter(pa.array(has_all))) for column in vectors]
        for name, values in head.judge(found, scorer.model).items():
            columns[name][has_all] = values
    arrays = {name: batch[name] for name in ("sample_id", "stamp", "undecodable")}
    arrays |= {name: pa.array(values, scorer.schema.field(name).type) for name, values in columns.items()}
    return pa.record_batch(arrays)


def _embedding(alias: str) -> str:
    from photogenic.curate.neural import EMBEDDING

    return column_sql(alias, EMBEDDING)


def _vector(place: int) -> str:
    return f"vector {place}"


def _matrix(column: pa.Array) -> Vectors:
    """A column of vectors, none of them null: [N, D] float32."""
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(column), -1), np.float32)
