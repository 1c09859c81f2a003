"""Fingerprints of what a run takes from outside: the user's files, and models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from photogenic.core.shards import file_fingerprint, fingerprint

HASHED_BELOW_BYTES = (
    64 * 2**20
)  # larger files are told apart by size and time: hashing 10 GB takes half a minute


def listing_of(path: Path) -> str:
    """Changes with every file that is added, removed or rewritten at or below `path`; no file is opened."""
    rows = []
    for file in _files(path):
        stat = file.stat()
        rows.append((file.relative_to(path).as_posix(), stat.st_size, stat.st_mtime_ns))
    return fingerprint(str(path.resolve()), rows)


def model_fingerprint(folder: Path, files: Iterable[Path] | None = None) -> str:
    """Changes with the content of a model's `files`, by default all of them, wherever the folder lies."""
    rows: list[tuple[str, int, object]] = []
    for file in _files(folder) if files is None else sorted(files):
        stat = file.stat()
        told_by = file_fingerprint(file) if stat.st_size < HASHED_BELOW_BYTES else stat.st_mtime_ns
        rows.append((file.relative_to(folder).as_posix(), stat.st_size, told_by))
    return fingerprint(rows)


def _files(path: Path) -> list[Path]:
    """The file itself, or all files below the folder but hidden ones and byte code, by name."""
    if path.is_file():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sorted(file for file in found if not file.name.startswith("."))
