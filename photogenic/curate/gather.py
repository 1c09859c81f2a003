"""Some rows of tables on disk, whole columns of which would be too many to read side by side."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class RowGroups:
    """Rows of parquet files that are read one after the other, asked for in ascending order.

    Only groups of rows that hold one of them are read, each once, and one is held at a time. Whoever goes
    back gets the same rows, and groups are read again.
    """

    def __init__(self, paths: Sequence[Path], starts: Sequence[int], columns: Sequence[str]) -> None:
        """starts: the first row of each file, and the number of all rows."""
        self._paths = paths
        self._starts = starts
        self._columns = list(columns)
        self._place = -1
        self._file: pq.ParquetFile | None = None
        self._bounds: list[int] = []  # the first row of each group of the file, and the one after the last
        self._begin = self._end = 0  # of the group that is held
        self._group = pa.table({})

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()

    def take(self, rows: Ints) -> pa.Table:
        """The rows of these numbers, of which there must be one at least."""
        pieces = []
        while rows.size:
            self._hold(int(rows[0]))
            num = int(np.searchsorted(rows, self._end))
            pieces.append(self._group.take(pa.array(rows[:num] - self._begin)))
            rows = rows[num:]
        return pa.concat_tables(pieces)

    def _hold(self, row: int) -> None:
        """Read the group of the row, if it is not the one that is held."""
        if self._begin <= row < self._end:
            return
        file = self._opened(bisect_right(self._starts, row) - 1)
        group = bisect_right(self._bounds, row) - 1
        self._begin, self._end = self._bounds[group], self._bounds[group + 1]
        self._group = file.read_row_group(group, columns=self._columns)

    def _opened(self, place: int) -> pq.ParquetFile:
        if self._file is None or place != self._place:
            self.close()
            self._file, self._place = pq.ParquetFile(self._paths[place]), place
            metadata = self._file.metadata
            sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
            self._bounds = list(accumulate(sizes, initial=self._starts[place]))
        return self._file


def starts_of(paths: Sequence[Path]) -> list[int]:
    """The first row of each parquet file, read one after the other, and the number of all."""
    return list(accumulate((pq.read_metadata(path).num_rows for path in paths), initial=0))


def rows_at(
    paths: Sequence[Path], starts: Sequence[int], schema: pa.Schema, places: Iterable[Ints]
) -> Iterator[pa.RecordBatch]:
    """Rows of parquet files by their places among all rows, in whatever order; all null where it is -1.

    It is quick where places that come one after the other lie near each other in a few files.
    starts: as `starts_of` has them.
    """
    with closing(RowGroups(paths, starts, schema.names)) as groups:
        for some in places:
            order = np.argsort(some, kind="stable")
            order = order[np.count_nonzero(some < 0) :]
            found = groups.take(some[order]) if order.size else schema.empty_table()
            index = np.full(len(some), -1)
            index[order] = np.arange(len(order))
            yield from found.cast(schema).take(pa.array(index, mask=index < 0)).to_batches()
