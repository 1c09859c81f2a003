"""Queues of items and their pictures: how they are made, and how an item is read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from photogenic.web.database import refresh_statistics
from photogenic.web.people import new_id
from photogenic.web.registration import Item
from photogenic.web.tables import items, pictures, queue_pictures, queues

ROWS_AT_ONCE = 1000
MANY = 100  # new items, after which the database looks at its tables anew
FOREVER = 1_000_000  # seats of gold and calibration items: everybody judges them, once


@dataclass(frozen=True)
class NewPicture:
    """A picture by its content; `locator` is for the registration `reader`."""

    digest: str  # 32 hex digits
    reader: str
    locator: Mapping[str, Any]
    width_px: int
    height_px: int


@dataclass(frozen=True)
class NewItem:
    """An item to add; `body["images"]` holds digests."""

    body: Mapping[str, Any]
    overlap: int = 1
    purpose: str = "work"
    expected: str | None = None
    wanted: int | None = None  # judgments that may be given at first; None: as many as the overlap
    item_id: str = field(default_factory=new_id)


def create_queue(
    connection: Connection, *, kind: str, title: str, body: Mapping[str, Any] | None = None
) -> str:
    """An open queue without items; its id."""
    queue_id = new_id()
    connection.execute(
        insert(queues).values(
            queue_id=queue_id,
            kind=kind,
            title=title,
            state="open",
            body=json.dumps(body or {}, ensure_ascii=False),
            created_at=time.time(),
            num_items=0,
            num_done=0,
            num_adjudicate=0,
            last_reopening=0,
        )
    )
    return queue_id


def add_pictures(connection: Connection, queue_id: str, new: Iterable[NewPicture]) -> None:
    """Let the queue show these pictures; those it has already stay as they are."""
    by_digest = {picture.digest: picture for picture in new}
    for chunk in _chunks(list(by_digest)):
        known = set(
            connection.execute(select(pictures.c.digest).where(pictures.c.digest.in_(chunk))).scalars()
        )
        shown = set(
            connection.execute(
                select(queue_pictures.c.digest).where(
                    queue_pictures.c.queue_id == queue_id, queue_pictures.c.digest.in_(chunk)
                )
            ).scalars()
        )
        rows = [_picture_row(by_digest[digest]) for digest in chunk if digest not in known]
        links = [{"queue_id": queue_id, "digest": digest} for digest in chunk if digest not in shown]
        if rows:
            connection.execute(insert(pictures), rows)
        if links:
            connection.execute(insert(queue_pictures), links)


def _picture_row(picture: NewPicture) -> dict[str, Any]:
    return {
        "digest": picture.digest,
        "reader": picture.reader,
        "locator": json.dumps(dict(picture.locator), ensure_ascii=False),
        "width_px": picture.width_px,
        "height_px": picture.height_px,
    }


def add_items(connection: Connection, queue_id: str, new: Sequence[NewItem]) -> None:
    """Append items in their order; calibration items come before all work."""
    last = connection.execute(select(func.max(items.c.position)).where(items.c.queue_id == queue_id)).scalar()
    first = connection.execute(
        select(func.min(items.c.position)).where(items.c.queue_id == queue_id)
    ).scalar()
    before = [item for item in new if item.purpose == "calibration"]
    after = [item for item in new if item.purpose != "calibration"]
    start = min(first or 0, 0) - len(before)
    placed = [*enumerate(before, start), *enumerate(after, (last or 0) + 1)]
    for chunk in _chunks(placed):
        connection.execute(insert(items), [_item_row(queue_id, place, item) for place, item in chunk])
    added = sum(item.purpose == "work" for item in new)
    connection.execute(
        update(queues).where(queues.c.queue_id == queue_id).values(num_items=queues.c.num_items + added)
    )
    if len(new) >= MANY:
        refresh_statistics(connection)


def _item_row(queue_id: str, position: int, item: NewItem) -> dict[str, Any]:
    overlap = item.overlap if item.purpose == "work" else FOREVER
    wanted = overlap if item.wanted is None else item.wanted
    return {
        "item_id": item.item_id,
        "queue_id": queue_id,
        "position": position,
        "purpose": item.purpose,
        "expected": item.expected,
        "body": json.dumps(dict(item.body), ensure_ascii=False),
        "state": "pending",
        "overlap": overlap,
        "wanted": wanted,
        "given": 0,
        "open_seats": wanted,
        "reopening": 0,
    }


def item_of(row: Row[Any]) -> Item:
    """The row as an item, its body read."""
    values = dict(row._mapping)
    values["body"] = json.loads(values["body"])
    return Item(**values)


def _chunks(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
