"""Files that are whole or not there, and fingerprints of whatever a configuration holds."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.config import StrictModel
from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import sample_id_for
from photogenic.core.shards import (
    atomic_path,
    file_fingerprint,
    fingerprint,
    is_done,
    mark_done,
    read_table,
    write_json,
    write_table,
)


def test_what_breaks_while_it_is_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": 1})
    whole = path.read_bytes()
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_bytes() == whole and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_a_sentence_that_names_the_file(tmp_path: Path, code: int) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(StorageError, match=f"{path}"), atomic_path(path):
        raise OSError(code, "Failed to open local file")  # as Arrow says it: without the file
    with pytest.raises(PermissionError), atomic_path(path):
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/else")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"Cannot write .*/file/a\.parquet"):
        write_table(tmp_path / "file" / "a.parquet", pa.table({"a": [1]}))


def test_a_folder_of_tables_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_table(tmp_path / f"{number:05d}.parquet", pa.table({"n": [number], "m": [0]}))
    assert read_table(tmp_path, ["n"]).to_pydict() == {"n": [0, 1, 2]}
    for missing in (tmp_path / "none.parquet", tmp_path / "none"):
        with pytest.raises(RunError, match="no table at"):
            read_table(missing)


def test_a_marker_is_of_one_key(tmp_path: Path) -> None:
    assert not is_done(tmp_path, "a")
    mark_done(tmp_path, "a")
    assert is_done(tmp_path, "a") and not is_done(tmp_path, "b")
    (tmp_path / "done.json").write_text('{"key": "a')
    assert not is_done(tmp_path, "a")


@dataclass(frozen=True)
class Pair:
    left: int
    right: Path


class Settings(StrictModel):
    num: int = 1


def test_a_fingerprint_follows_every_value_and_no_order_of_keys(tmp_path: Path) -> None:
    values: list[object] = [1, "1", 1.5, None, [], {}, [1], [[1]], {"a": 1}, {"a": [1]}]
    values += [Pair(1, Path("a")), Pair(1, Path("b")), Settings(), Settings(num=2), "\ud800"]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    with pytest.raises(TypeError, match="cannot fingerprint a set"):
        fingerprint({1})
    (tmp_path / "a").write_bytes(b"abc")
    assert file_fingerprint(tmp_path / "a").startswith("ba7816bf8f01cfea")  # SHA-256 of FIPS 180-2


def test_a_sample_is_told_by_source_member_and_key() -> None:
    assert len(sample_id_for("s", "m", "k")) == 24
    named = [
        ("s", "m", "k"),
        ("s", "m", "k2"),
        ("s", "mk", ""),
        ("sm", "", "k"),
        ("s", "", "mk"),
        ("", "s", "mk"),
    ]
    assert len({sample_id_for(*names) for names in named}) == len(named)
