"""Claiming items: leases, each on one item by one person, for a while.

Claiming never scans what is behind a person. Every (queue, person) keeps a place: each open item at or before
it has been offered to that person. What comes free again behind the place (a lease ran out, a third judgment
is wanted, an undo) gets a number, its reopening, and a second place runs along those numbers. Both scans use
an index over open items only, so a claim costs the same at the first item and at the two-hundred-thousandth.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from photogenic.web.database import Database
from photogenic.web.queues import item_of
from photogenic.web.refusals import not_found
from photogenic.web.registration import Item
from photogenic.web.tables import ACTIVE, NONE, items, judgments, leases, queues, standings

MOST_PER_CLAIM = 60
SCANNED_AT_ONCE = 4
RELEASED_AT_ONCE = 1000


@dataclass
class Claim:
    """What a person got."""

    items: list[Item]
    reason: str | None  # none came: "done" (nothing is left for this person) or "all leased" (ask again)
    left: int
    lost: list[str]  # held items that went to somebody else


def claim(
    database: Database,
    queue_id: str,
    person_id: str,
    *,
    count: int,
    held: Sequence[str] = (),
    lease_s: float,
) -> Claim:
    """Renew what is held and lease up to `count` items more, in one transaction."""
    with database.writing() as connection:
        queue = database.locked_queue(connection, queue_id)
        if queue is None:
            raise not_found("queue")
        now = time.time()
        release_expired(connection, queue_id, now)
        lost = _renew(connection, queue_id, person_id, held, now + lease_s)
        standing = standing_of(connection, queue_id, person_id)
        found: list[Item] = []
        if queue.state == "open" and count > 0:
            mine = _leased_before(connection, queue_id, person_id, held, count)
            found = _find(connection, queue_id, person_id, standing, count - len(mine))
            if not mine and left_for(queue, standing) == 0 and all(item.purpose == "gold" for item in found):
                found = []  # gold alone would give itself away at the end of a queue
            _lease(connection, queue_id, person_id, found, now + lease_s)
            found = [*mine, *found]
        left = left_for(queue, standing)
        return Claim(found, _reason(queue, found, count, left), left, lost)


def _leased_before(
    connection: Connection, queue_id: str, person_id: str, held: Sequence[str], count: int
) -> list[Item]:
    """What this person has leased and a reloaded page no longer knows of."""
    rows = connection.execute(
        select(items)
        .join(leases, leases.c.item_id == items.c.item_id)
        .where(leases.c.queue_id == queue_id, leases.c.person_id == person_id, leases.c.state == ACTIVE)
        .order_by(items.c.position)
    ).all()
    known = set(held)
    return [item_of(row) for row in rows if row.item_id not in known][:count]


def left_for(queue: Row[Any], standing: Row[Any] | None) -> int:
    """Items that wait for somebody and that this person has not judged."""
    waiting = standing.waiting if standing is not None else 0
    return max(0, int(queue.num_items - queue.num_done - queue.num_adjudicate - waiting))


def _reason(queue: Row[Any], found: Sequence[Item], count: int, left: int) -> str | None:
    if found or count == 0:
        return None
    return "done" if queue.state != "open" or left == 0 else "all leased"


def standing_of(connection: Connection, queue_id: str, person_id: str) -> Row[Any]:
    """This person's line in the queue, made at the first visit."""
    query = select(standings).where(standings.c.queue_id == queue_id, standings.c.person_id == person_id)
    row = connection.execute(query).first()
    if row is None:
        connection.execute(
            insert(standings).values(
                queue_id=queue_id,
                person_id=person_id,
                given=0,
                waiting=0,
                place=-(2**62),
                reopening=0,
            )
        )
        row = connection.execute(query).one()
    return row


def _find(
    connection: Connection, queue_id: str, person_id: str, standing: Row[Any], count: int
) -> list[Item]:
    """Up to `count` open items: first those that came free again, then the next in order."""
    again, reopening = _scan(
        connection,
        open_items(queue_id, items.c.reopening, standing.reopening),
        person_id,
        count,
        "reopening",
    )
    taken = {item.item_id for item in again}
    fresh, place = _scan(
        connection,
        open_items(queue_id, items.c.position, standing.place),
        person_id,
        count - len(again),
        "position",
        taken,
    )
    places = {"reopening": max(reopening, standing.reopening), "place": max(place, standing.place)}
    connection.execute(
        update(standings)
        .where(standings.c.queue_id == queue_id, standings.c.person_id == person_id)
        .values(**places)
    )
    return [*again, *fresh]


def coming(connection: Connection, queue_id: str, person_id: str, count: int) -> list[Item]:
    """The open items that this person would get next."""
    standing = standing_of(connection, queue_id, person_id)
    rows = connection.execute(open_items(queue_id, items.c.position, standing.place).limit(count))
    return [item_of(row) for row in rows]


def open_items(queue_id: str, along: Any, after: int) -> Select[Any]:
    query = select(items).where(items.c.queue_id == queue_id, items.c.open_seats > NONE, along > after)
    if along is items.c.reopening:
        query = query.where(along > NONE)
    return query.order_by(along)


def _scan(
    connection: Connection,
    query: Select[Any],
    person_id: str,
    count: int,
    along: str,
    taken: Iterable[str] = (),
) -> tuple[list[Item], int]:
    """Items of the query that this person has neither judged nor leased, and how far it was read."""
    found: list[Item] = []
    place, taken = -(2**62), set(taken)
    if count <= 0:
        return found, place
    offset, size = 0, count + SCANNED_AT_ONCE
    while len(found) < count:
        rows = connection.execute(query.limit(size).offset(offset)).all()
        mine = _mine(connection, person_id, [row.item_id for row in rows])
        for row in rows:
            place = getattr(row, along)
            if row.item_id not in mine and row.item_id not in taken:
                found.append(item_of(row))
                if len(found) == count:
                    break
        if len(rows) < size:
            break
        offset, size = offset + size, 500
    return found, place


def _mine(connection: Connection, person_id: str, ids: Sequence[str]) -> set[str]:
    """Which of the items this person has judged or holds."""
    if not ids:
        return set()
    judged = select(judgments.c.item_id).where(
        judgments.c.person_id == person_id, judgments.c.item_id.in_(ids)
    )
    leased = select(leases.c.item_id).where(
        leases.c.person_id == person_id, leases.c.state == ACTIVE, leases.c.item_id.in_(ids)
    )
    return set(connection.execute(judged.union(leased)).scalars())


# --- leases --------------------------------------------------------------------------------------------


def _lease(
    connection: Connection, queue_id: str, person_id: str, found: Sequence[Item], until: float
) -> None:
    if not found:
        return
    ids = [item.item_id for item in found]
    put_leases(connection, [(item_id, person_id, queue_id) for item_id in ids], until)
    connection.execute(
        update(items).where(items.c.item_id.in_(ids)).values(open_seats=items.c.open_seats - 1)
    )


def put_leases(connection: Connection, rows: Sequence[tuple[str, str, str]], until: float) -> None:
    """Active leases for (item, person, queue); an earlier one of the same pair is renewed."""
    ids = [item_id for item_id, _, _ in rows]
    person_id = rows[0][1]
    known = set(
        connection.execute(
            select(leases.c.item_id).where(leases.c.person_id == person_id, leases.c.item_id.in_(ids))
        ).scalars()
    )
    if known:
        connection.execute(
            update(leases)
            .where(leases.c.person_id == person_id, leases.c.item_id.in_(known))
            .values(state="active", expires_at=until)
        )
    fresh = [
        {"item_id": item, "person_id": person, "queue_id": queue, "state": "active", "expires_at": until}
        for item, person, queue in rows
        if item not in known
    ]
    if fresh:
        connection.execute(insert(leases), fresh)


def _renew(
    connection: Connection, queue_id: str, person_id: str, held: Sequence[str], until: float
) -> list[str]:
    """Lengthen the leases on `held`; those that had run out are taken again where a seat is free."""
    if not held:
        return []
    rows = connection.execute(
        select(leases.c.item_id, leases.c.state, items.c.open_seats)
        .join(items, items.c.item_id == leases.c.item_id)
        .where(leases.c.person_id == person_id, leases.c.item_id.in_(held))
        .where(leases.c.queue_id == queue_id)
    ).all()
    active = [row.item_id for row in rows if row.state == "active"]
    free = [row.item_id for row in rows if row.state == "expired" and row.open_seats > 0]
    if active or free:
        connection.execute(
            update(leases)
            .where(leases.c.person_id == person_id, leases.c.item_id.in_([*active, *free]))
            .values(state="active", expires_at=until)
        )
    if free:
        connection.execute(
            update(items).where(items.c.item_id.in_(free)).values(open_seats=items.c.open_seats - 1)
        )
    kept = {*active, *free}
    return [item_id for item_id in held if item_id not in kept]


def release_expired(connection: Connection, queue_id: str, now: float) -> None:
    """Free the seats of leases that ran out; the items get in line again."""
    rows = connection.execute(
        select(leases.c.item_id, leases.c.person_id)
        .where(leases.c.queue_id == queue_id, leases.c.state == ACTIVE, leases.c.expires_at < now)
        .limit(RELEASED_AT_ONCE)
    ).all()
    if not rows:
        return
    keys = [{"item": row.item_id, "person": row.person_id} for row in rows]
    connection.execute(
        update(leases)
        .where(leases.c.item_id == bindparam("item"), leases.c.person_id == bindparam("person"))
        .values(state="expired"),
        keys,
    )
    ids = sorted({row.item_id for row in rows})
    numbers = reopenings(connection, queue_id, len(ids))
    seats = Counter(row.item_id for row in rows)
    connection.execute(
        update(items)
        .where(items.c.item_id == bindparam("item"), items.c.state == "pending")
        .values(open_seats=items.c.open_seats + bindparam("seats"), reopening=bindparam("number")),
        [
            {"item": item_id, "seats": seats[item_id], "number": number}
            for item_id, number in zip(ids, numbers, strict=True)
        ],
    )


def reopenings(connection: Connection, queue_id: str, count: int) -> range:
    """The next `count` numbers of the queue's reopenings."""
    connection.execute(
        update(queues)
        .where(queues.c.queue_id == queue_id)
        .values(last_reopening=queues.c.last_reopening + count)
    )
    last = connection.execute(
        select(queues.c.last_reopening).where(queues.c.queue_id == queue_id)
    ).scalar_one()
    return range(last - count + 1, last + 1)
