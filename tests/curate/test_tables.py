"""Where there is no room for what does not fit into memory, a sentence says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from photogenic.core.errors import StorageError
from photogenic.curate.rows_on_disk import RowsOnDisk
from photogenic.curate.tables import Tables, like_any, literal

LARGE = "SELECT hash(range) AS number, repeat('x', 100) AS text FROM range(1000000) ORDER BY number"


@pytest.mark.parametrize(
    "ask",
    [
        lambda tables: tables.table(LARGE),
        lambda tables: tables.rows(LARGE),
        lambda tables: list(tables.batches(LARGE)),
    ],
)
def test_a_full_disk_is_a_sentence(tmp_path: Path, ask: Callable[[Tables], object]) -> None:
    with closing(Tables(tmp_path / "scratch")) as tables:
        for setting in ("memory_limit = '40MB'", "max_temp_directory_size = '1MB'", "threads = 1"):
            tables.rows(f"SET {setting}")
        with pytest.raises(StorageError, match=f"The disk is full: {tmp_path}"):
            ask(tables)
        assert tables.rows("SELECT 1") == [(1,)]


def test_no_room_for_the_rows_of_a_metadata_file(tmp_path: Path) -> None:
    rows = RowsOnDisk()
    rows._db.execute("PRAGMA max_page_count = 10")
    with pytest.raises(StorageError, match="disk is full"):
        for number in range(1000):
            rows.add(f"{number}.png", {"text": "x" * 500})


def test_only_the_star_stands_for_something_else(tmp_path: Path) -> None:
    with closing(Tables(tmp_path)) as tables:

        def matches(text: str, *patterns: str) -> bool:
            return bool(tables.rows(f"SELECT {like_any(literal(text), patterns)}")[0][0])

        for text in ("a?c", "a[bc]", "a\\b", "]*[", "a'b", ""):
            assert matches(text, text) and matches(f"{text}!", "*!")
        assert matches("CC-BY-4.0", "nothing", "cc-by*") and not matches("CC", "cc-by*")
        assert not matches("abc", "a?c") and not matches("ab", "a[bc]")
