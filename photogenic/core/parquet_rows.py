"""Parquet files of other people: one value of a column of bytes by its row, rows as Python's own values."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.core.errors import StorageError
from photogenic.core.storage import RemotePath, Root

BATCH_ROWS = 32
BUFFER_BYTES = 2**20  # a column chunk is streamed through this: it may hold gigabytes of pictures


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes."""
    if pa.types.is_dictionary(kind):
        return is_bytes(kind.value_type)
    of_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_of(kind) for is_of in of_bytes)


def bytes_of(batch: pa.RecordBatch, column: str) -> pa.Array:
    """The column of that name; `image.bytes` is a column, or else the child `bytes` of the struct `image`.

    Raises:
        KeyError: there is none, or it holds something else.
    """
    if column in batch.schema.names:
        values = batch.column(column)
    else:
        name, *children = column.split(".")
        values = batch.column(name)
        for child in children:
            values = pc.struct_field(values, child)
    if not is_bytes(values.type):
        raise KeyError(f"the column holds {values.type}, not bytes")
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values if pa.types.is_binary(values.type) else values.cast(pa.large_binary())


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The batch's rows as Python's own values; what Python has no value for is told as text."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError):  # one value is enough: a date of the year 40000, a stray byte
        columns = [[_own_value(value) for value in column] for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _own_value(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        if pa.types.is_string(value.type) or pa.types.is_large_string(value.type):
            return value.as_buffer().to_pybytes().decode("utf-8", "replace")
        try:
            return pc.cast(value, pa.string()).as_py()
        except pa.ArrowException:  # inside a list or a struct
            return None


class ParquetRows:
    """Reads values by row; those around the last one are kept, so rows in their order cost one pass."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._column: _Column | None = None

    def read(self, path: Root, column: str, row: int) -> bytes:
        """The bytes at `row` (from 0 through all row groups); a null is no bytes.

        Raises:
            StorageError: the file cannot be read, or has no such row or column of bytes.
        """
        try:
            with self._lock:
                identity = (path, column, *_version(path))
                if self._column is None or self._column.identity != identity:
                    self._column = _Column(identity)
                return self._column.read(row)
        except (OSError, pa.ArrowException, KeyError) as error:
            self._column = None
            raise StorageError(f"Cannot read {column!r} of row {row} of {path.name}: {error}.") from error


def open_parquet(path: Root) -> pq.ParquetFile:
    """The file, wherever it lies, to be streamed: its columns may hold gigabytes of pictures."""
    place = path.open("rb") if isinstance(path, RemotePath) else path
    return pq.ParquetFile(place, buffer_size=BUFFER_BYTES, pre_buffer=False)


def _version(path: Root) -> tuple[int, ...]:
    """Changes when a file is rewritten. One behind a URL is not asked for it at each of its rows."""
    if isinstance(path, RemotePath):
        return ()
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class _Column:
    def __init__(self, identity: tuple[Any, ...]) -> None:
        self.identity = identity
        path, self.name = identity[:2]
        self.file = open_parquet(path)
        groups = range(self.file.metadata.num_row_groups)
        self.ends = list(accumulate(self.file.metadata.row_group(group).num_rows for group in groups))
        self.group = -1
        self.start, self.values = 0, pa.array([], pa.binary())  # the batch at hand, and its first row
        self.batches: Iterator[pa.RecordBatch] = iter(())

    def read(self, row: int) -> bytes:
        group = bisect_right(self.ends, row)
        if row < 0 or group == len(self.ends):
            raise KeyError(f"there are {self.ends[-1] if self.ends else 0} rows")
        if group != self.group or row < self.start:
            self._enter(group)
        while row >= self.start + len(self.values):
            self._advance()
        return self.values[row - self.start].as_py() or b""

    def _enter(self, group: int) -> None:
        self.group, self.start = group, self.ends[group - 1] if group else 0
        self.values = self.values[:0]
        self.batches = self.file.iter_batches(BATCH_ROWS, row_groups=[group], columns=[self.name])

    def _advance(self) -> None:
        self.start += len(self.values)
        batch = next(self.batches, None)
        if batch is None:
            raise OSError("the row group is shorter than the file says")
        self.values = bytes_of(batch, self.name)
