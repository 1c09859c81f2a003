"""An export of ours, read back: many rows for a sample become its last word and its finished caption."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from photogenic.review.annotators import called, caption_source, who_looked

Rows = list[tuple[int, dict[str, str]]]  # with the line or row where each stands
COLUMNS = frozenset(("event_id", "kind", "round", "person", "counts", "body"))
SECOND_LOOKS = ": second looks"  # after the round's title, of the queue in which its rejects come back


def is_export(columns: Iterable[str]) -> bool:
    """Whether these are the columns of `photogenic review --export`."""
    return set(columns) >= COLUMNS


def last_words(rows: Rows, column: str) -> Rows:
    """One row for each sample: what the last round that saw it came to, who said so, and its caption."""
    titles = dict.fromkeys(row["round"].removesuffix(SECOND_LOOKS) for _, row in rows)
    begun: dict[str, float] = {title: number for number, title in enumerate(titles)}
    # Second looks belong to their round, however late somebody took them.
    begun |= {f"{title}{SECOND_LOOKS}": number + 0.5 for title, number in begun.items()}
    counting = [(line, row) for line, row in rows if row["counts"] == "true"]
    captions = _captions([row for _, row in counting], column)
    written = {row[column].strip() for _, row in counting if row["kind"] == "caption"}
    decided: dict[str, Rows] = defaultdict(list)
    for line, row in counting:
        if row["kind"] in ("decide", "adjudicate"):
            decided[row[column].strip()].append((line, row))
    settled = []
    for name, said in decided.items():
        latest = max(begun[row["round"]] for _, row in said)
        final = [(line, row) for line, row in said if begun[row["round"]] == latest]
        caption, source = captions.get(name, ("", ""))
        word = {"keep": _keep([row for _, row in final]), "caption": caption, "caption_source": source}
        word["unread"] = "1" if name in written and name not in captions else ""
        people = " and ".join(sorted({called(row["person"], _kind(row)) for _, row in final}))
        people += who_looked(_kind(row) for _, row in said)
        settled.append((final[-1][0], {column: name, "decided_by": people, **word}))
    return settled


def _keep(said: Sequence[Mapping[str, str]]) -> str:
    """The lead's word, else that of most; a tie that nobody has settled keeps nothing."""
    heard = [row for row in said if row["kind"] == "adjudicate"][-1:] or said
    return "1" if 2 * sum(row["keep"] == "1" for row in heard) > len(heard) else "0"


def _kind(row: Mapping[str, str]) -> str:
    return row.get("annotator_kind") or "person"  # exports were once without


def _captions(rows: Sequence[Mapping[str, str]], column: str) -> dict[str, tuple[str, str]]:
    """Name -> caption and its source; only those approved, where second readers have approved any."""
    approved = {json.loads(row["body"])["caption_event_id"] for row in rows if row["kind"] == "approve"}
    return {
        row[column].strip(): (
            row["caption"],
            caption_source(_kind(row)),
        )
        for row in rows
        if row["kind"] == "caption" and (not approved or row["event_id"] in approved)
    }
