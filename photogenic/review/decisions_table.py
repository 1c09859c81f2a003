"""Decisions go out: one row per event that counts or once counted; JSONL, CSV and parquet hold the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, select

from photogenic.core.errors import RunError
from photogenic.core.shards import atomic_path
from photogenic.web.downloads import harmless
from photogenic.web.tables import events, items, judgments, people, queues

SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("kind", pa.string()),  # decide | caption | approve | return | adjudicate | undo
        ("round", pa.string()),
        ("sample_id", pa.string()),
        ("key", pa.string()),
        ("purpose", pa.string()),  # work | gold | calibration
        ("person", pa.string()),
        ("annotator_kind", pa.string()),  # person | model
        ("role", pa.string()),
        ("verdict", pa.string()),
        ("keep", pa.string()),  # 1 | 0 | empty: reads as a CSV of `review.decisions`
        ("caption", pa.string()),
        ("counts", pa.bool_()),  # false: taken back or replaced
        ("received_at", pa.string()),  # ISO 8601, UTC
        ("body", pa.string()),  # JSON: all that was said
    ]
)
FORMATS = ("jsonl", "csv", "parquet")
ROWS_AT_ONCE = 5000


def decision_rows(connection: Connection) -> Iterator[dict[str, Any]]:
    """All events of all rounds, oldest first, as rows of SCHEMA."""
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(events, queues.c.title, items.c.body.label("item"), items.c.purpose, items.c.adjudication)
        .add_columns(people.c.kind.label("annotator_kind"))
        .add_columns(people.c.name, people.c.role, judgments.c.event_id.label("present"))
        .join(queues, queues.c.queue_id == events.c.queue_id)
        .join(items, items.c.item_id == events.c.item_id)
        .join(people, people.c.person_id == events.c.person_id)
        .outerjoin(judgments, judgments.c.event_id == events.c.event_id)
        .order_by(events.c.seq)
    )
    for row in rows:
        body, item = json.loads(row.body), json.loads(row.item)
        verdict = body.get("verdict")
        yield {
            "event_id": row.event_id,
            "kind": row.kind,
            "round": row.title,
            "sample_id": item.get("sample_id", ""),
            "key": item.get("metadata", {}).get("key", ""),
            "purpose": row.purpose,
            "person": row.name,
            "annotator_kind": row.annotator_kind,
            "role": row.role,
            "verdict": verdict or "",
            "keep": {"keep": "1", "drop": "0"}.get(verdict, ""),
            "caption": body.get("text", ""),
            "counts": row.present is not None or row.adjudication == row.event_id,
            "received_at": datetime.fromtimestamp(row.received_at, UTC).isoformat(),
            "body": row.body,
        }


def write_decisions(connection: Connection, path: Path) -> int:
    """Write .jsonl, .csv or .parquet; how many rows.

    Raises:
        RunError: the file has another ending.
    """
    suffix = path.suffix.lstrip(".")
    if suffix not in FORMATS:
        raise RunError(f"{path.name} ends in {path.suffix or 'nothing'}.", "Use .jsonl, .csv or .parquet.")
    count = 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for chunk in encoded(decision_rows(connection), suffix):
            file.write(chunk[0])
            count += chunk[1]
    return count


def encoded(rows: Iterator[dict[str, Any]], suffix: str) -> Iterator[tuple[bytes, int]]:
    """(bytes, number of rows in them), piece by piece."""
    if suffix == "parquet":
        table = pa.Table.from_pylist(list(rows), SCHEMA)
        memory = io.BytesIO()
        pq.write_table(table, memory)
        yield memory.getvalue(), table.num_rows
        return
    if suffix == "csv":
        yield _csv_line(SCHEMA.names), 0
    for row in rows:
        if suffix == "csv":
            cells = [str(value).lower() if isinstance(value, bool) else value for value in row.values()]
            yield _csv_line([harmless(cell) for cell in cells]), 1
        else:
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n", 1


def _csv_line(cells: list[Any]) -> bytes:
    memory = io.StringIO()
    csv.writer(memory).writerow(cells)
    return memory.getvalue().encode()
