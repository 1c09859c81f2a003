"""Answers to ballots become votes: what was answered, joined by the ballot's id with what the key knows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.evaluate.votes import BadVoteError, vote_of

# As on the page: 1 left, 2 right, 0 alike or both, 3 neither.
KEYS = {
    "visual_appeal": {"1": "left", "2": "right", "0": "tie"},
    "text_faithfulness": {"1": "left", "2": "right", "0": "both", "3": "neither"},
}
ENDINGS = (".csv", ".jsonl")


@dataclass(frozen=True)
class Returned:
    """The votes, and how many ballots of those files have no answer."""

    votes: list[Vote]
    num_blank: int


def take_in(path: Path, key: Sequence[Mapping[str, Any]]) -> Returned:
    """Read the answers in `path`, a file or a folder of them (.csv, .jsonl): columns `id` and `answer`.

    An answer is a word of its question, or the key that stands for it on the page; `seconds` may be told too.
    Other columns are not looked at: what a ballot is about is in the key alone.

    Raises:
        RunError: there is no such file, a line has no id of the key or no possible answer, or one ballot has
            two answers.
    """
    given = {row["vote_id"]: row for row in key}
    answered: dict[str, Vote] = {}
    blank: set[str] = set()
    for place, row in _rows(path):
        ballot_id, answer = (str(row.get(name) or "").strip() for name in ("id", "answer"))
        if ballot_id not in given:
            raise RunError(f"{place}: {ballot_id!r} is the id of no ballot that was handed out here.")
        if not answer:
            blank.add(ballot_id)
            continue
        vote = _vote(place, given[ballot_id], answer.lower(), row.get("seconds"))
        if answered.setdefault(ballot_id, vote).answer != vote.answer:
            raise RunError(
                f"{place}: ballot {ballot_id} has two answers.", "Leave out the one that does not hold."
            )
    return Returned(list(answered.values()), len(blank - set(answered)))


def _vote(place: str, ballot: Mapping[str, Any], answer: str, seconds: Any) -> Vote:
    row = {name: value for name, value in ballot.items() if name != "pairs"}
    word = KEYS[ballot["question"]].get(answer, answer)
    try:
        return vote_of({**row, "answer": word, "seconds": _number(seconds)})
    except BadVoteError as error:
        raise RunError(f"{place}: {error}.") from error


def _number(seconds: Any) -> Any:
    if not isinstance(seconds, str):
        return seconds
    try:
        return float(seconds) if seconds.strip() else None
    except ValueError:
        return seconds  # what is wrong with it is said where votes are checked


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [file for file in files if file.suffix in ENDINGS]
    if not files or not all(file.is_file() for file in files):
        raise RunError(f"There are no answers (.csv or .jsonl) in {path}.")
    for file in files:
        name = f"{file.parent.name}/{file.name}"
        try:
            for line, row in _lines(file):
                yield f"{name}, line {line}", row
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            raise RunError(f"Cannot read {name}: {error}.") from error


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        if file.suffix == ".csv":
            reader = csv.DictReader(text, strict=True)
            for row in reader:
                yield reader.line_num, row
        else:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, _object(line)


def _object(text: str) -> Mapping[str, Any]:
    row = json.loads(text)
    if not isinstance(row, dict):
        raise ValueError(f"no JSON object: {text.strip()[:40]}")
    return row
