"""A few rows of tables that are too long to be held in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.core.shards import table_files

BATCH_ROWS = 100_000
ID = "sample_id"


def iter_tables(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """A table of one or more parquet files bit by bit, BATCH_ROWS rows at most."""
    for file in table_files(path):
        with pq.ParquetFile(file) as reader:
            for batch in reader.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield pa.Table.from_batches([batch])


def rows_with(path: Path, ids: Collection[str]) -> pa.Table:
    """All columns of the samples with these ids, in the order of the table."""
    return pq.read_table(table_files(path), filters=pc.field(ID).isin(pa.array(sorted(ids), pa.string())))


def first_rows(table: pa.Table, num: int) -> pa.Table:
    """At most `num` rows, by `sample_id`: the same in every run, and as good as drawn, for it is a hash."""
    return table.take(pc.select_k_unstable(table, num, [(ID, "ascending")]))


class Glimpse:
    """The `first_rows` of all that it was shown."""

    def __init__(self, num: int) -> None:
        self.num = num
        self.table: pa.Table | None = None

    def show(self, rows: pa.Table) -> None:
        """Let it choose among these rows, too."""
        held = rows if self.table is None else pa.concat_tables([self.table, rows])
        self.table = first_rows(held, self.num).combine_chunks()

    def column(self, name: str) -> list[Any]:
        """Of the rows that it holds, in order."""
        return [] if self.table is None else list(self.table[name].to_pylist())
