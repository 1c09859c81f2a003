"""The rows of decisions made elsewhere: what each one says, checked before any of them is taken."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogenic.core.errors import RunError
from photogenic.review.annotators import kind_in
from photogenic.review.decisions import Criteria, read_caption, read_decision
from photogenic.review.imports import KEEP_WORDS
from photogenic.review.last_words import Rows

EVENT_IDS = uuid.UUID("6f0b7c52-3f0e-4c1b-9f60-1d4f1f8f2a57")  # the same row has the same id
READERS = ("approve", "return")
KINDS = (*READERS, "caption", "decide", "adjudicate")
DROP_WORDS = frozenset(("drop", "dropped", "reject", "rejected", "no", "n", "0", "0.0", "false", "f"))
ID = re.compile(r"[0-9a-fA-F-]{36}")
NUMBERS = ("active_ms", "guidelines_version")


@dataclass(frozen=True)
class Said:
    """One row: who said what of which picture."""

    line: int
    round: str  # empty: the round that is open
    person: str
    annotator_kind: str  # person | model
    role: str  # empty: one that works in this round
    sample_id: str
    kind: str
    body: dict[str, Any]
    event_id: str  # empty: made from the row
    at: str

    @property
    def is_late(self) -> bool:
        """Whether it speaks of what others have said before."""
        return self.kind in READERS or self.kind == "adjudicate"


def read_said(path: Path, rows: Rows, column: str, sample_ids: Mapping[int, str]) -> Iterator[Said]:
    """What the rows say. Those of an export that were taken back or replaced say nothing any more.

    Raises:
        RunError: a row cannot be read.
    """
    for line, row in rows:
        if row.get("counts") == "false" or row.get("kind") == "undo":
            continue
        where = f"{path.name}, line {line}"
        person, kind = row["person"].strip(), _kind(row, where)
        if not person:
            raise RunError(f"{where}: `person` is empty.", "Every decision is somebody's.")
        event_id = row.get("event_id", "").strip()
        if event_id and not ID.fullmatch(event_id):
            raise RunError(f"{where}: `event_id` is no UUID.", "Leave it out: one is made from the row.")
        yield Said(
            line=line,
            round=row.get("round", "").strip(),
            person=person,
            annotator_kind=kind_in(row, where),
            role=row.get("role", "").strip(),
            sample_id=sample_ids[line],
            kind=kind,
            body=_body(row, kind, where),
            event_id=event_id.lower(),
            at=(row.get("at") or row.get("received_at") or "")[:40],
        )


def _kind(row: Mapping[str, str], where: str) -> str:
    """What the row is: named in `kind`, or told by what it holds."""
    kind = row.get("kind", "").strip() or ("caption" if _caption(row) and not _word(row) else "decide")
    if kind not in KINDS:
        raise RunError(f"{where}: `kind` is {kind!r}.", f"Use {', '.join(KINDS)}, or leave it out.")
    return kind


def _body(row: Mapping[str, str], kind: str, where: str) -> dict[str, Any]:
    """The event's body, by the same rules as one from a screen."""
    try:
        body = json.loads(row.get("body") or "{}") or _told(row, kind)
        if kind in READERS:
            read_caption(kind, {"caption_event_id": ""} | body)
        else:
            (read_caption if kind == "caption" else read_decision)(kind, body)
    except (ValueError, AttributeError, TypeError) as error:
        raise RunError(f"{where}: {error}") from error
    return dict(body)


def _told(row: Mapping[str, str], kind: str) -> dict[str, Any]:
    numbers = {name: int(row[name]) for name in NUMBERS if row.get(name)}
    words = {"words": row["words"].strip()} if row.get("words", "").strip() else {}
    if kind == "caption":
        return {"text": _caption(row), **numbers}
    if kind in READERS:
        return words | {name: numbers[name] for name in ("active_ms",) if name in numbers}
    if kind == "adjudicate":
        return {"verdict": _verdict(row)} | words
    reason = {"reason": row["reason"].strip()} if row.get("reason", "").strip() else {}
    criteria = _criteria(row)
    return (
        {"verdict": _verdict(row)} | ({"criteria": criteria} if criteria else {}) | reason | words | numbers
    )


def _caption(row: Mapping[str, str]) -> str:
    return row.get("caption", "").strip()


def _word(row: Mapping[str, str]) -> str:
    return (row.get("verdict") or row.get("keep") or "").strip().lower()


def _verdict(row: Mapping[str, str]) -> str:
    """keep, drop or unsure; of `verdict`, or of `keep` as in `review.decisions`."""
    word = _word(row)
    return "keep" if word in KEEP_WORDS else "drop" if word in DROP_WORDS else word


def _criteria(row: Mapping[str, str]) -> dict[str, int]:
    """Stars: the column `criteria` as JSON, or a column for each."""
    told = json.loads(row.get("criteria") or "{}")
    cells = {name: row[name] for name in Criteria.model_fields if row.get(name)}
    return {name: int(float(value)) for name, value in (told | cells).items() if value is not None}
