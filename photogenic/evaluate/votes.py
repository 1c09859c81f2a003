"""Votes come in and go out: JSONL, CSV and parquet hold the same rows."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.core.shards import atomic_path, fingerprint, write_table
from photogenic.web.downloads import as_written, harmless

ANSWERS = {
    "visual_appeal": ("left", "right", "tie"),
    "text_faithfulness": ("left", "right", "both", "neither"),
}
RATER_KINDS = ("person", "model")
VOTES_SCHEMA = pa.schema(
    [
        ("vote_id", pa.string()),
        ("pair_id", pa.string()),
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("category", pa.string()),
        ("challenge", pa.string()),
        ("question", pa.string()),
        ("left_model", pa.string()),
        ("right_model", pa.string()),
        ("answer", pa.string()),
        ("rater", pa.string()),
        ("rater_kind", pa.string()),
        ("seconds", pa.float64()),
        ("is_repeat", pa.bool_()),
        ("is_attention_check", pa.bool_()),
        ("expected", pa.string()),
    ]
)
NEEDED = (
    "vote_id",
    "pair_id",
    "prompt_id",
    "question",
    "left_model",
    "right_model",
    "answer",
    "rater",
    "rater_kind",
)
DEFAULTS: Mapping[str, Any] = {
    "prompt": "",
    "category": "",
    "challenge": "",
    "seconds": None,
    "is_repeat": False,
    "is_attention_check": False,
    "expected": None,
}
TRUE_WORDS, FALSE_WORDS = ("true", "1"), ("false", "0", "")


class BadVoteError(ValueError):
    """What is wrong with one row; whoever reads the file adds where it stands."""


def read_votes(path: Path) -> list[Vote]:
    """All rows of a .jsonl, .csv or .parquet file, in their order.

    Raises:
        RunError: the file cannot be read, or a row is no vote; the sentence names its line.
    """
    if not path.is_file():
        raise RunError(f"There is no file of votes at {path}.")
    try:
        rows = _readers(path)(path)
        return [_placed(row, f"{path.name}, {place}") for place, row in rows]
    except (UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        raise RunError(f"Cannot read {path.name}: {error}.") from error


def write_votes(path: Path, votes: Sequence[Vote]) -> None:
    """Write .jsonl, .csv or .parquet; reading it again gives equal votes."""
    _readers(path)  # refuses the ending before anything is written
    rows = [asdict(vote) for vote in votes]
    if path.suffix == ".parquet":
        write_table(path, pa.Table.from_pylist(rows, VOTES_SCHEMA))
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, VOTES_SCHEMA.names)
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def votes_fingerprint(votes: Iterable[Vote]) -> str:
    """The same for the same votes, whatever the format of their file and the order of its rows."""
    return fingerprint(sorted((asdict(vote) for vote in votes), key=lambda row: json.dumps(row)))


# --- files ---------------------------------------------------------------------------------------------


def _readers(path: Path) -> Any:
    readers = {".jsonl": _jsonl_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}
    if path.suffix not in readers:
        raise RunError(f"{path.name} ends in {path.suffix or 'nothing'}.", f"Use {', '.join(readers)}.")
    return readers[path.suffix]


def _jsonl_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                raise RunError(f"{path.name}, line {line} is no JSON: {error.msg}.") from error
            if not isinstance(row, dict):
                raise RunError(f"{path.name}, line {line} is no JSON object.")
            yield f"line {line}", row


def _csv_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        columns = list(reader.fieldnames or [])
        doubled = sorted({name for name in columns if columns.count(name) > 1})
        if doubled:
            raise RunError(f"{path.name} has the column {doubled[0]!r} twice.")
        for row in reader:
            place = f"line {reader.line_num}"
            if None in row or None in row.values():
                raise RunError(f"{path.name}, {place} has not as many cells as the first line has columns.")
            yield place, {name: _value(name, cell) for name, cell in row.items()}


def _parquet_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    number = 0
    for batch in pq.ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            number += 1
            yield f"row {number}", row


def _cell(value: Any) -> Any:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else harmless(value)


def _value(name: str, cell: str) -> Any:
    """What a CSV's cell means; one that means nothing stays text, and the checks name it."""
    if name in ("is_repeat", "is_attention_check"):
        word = cell.strip().lower()
        return True if word in TRUE_WORDS else False if word in FALSE_WORDS else cell
    if name == "seconds" and cell:
        try:
            return float(cell)
        except ValueError:
            return cell
    return None if name in ("seconds", "expected") and not cell else as_written(cell)


# --- one row -------------------------------------------------------------------------------------------


def _placed(row: Mapping[str, Any], place: str) -> Vote:
    try:
        return vote_of(row)
    except BadVoteError as error:
        raise RunError(f"{place}: {error}.") from error


def vote_of(row: Mapping[str, Any]) -> Vote:
    """The row as a record.

    Raises:
        BadVoteError: a column is missing, unknown or of the wrong kind, or the columns contradict each other.
    """
    unknown = [name for name in row if name not in VOTES_SCHEMA.names]
    if unknown:
        raise BadVoteError(f"`{unknown[0]}` is no column of votes")
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise BadVoteError(f"`{missing[0]}` is missing")
    # Other software writes null where it has nothing to say.
    values = {**DEFAULTS, **{name: cell for name, cell in row.items() if cell is not None or name in NEEDED}}
    _check_kinds(values)
    vote = Vote(**values)
    _check_words(vote)
    _check_sense(vote)
    return vote


def _check_kinds(values: dict[str, Any]) -> None:
    for name in ("is_repeat", "is_attention_check"):
        if not isinstance(values[name], bool):
            raise BadVoteError(f"`{name}` is {values[name]!r}, neither true nor false")
    seconds = values["seconds"]
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        values["seconds"] = seconds = float(seconds)
    if seconds is not None and not (isinstance(seconds, float) and math.isfinite(seconds) and seconds >= 0):
        raise BadVoteError(f"`seconds` is {seconds!r}, no time")
    for field in VOTES_SCHEMA:
        value = values[field.name]
        if (
            field.type == pa.string()
            and not isinstance(value, str)
            and (field.name, value) != ("expected", None)
        ):
            raise BadVoteError(f"`{field.name}` is {value!r}, no text")
        if field.name in NEEDED and not value.strip():
            raise BadVoteError(f"`{field.name}` is empty")


def _check_words(vote: Vote) -> None:
    if vote.question not in ANSWERS:
        raise BadVoteError(f"`question` is {vote.question!r}, none of {', '.join(ANSWERS)}")
    if vote.rater_kind not in RATER_KINDS:
        raise BadVoteError(f"`rater_kind` is {vote.rater_kind!r}, none of {', '.join(RATER_KINDS)}")
    answers = ANSWERS[vote.question]
    for name, answer in (("answer", vote.answer), ("expected", vote.expected)):
        if answer is not None and answer not in answers:
            raise BadVoteError(f"`{name}` is {answer!r}, for {vote.question} none of {', '.join(answers)}")


def _check_sense(vote: Vote) -> None:
    if vote.is_attention_check != (vote.expected is not None):
        raise BadVoteError("an attention check, and nothing else, has an `expected` answer")
    if vote.left_model == vote.right_model and not vote.is_attention_check:
        raise BadVoteError(f"left and right are both by {vote.left_model!r}")
