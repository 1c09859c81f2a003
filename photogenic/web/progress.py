"""How far a queue is and how fast its people are, whatever is judged in it: for the lead's eyes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Integer, Row, case, cast, func, select

from photogenic.web.tables import events, items, judgments


def given_by_each(connection: Connection, queue_id: str) -> dict[str, list[Row[Any]]]:
    """person_id -> rows (answer, purpose, expected, num, active_ms, num_timed), one for each sort of them."""
    rows = connection.execute(
        select(judgments.c.person_id, judgments.c.answer, items.c.purpose, items.c.expected)
        .add_columns(func.count().label("num"), func.sum(judgments.c.active_ms).label("active_ms"))
        .add_columns(func.sum(case((judgments.c.active_ms > 0, 1), else_=0)).label("num_timed"))
        .join(items, items.c.item_id == judgments.c.item_id)
        .where(judgments.c.queue_id == queue_id)
        .group_by(judgments.c.person_id, judgments.c.answer, items.c.purpose, items.c.expected)
    )
    by_person: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_person[row.person_id].append(row)
    return dict(by_person)


def time_of(given: Iterable[Row[Any]]) -> dict[str, int]:
    """How long a person was at it, and in how many judgments; of rows of `given_by_each`."""
    rows = list(given)
    return {
        "active_ms": int(sum(row.active_ms for row in rows)),
        "num_timed": int(sum(row.num_timed for row in rows)),
    }


def estimate(connection: Connection, queue: Row[Any], workers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What is left, in judgments and in seconds of work at the pace so far (`time_of` each worker)."""
    # A kind may want fewer at first than the overlap: a caption is written before it is read.
    needed = case((items.c.wanted > items.c.overlap, items.c.wanted), else_=items.c.overlap)
    missing = connection.execute(
        select(func.sum(needed - items.c.given)).where(
            items.c.queue_id == queue.queue_id, items.c.state == "pending", items.c.purpose == "work"
        )
    ).scalar()
    timed = [(worker["active_ms"], worker["num_timed"]) for worker in workers if worker["num_timed"]]
    each = sum(ms for ms, _ in timed) / sum(count for _, count in timed) if timed else None
    left = int(missing or 0)
    return {"judgments_left": left, "estimate_s": left * each / 1000 if each is not None else None}


def by_hour(connection: Connection, queue_id: str) -> list[dict[str, Any]]:
    """Events in each of the last 24 hours that had any."""
    hour = (
        func.floor(events.c.received_at / 3600)
        if connection.dialect.name != "sqlite"
        else cast(events.c.received_at / 3600, Integer)
    )
    rows = connection.execute(
        select(hour.label("hour"), func.count().label("num"))
        .where(events.c.queue_id == queue_id, events.c.received_at > time.time() - 86_400)
        .group_by(hour)
        .order_by(hour)
    )
    return [{"at": int(row.hour) * 3600, "decisions": row.num} for row in rows]
