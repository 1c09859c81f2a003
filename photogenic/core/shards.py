"""Bytes by locator; tables and markers that are either complete or absent.

Everything is written to a temporary sibling, fsynced and renamed, so a kill at any moment leaves either the
old file or the new one. A marker (`done.json`) is written last and holds the key of all that could change the
result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from photogenic.core.errors import RunError, StorageError
from photogenic.core.parquet_rows import ParquetRows
from photogenic.core.patience import patiently
from photogenic.core.records import Locator
from photogenic.core.storage import RemotePath, Root, read_range

__all__ = [
    "Locator",
    "Sources",
    "atomic_path",
    "file_fingerprint",
    "fingerprint",
    "is_done",
    "mark_done",
    "read_json",
    "read_table",
    "table_files",
    "write_json",
    "write_table",
]


REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
CONTAINERS = (".tar", ".parquet")  # files that hold pictures: members go on behind their names
# One of a process, not of a task: a group of rows is read from its beginning, and a task takes a few of them.
_ROWS = ParquetRows()


class Sources:
    """Named roots of a pool. Tables name the source; only `RUN/pool/sources.json` knows where it lies.

    A member is a path below the root. Behind the name of a file it goes on inside that file:
    `00000.tar/cat.jpg` (the bytes are those from offset on) or `00000.parquet/000000017/image.bytes` (a row
    and a column of bytes). No file and folder share a name, so this cannot be mistaken.
    """

    def __init__(self, roots: Mapping[str, Root]) -> None:
        self.roots = dict(roots)
        self._maybe_files = {name for name, root in roots.items() if root.suffix.lower() in CONTAINERS}

    def __reduce__(self) -> tuple[object, ...]:
        # What is open stays in its process.
        return type(self), (self.roots,)

    @property
    def folders(self) -> dict[str, Path]:
        """Those roots that are paths of this machine."""
        return {name: root for name, root in self.roots.items() if isinstance(root, Path)}

    def path(self, locator: Locator) -> Root:
        """The file that holds the locator's bytes; a member that leaves its source is refused."""
        return self._split(locator)[0]

    def read(self, locator: Locator) -> bytes:
        """The original bytes. What may fail for a while is tried again after a pause.

        Raises:
            StorageError: the file cannot be reached or does not hold as many bytes as the locator says.
        """
        path, inner = self._split(locator)
        data = self._read_row(path, inner) if inner and _is_table(path) else _read_bytes(path, locator)
        if 0 <= locator.size_bytes != len(data):
            compared = "shorter" if len(data) < locator.size_bytes else "longer"
            raise StorageError(
                f"{locator.source}/{locator.member} is {compared} than when it was indexed "
                f"({len(data)} of {locator.size_bytes} bytes).",
                "Index the pool again.",
            )
        return data

    def _split(self, locator: Locator) -> tuple[Root, str]:
        """The file, and where in it."""
        try:
            root = self.roots[locator.source]
        except KeyError:
            raise RunError(
                f"The pool has no source named {locator.source!r}.",
                f"It has: {', '.join(self.roots) or 'none'}.",
            ) from None
        if locator.source in self._maybe_files and root.is_file():
            root = root.parent  # a source may be one such file; its members begin with its name
        parts = locator.member.split("/")
        if parts[0] == "" or ".." in parts:
            raise StorageError(f"Member {locator.member!r} leaves its source {locator.source!r}.")
        for depth, part in enumerate(parts[:-1], 1):
            if part.lower().endswith(CONTAINERS) and (path := root.joinpath(*parts[:depth])).is_file():
                return path, "/".join(parts[depth:])
        return root / locator.member, ""

    def _read_row(self, path: Root, inner: str) -> bytes:
        row, _, column = inner.partition("/")
        if not (row.isdecimal() and column):
            raise StorageError(f"{path.name}/{inner} names no row and column.", "Index the pool again.")
        return _ROWS.read(path, column, int(row))


def _is_table(path: Root) -> bool:
    return path.suffix.lower() == ".parquet"


def _read_bytes(path: Root, locator: Locator) -> bytes:
    if isinstance(path, RemotePath):
        return path.read_range(locator.offset, locator.size_bytes)
    return patiently(
        lambda: read_range(path, locator.offset, locator.size_bytes),
        f"{locator.source}/{locator.member}",
        locator.source,
    )


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write to; on success it is fsynced and renamed onto `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _fsync_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full: {path} was not written.",
                "Free some space and run the same command again.",
            ) from error
        # Arrow does not say which file it was; what names another one is not about this one.
        if error.errno in REFUSED and error.filename in (None, str(temporary), str(path.parent)):
            raise StorageError(
                f"Cannot write {path}: {os.strerror(error.errno)}.", "See to its rights."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    # The rename itself must reach the disk too, or a power cut could bring the old name back.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_table(path: Path, table: pa.Table) -> None:
    """Write one parquet file atomically.

    Raises:
        StorageError: it cannot be written; that is the folder's fault, never that of a picture in the table.
    """
    try:
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise StorageError(
            f"Cannot write {path}: {error.strerror or error}.", "Mend that and run the same command again."
        ) from error


def table_files(path: Path) -> list[Path]:
    """The parquet file itself, or all `*.parquet` of a folder in the order of their names."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one parquet file, or all `*.parquet` of a folder in the order of their names.

    Raises:
        RunError: there is no such table.
    """
    files = table_files(path)
    if not files or not files[0].exists():
        raise RunError(f"There is no table at {path}.", "Run the stage that writes it first.")
    names = list(columns) if columns is not None else None
    return pa.concat_tables([pq.read_table(file, columns=names) for file in files])


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, keys in the given order."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


# Tells a model that it is dumped to be told apart, not to be read.
FOR_FINGERPRINT = {"purpose": "fingerprint"}


def fingerprint(*values: Any) -> str:
    """16 hex digits of the SHA-256 over the canonical JSON of `values`."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", context=FOR_FINGERPRINT)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot fingerprint a {type(value).__name__}")


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_done(folder: Path, key: str) -> bool:
    """Whether `folder` was finished under this very key."""
    marker = folder / "done.json"
    try:
        return bool(read_json(marker).get("key") == key)
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def mark_done(folder: Path, key: str) -> None:
    """Declare `folder` finished; called last."""
    write_json(folder / "done.json", {"key": key})
