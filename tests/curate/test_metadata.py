"""Metadata and side-cars as strangers write them: whatever they hold, each picture has its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import RunError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.filters import number
from photogenic.curate.metadata import MAX_LEVELS, MAX_SIDE_CAR_BYTES, plain
from photogenic.curate.pool import index

from .containers import picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "haystack"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def pool(folder: Path, run: Run, **source: Any) -> dict[str, Sample]:
    config = PoolConfig.model_validate({"sources": {"own": {"path": folder, **source}}})
    return {sample.member: sample for sample in iter_samples(index(config, run))}


def log_of(run: Run) -> str:
    return (run.folder / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["text", "key", "tag", "\ud800"])
def test_half_a_character_is_replaced(folder: Path, run: Run, key: str) -> None:
    (folder / "a.json").write_text(json.dumps({key: "x\ud83d"}))  # what cutting a text to a length leaves
    sample = pool(folder, run)["a.png"]
    told = {"text": sample.alt_text, "key": sample.key}.get(key) or sample.fields
    assert told in ("x\ufffd", {"tag": "x\ufffd"}, {"\ufffd": "x\ufffd"})


def test_half_a_character_in_the_name_of_a_file(folder: Path, run: Run) -> None:
    lines = [{"file_name": "a.png", "n": 1}, {"file_name": "b\ud800.png"}]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert set(pool(folder, run)) == {"a.png", "b\ufffd.png"}


@pytest.mark.parametrize("depth", [MAX_LEVELS + 1, 900, 100_000])
def test_what_is_nested_without_end_is_no_json_object(folder: Path, run: Run, depth: int) -> None:
    (folder / "a.json").write_text('{"a":' * depth + "1" + "}" * depth)
    assert pool(folder, run)["a.png"].fields == {}
    assert "left out 1: side-car that is no JSON object" in log_of(run)


def test_levels_up_to_the_limit_are_kept() -> None:
    value: Any = 1
    for _ in range(MAX_LEVELS):
        value = {"a": value}
    assert plain(value) == value
    with pytest.raises(ValueError, match="in one another"):
        plain({"a": value})


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_an_accent_may_be_written_in_two_ways(folder: Path, run: Run, on_disk: Literal["NFC", "NFD"]) -> None:
    name = normalize(on_disk, "\u00e9t\u00e9.png")
    (folder / "a.png").rename(folder / name)
    other: Literal["NFC", "NFD"] = "NFC" if on_disk == "NFD" else "NFD"
    line = {"file_name": normalize(other, name), "text": "summer"}
    (folder / "metadata.jsonl").write_text(json.dumps(line))
    samples = pool(folder, run)
    assert {member: sample.alt_text for member, sample in samples.items()} == {name: "summer"}


def test_a_side_car_without_end_is_left_out(folder: Path, run: Run) -> None:
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbf one\r\ntwo \r")
    assert pool(folder, run)["a.png"].alt_text == "one\ntwo"
    with (folder / "a.txt").open("wb") as file:
        file.truncate(MAX_SIDE_CAR_BYTES + 1)  # of holes: it takes no room
    assert pool(folder, run)["a.png"].alt_text == ""
    assert "left out 1: side-car that is too large" in log_of(run)


def test_a_key_of_zero_is_a_key(folder: Path, run: Run) -> None:
    (folder / "a.json").write_text('{"key": 0}')
    assert pool(folder, run)["a.png"].key == "0"


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", 10**400, "nan", None, [1], "many"])
def test_what_is_no_finite_number_is_unknown(value: object) -> None:
    assert number(value) != number(value)
    assert number("1e3") == number(1000) == 1000.0


def test_lines_of_every_kind(folder: Path, run: Run) -> None:
    lines = [
        b'\xef\xbb\xbf{"file_name": "a.png", "text": "caf\xe9"}',  # a byte order mark, and latin-1
        b'{"file_name": "./a.png", "text": "again"}',
        b"",
        b"no json",
        b'{"text": "of nothing"}',
        b'{"file_name": "gone"}',
        b'{"file_name": "gone.png"}',
    ]
    (folder / "metadata.jsonl").write_bytes(b"\r\n".join(lines))
    samples = pool(folder, run)
    assert {name: sample.alt_text for name, sample in samples.items()} == {
        "a.png": "caf\ufffd",
        "gone.png": "",
    }
    for reason in (
        "left out 1: metadata row for a file that has one",
        "left out 1: metadata line that is no JSON object",
        "left out 2: metadata row without file_name",  # the line that is no JSON, and the one without
        "left out 1: metadata row whose file is not there and has no suffix of a picture",
    ):
        assert reason in log_of(run)
    rows = read_table(run.folder / "pool" / "left_out.parquet").to_pylist()
    assert [row["member"] for row in rows] == ["gone"]


def test_a_long_cell_of_a_csv_file(folder: Path, run: Run) -> None:
    (folder / "metadata.csv").write_text(f'file_name,text\na.png,"{"x" * 200_000}"\nb.png\n')
    assert len(pool(folder, run)["a.png"].alt_text) == 200_000
    (folder / "metadata.csv").write_text('file_name,text\na.png,"' + "x\n" * (2**23 + 1))
    with pytest.raises(RunError, match=r"Cannot read .*metadata.csv: field larger than"):
        pool(folder, run)


@pytest.mark.parametrize("where", ["metadata", "rows", "paths"])
def test_values_that_python_has_none_for(folder: Path, run: Run, where: str) -> None:
    moments = [1_234_567_890_123_456_789] * 2
    table = pa.table(
        {
            "when": pa.array(moments, pa.timestamp("ns")),
            "far": pa.array([2**40, 0], pa.timestamp("s")),
            "stray": pa.array([b"\xff!", b"fine"]).view(pa.string()),
        }
    )
    if where == "rows":
        (folder / "a.png").unlink()
        table = table.append_column("image", pa.array([picture(), picture("blue")]))
    else:
        table = table.append_column("file_name", pa.array(["a.png", "b.png"]))
    name = "metadata.parquet" if where == "metadata" else "table.parquet"
    pq.write_table(table, folder / name)
    samples = list(pool(folder, run, **({"path_column": "file_name"} if where == "paths" else {})).values())
    assert samples[0].fields["when"] == "2009-02-13 23:31:30.123456789"
    assert samples[0].fields["stray"] == "\ufffd!" and samples[1].fields["stray"] == "fine"
    assert samples[1].fields["far"] == "1970-01-01 00:00:00" and samples[0].fields["far"]
