from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.evaluate.votes import read_votes, votes_fingerprint, write_votes

from .raters_of_known_strength import cast, vote

ODD = [
    vote(prompt='a "quoted", prompt;\nof two lines', category="Füchse 狐", seconds=0.1 + 0.2),
    vote(vote_id="v2", rater="bob\u2028", is_repeat=True, answer="tie", prompt="=1+1"),
    vote(vote_id="v3", is_attention_check=True, expected="right", right_model="tuned", seconds=3.0),
    vote(vote_id="v5", rater="-cy", prompt="'=1+1", pair_id="'tis"),
    vote(vote_id="v4", question="text_faithfulness", answer="neither", rater="a model", rater_kind="model"),
]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    votes = [*ODD, *cast({"base": 0.0, "tuned": 1.0}, num_prompts=3)]
    path = tmp_path / f"votes.{ending}"
    write_votes(path, votes)
    assert read_votes(path) == votes
    assert votes_fingerprint(read_votes(path)) == votes_fingerprint(reversed(votes))
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_no_spreadsheet_runs_a_cell(tmp_path: Path) -> None:
    write_votes(tmp_path / "votes.csv", ODD)
    with (tmp_path / "votes.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_no_votes_at_all(tmp_path: Path) -> None:
    for ending in ("jsonl", "csv", "parquet"):
        write_votes(tmp_path / f"votes.{ending}", [])
        assert read_votes(tmp_path / f"votes.{ending}") == []


def test_a_spreadsheet_that_says_only_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "\ufeffvote_id,pair_id,prompt_id,question,left_model,right_model,answer,rater,rater_kind,is_repeat\r\n"
        "v1,p1,fox,visual_appeal,tuned,base,left,ann,person,TRUE\r\n",
        encoding="utf-8",
    )
    assert read_votes(path) == [vote(prompt="", is_repeat=True)]


Change = Callable[[dict[str, Any]], object]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"answer": "both"}, "`answer` is 'both', for visual_appeal none of left, right, tie"),
    ({"answer": "tie", "question": "text_faithfulness"}, "none of left, right, both, neither"),
    ({"question": "beauty"}, "`question` is 'beauty'"),
    ({"rater_kind": "robot"}, "`rater_kind` is 'robot'"),
    ({"rater": " "}, "`rater` is empty"),
    ({"right_model": "tuned"}, "left and right are both by 'tuned'"),
    ({"expected": "left"}, "an attention check, and nothing else"),
    ({"is_attention_check": True}, "an attention check, and nothing else"),
    ({"is_attention_check": True, "expected": "up"}, "`expected` is 'up'"),
    ({"seconds": -1.0}, "`seconds` is -1.0"),
    ({"seconds": float("nan")}, "`seconds` is nan"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_bad_row_is_named(tmp_path: Path, ending: str, change: dict[str, Any], said: str) -> None:
    path = tmp_path / f"votes.{ending}"
    write_votes(path, [vote(), vote(vote_id="v2", **change)])
    with pytest.raises(RunError) as caught:
        read_votes(path)
    assert said in str(caught.value)
    place = {"jsonl": "line 2", "csv": "line 3", "parquet": "row 2"}[ending]
    assert f"votes.{ending}, {place}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.pop("rater_kind"), "`rater_kind` is missing"),
        (lambda row: row.update(mood="good"), "`mood` is no column"),
        (lambda row: row.update(pair_id=7), "`pair_id` is 7, no text"),
        (lambda row: row.update(rater=None), "`rater` is None, no text"),
        (lambda row: row.update(is_repeat="yes"), "`is_repeat` is 'yes'"),
        (lambda row: row.update(seconds=True), "`seconds` is True"),
    ],
)
def test_a_bad_line_of_json(tmp_path: Path, change: Change, said: str) -> None:
    row = asdict(vote())
    change(row)
    path = tmp_path / "votes.jsonl"
    path.write_text(f"{json.dumps(asdict(vote(vote_id='v0')))}\n\n{json.dumps(row)}\n", encoding="utf-8")
    with pytest.raises(RunError, match="line 3") as caught:
        read_votes(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("votes.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("votes.jsonl", b"{]\n", "line 1 is no JSON"),
        ("votes.jsonl", b"\xff\xfe{}\n", "Cannot read votes.jsonl"),
        ("votes.csv", b"rater,rater\na,b\n", "column 'rater' twice"),
        ("votes.csv", b"vote_id,rater\na\n", "line 2 has not as many cells"),
        ("votes.csv", b"vote_id,rater\na,b,c\n", "line 2 has not as many cells"),
        ("votes.csv", b'vote_id,rater\n"a,b\n', "Cannot read votes.csv"),
        ("votes.parquet", b"PAR", "Cannot read votes.parquet"),
        ("votes.txt", b"", "ends in .txt"),
    ],
)
def test_a_file_that_holds_no_votes(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=said):
        read_votes(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no file of votes"):
        read_votes(tmp_path / "votes.csv")
    with pytest.raises(RunError, match="ends in nothing"):
        write_votes(tmp_path / "votes", [])


def test_parquet_by_other_software(tmp_path: Path) -> None:
    path = tmp_path / "votes.parquet"
    table = pa.Table.from_pylist([asdict(vote())]).drop_columns(["seconds", "challenge"])
    pq.write_table(table.set_column(4, "category", pa.nulls(1, pa.large_string())), path)
    assert read_votes(path) == [vote()]
    pq.write_table(table.set_column(0, "vote_id", pa.array([1])), path)
    with pytest.raises(RunError, match="row 1: `vote_id` is 1, no text"):
        read_votes(path)


def test_preferred() -> None:
    assert vote().preferred == "tuned"
    assert vote(answer="right").preferred == "base"
    assert [replace(ODD[3], answer=word).preferred for word in ("both", "neither")] == [None, None]
    assert isinstance(ODD[0], Vote)
