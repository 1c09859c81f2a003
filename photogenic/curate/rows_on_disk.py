"""Rows of a large metadata file, found by member: on disk, for a pool may have millions."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from photogenic.core.errors import StorageError

Row = dict[str, Any]


class RowsOnDisk:
    """Member -> row, in a temporary file that goes with its owner. The first row of a member stays.

    Raises:
        StorageError: there is no room for the file.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("")  # a file that has no name and is gone when it is closed
        self._db.execute("PRAGMA cache_size = -8000")  # kB in memory
        self._db.execute("CREATE TABLE rows (member TEXT PRIMARY KEY, row TEXT) WITHOUT ROWID")

    def add(self, member: str, row: Mapping[str, Any]) -> bool:
        """False where the member has a row."""
        text = json.dumps(row, ensure_ascii=True, default=str)
        try:
            added = self._db.execute("INSERT OR IGNORE INTO rows VALUES (?, ?)", (member, text))
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"{tempfile.gettempdir()} takes the rows of a metadata file while it is read: {error}.",
                "Free some space there, or set TMPDIR to a folder with more, and run the same command again.",
            ) from error
        return added.rowcount == 1

    def get(self, member: str) -> Row:
        """Its row; an empty one where it has none."""
        found = self._db.execute("SELECT row FROM rows WHERE member = ?", (member,)).fetchone()
        return dict(json.loads(found[0])) if found else {}

    def items(self) -> Iterator[tuple[str, Row]]:
        """All rows, sorted by member."""
        for member, row in self._db.execute("SELECT member, row FROM rows ORDER BY member"):
            yield member, json.loads(row)
