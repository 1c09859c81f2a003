"""Backup and restore: an online copy of a SQLite file, or a dump that any database can read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.exc import DatabaseError

from photogenic.core.errors import RunError
from photogenic.core.shards import atomic_path
from photogenic.web.database import Database, refresh_statistics
from photogenic.web.tables import METADATA

FORMAT = "photogenic backup 1"
ROWS_AT_ONCE = 2000
SKIPPED = ("sessions",)  # whoever was signed in signs in again


def backup(database: Database, path: Path, extra: Sequence[MetaData] = ()) -> str:
    """Write a consistent backup while the server runs: `.jsonl` of any database, else a SQLite file.

    Raises:
        RunError: a SQLite file was asked of another database.
    """
    if path.suffix == ".jsonl":
        with (
            database.reading() as connection,
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            lines = sum(bool(file.write(line)) for line in _lines(connection, extra))
        return f"{path}: {lines - 1} rows"
    if not database.is_sqlite:
        raise RunError("This database is no SQLite file.", "Name the backup .jsonl.")
    with atomic_path(path) as temporary:
        source = sqlite3.connect(str(database.engine.url.database))
        target = sqlite3.connect(temporary)
        try:
            source.backup(target)
            _forget_sessions(target)
        finally:
            target.close()
            source.close()
    return f"{path}: {path.stat().st_size:,} bytes"


def restore(database: Database, path: Path, extra: Sequence[MetaData] = ()) -> str:
    """Bring a backup of either kind into a database whose tables are there and empty.

    Raises:
        RunError: the database holds people or events, or the file is no backup.
    """
    if not path.is_file():
        raise RunError(f"There is no backup at {path}.")
    with database.writing() as connection:
        for table in _tables(extra):
            if connection.execute(select(func.count()).select_from(table)).scalar_one():
                raise RunError(
                    "The database is not empty, and a restore would mix two histories.",
                    "Name another database in the recipe, or move the old file away.",
                )
        rows = _dumped(path) if path.suffix == ".jsonl" else _copied(path, extra)
        count = _load(connection, rows, extra)
        _continue_counting(connection, database, extra)
        refresh_statistics(connection)
    return f"{count} rows from {path}"


def _forget_sessions(copy: sqlite3.Connection) -> None:
    """A copy to be kept is one file, and nobody is signed in by it."""
    copy.execute("PRAGMA journal_mode = DELETE")
    for name in SKIPPED:
        copy.execute(f"DELETE FROM {name}")
    copy.commit()
    copy.execute("VACUUM")  # else the rows would still lie in pages that are free


def _tables(extra: Sequence[MetaData]) -> list[Table]:
    found = [table for metadata in (METADATA, *extra) for table in metadata.sorted_tables]
    return [table for table in found if table.name not in SKIPPED]


def _lines(connection: Connection, extra: Sequence[MetaData]) -> Iterator[str]:
    yield json.dumps({"format": FORMAT}) + "\n"
    for table in _tables(extra):
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
        for row in rows.mappings():
            yield json.dumps({"table": table.name, "row": dict(row)}, ensure_ascii=False) + "\n"


def _dumped(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        try:
            first = json.loads(file.readline() or "{}")
            if first.get("format") != FORMAT:
                raise RunError(f"{path.name} is no backup of ours.")
            for line in file:
                row = json.loads(line)
                yield row["table"], row["row"]
        except (json.JSONDecodeError, KeyError, AttributeError) as error:
            raise RunError(f"{path.name} is damaged: {error}.", "Nothing was restored.") from error


def _copied(path: Path, extra: Sequence[MetaData]) -> Iterator[tuple[str, dict[str, Any]]]:
    copy = Database(f"sqlite:///{path.resolve()}")
    try:
        with copy.reading() as connection:
            if not inspect(connection).has_table("events"):
                raise RunError(f"{path.name} is no backup of ours.")
            for table in _tables(extra):
                present = {column["name"] for column in inspect(connection).get_columns(table.name)}
                columns = [column for column in table.c if column.name in present]  # an older one has fewer
                for row in connection.execute(select(*columns)).mappings():
                    yield table.name, dict(row)
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise RunError(f"{path.name} is no backup of ours, or damaged: {error}.") from error
    finally:
        copy.close()


def _load(
    connection: Connection, rows: Iterator[tuple[str, dict[str, Any]]], extra: Sequence[MetaData]
) -> int:
    tables = {table.name: table for table in _tables(extra)}
    waiting: list[dict[str, Any]] = []
    current, count = "", 0

    def flush() -> None:
        if waiting:
            connection.execute(insert(tables[current]), waiting)
            waiting.clear()

    for name, row in rows:
        if name not in tables:
            raise RunError(f"The backup has a table {name!r} that this photogenic does not know.")
        if name != current or len(waiting) == ROWS_AT_ONCE:
            flush()
            current = name
        waiting.append(row)
        count += 1
    flush()
    return count


def _continue_counting(connection: Connection, database: Database, extra: Sequence[MetaData]) -> None:
    """PostgreSQL counts apart from its tables; the next row gets the next number."""
    if database.is_sqlite:
        return
    for table in _tables(extra):
        if "seq" in table.c:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'seq'),"
                    f" (SELECT COALESCE(MAX(seq), 0) + 1 FROM {table.name}), false)"
                )
            )
