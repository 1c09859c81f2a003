"""Parquet files with a row per picture: its bytes, or where it lies."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from photogenic.core.errors import RunError, StorageError
from photogenic.core.parquet_rows import bytes_of, is_bytes, open_parquet, rows_of
from photogenic.core.patience import for_good
from photogenic.core.records import Sample
from photogenic.core.storage import RemotePath, Root, is_url
from photogenic.curate.config import SourceConfig
from photogenic.curate.left_out import Survey, leave_out
from photogenic.curate.metadata import plain
from photogenic.curate.readers import Found, sample_from, walk
from photogenic.curate.rows_on_disk import RowsOnDisk

T = TypeVar("T")

BATCH_ROWS = 64  # rows with the bytes of their pictures


def read_parquets(
    name: str, root: Root, files: Iterable[Found], config: SourceConfig, left_out: Counter[str]
) -> Iterator[Sample]:
    """The rows of all parquet files, sorted by member; of a damaged one those before the damage.

    Raises:
        RunError: none of the files can be read, or it is not clear which column holds the pictures.
        StorageError: a file cannot be reached now, but may be later.
    """
    tables = [found for found in files if found.suffix == ".parquet"]
    if config.path_column is not None:
        yield from _read_paths(name, root, tables, config, left_out)
        return
    tables.sort(key=lambda found: found.member + "/")
    yield from _of_each(tables, left_out, lambda found: _read_bytes(name, found, config))


class _Damaged(RunError):
    """A file cannot be read to its end."""


def _damaged(found: Found, error: Exception) -> _Damaged:
    told = for_good(error, str(found.path))
    return _Damaged(f"Cannot read {found.path}: {told}.", "Write the file again or remove it.")


def _of_each(
    tables: list[Found], left_out: Counter[str], read: Callable[[Found], Iterator[T]]
) -> Iterator[T]:
    """What `read` gives of each table. One that is damaged ends there; if all are, that is an error."""
    damaged = []
    for found in tables:
        try:
            yield from read(found)
        except _Damaged as error:
            damaged.append(error)
            reason = f"rest of {found.member}, which is damaged; what is whole before is in the pool"
            leave_out(left_out, reason, found.member)
    if damaged and len(damaged) == len(tables):
        raise damaged[0]


def _read_bytes(name: str, found: Found, config: SourceConfig) -> Iterator[Sample]:
    """A row's member is FILE/ROW/COLUMN; the bytes are looked at for their number only."""
    column = config.bytes_column or "?"
    try:
        with open_parquet(found.path) as file:
            column = config.bytes_column or _only_bytes_column(file.schema_arrow, found)
            columns = [column, *_field_columns(file.schema_arrow, column)]
            number = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                for size, row in zip(_sizes(batch, column), _rows(batch, columns[1:]), strict=True):
                    place = f"{number:09d}"
                    if row.get(config.key) is None:
                        row[config.key] = f"{PurePosixPath(found.member).with_suffix('')}/{place}"
                    yield sample_from(name, f"{found.member}/{place}/{column}", size, row, config)
                    number += 1
    except (OSError, ValueError, StorageError) as error:
        raise _damaged(found, error) from error
    except KeyError as error:
        raise RunError(
            f"{found.path} has no column of bytes {column!r}.", "Name one of its columns in `bytes_column`."
        ) from error


def _sizes(batch: pa.RecordBatch, column: str) -> list[int]:
    values = bytes_of(batch, column)
    return [int(size) for size in pc.fill_null(pc.binary_length(values), 0).to_pylist()]


def _rows(batch: pa.RecordBatch, columns: list[str]) -> list[dict[str, Any]]:
    return rows_of(batch.select(columns)) if columns else [{} for _ in range(batch.num_rows)]


def _field_columns(schema: pa.Schema, column: str) -> list[str]:
    """All columns but that of the pictures, other bytes, and those that share a name."""
    own = column if column in schema.names else column.split(".")[0]
    once = {name for name, num in Counter(schema.names).items() if num == 1}
    return [field.name for field in schema if field.name in once - {own} and not is_bytes(field.type)]


def _only_bytes_column(schema: pa.Schema, found: Found) -> str:
    """The one column of bytes, or the child `bytes` of the one struct that has it (Hugging Face's Image)."""
    names = [str(field.name) for field in schema if is_bytes(field.type)]
    names += [f"{field.name}.bytes" for field in schema if _holds_bytes(field.type)]
    if len(names) == 1:
        return names[0]
    has = f"several columns of bytes: {', '.join(names)}" if names else "no column of bytes"
    raise RunError(
        f"{found.path} has {has}.",
        "Name the pictures' column in the source's `bytes_column`, or that of their paths in `path_column`.",
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and any(kid.name == "bytes" and is_bytes(kid.type) for kid in kind))


def _read_paths(
    name: str, root: Root, tables: list[Found], config: SourceConfig, left_out: Counter[str]
) -> Iterator[Sample]:
    """Paths start at the source's folder; a picture that is not there will be `failed`, with the reason."""
    rows = RowsOnDisk()
    tables.sort(key=lambda found: found.member)
    for row in _of_each(tables, left_out, lambda found: _path_rows(found, config)):
        member = _member(row.pop(str(config.path_column)), root)
        if member is None:
            left_out["row without a path, or with one that leads out of the pool"] += 1
        elif not rows.add(member, plain(row)):
            left_out["row for a file that has one"] += 1
    size_of = _sizes_below(root, left_out)
    for member, row in rows.items():
        yield sample_from(name, member, size_of(member), row, config)


def _sizes_below(root: Root, left_out: Counter[str]) -> Callable[[str], int]:
    """Tells the size of a member, -1 where it is not there; its version is noted.

    Behind a URL all are listed once.
    """

    def note(member: str, version: int) -> None:
        if isinstance(left_out, Survey):
            left_out.note_version(member, version)

    if isinstance(root, RemotePath):
        sizes = {}
        for found in walk(root, Counter()):
            sizes[found.member] = found.size_bytes
            note(found.member, found.version)
        return lambda member: sizes.get(member, -1)

    def size_of(member: str) -> int:
        try:
            status = (root / member).stat()
        except (OSError, ValueError):  # not there, or no name that a file may have
            return -1
        if not stat.S_ISREG(status.st_mode):
            return -1
        note(member, status.st_mtime_ns)
        return status.st_size

    return size_of


def _path_rows(found: Found, config: SourceConfig) -> Iterator[dict[str, Any]]:
    column = str(config.path_column)
    try:
        with open_parquet(found.path) as file:
            if column not in file.schema_arrow.names:
                names = ", ".join(file.schema_arrow.names)
                raise RunError(f"{found.path} has no column {column!r}.", f"It has: {names}.")
            for batch in file.iter_batches(columns=[column, *_field_columns(file.schema_arrow, column)]):
                yield from rows_of(batch)
    except (OSError, ValueError, StorageError) as error:
        raise _damaged(found, error) from error


def _member(path: object, root: Root) -> str | None:
    """The path from the root; None where it is none or leads out of it, be it by a link."""
    if not isinstance(path, str) or not path or "\0" in path or ".." in PurePosixPath(path).parts:
        return None
    path = path.removeprefix(f"{root}/") if isinstance(root, RemotePath) else path
    if is_url(path):  # of another place: nothing is downloaded
        return None
    if isinstance(root, RemotePath):
        return None if path.startswith("/") else PurePosixPath(path).as_posix()
    whole = root / path  # an absolute path replaces the root
    if not whole.is_relative_to(root) or not Path(os.path.realpath(whole)).is_relative_to(root):
        return None
    return whole.relative_to(root).as_posix()
