"""Taking events: each one once, whole batches in one transaction, a refusal for what cannot be taken."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from photogenic.web.database import Database
from photogenic.web.desk import Desk, RefusedEvent
from photogenic.web.history import without
from photogenic.web.queues import item_of
from photogenic.web.registration import Event, Item, Person, QueueKind
from photogenic.web.tables import events, items, judgments, leases, queues, standings

REPLAYED_AT_ONCE = 500
MayEnter = Callable[[Row[Any], Person], bool]


@dataclass
class Answer:
    """What became of a batch."""

    accepted: list[str] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)


def accept(
    database: Database,
    kinds: Mapping[str, QueueKind],
    person: Person,
    batch: Sequence[Event],
    *,
    lease_s: float,
    may_enter: MayEnter,
    elsewhere: bool = False,
) -> Answer:
    """Take the events in their order. What is answered as accepted is on disk.

    `may_enter(queue row, person)` tells whether the person may work in a queue at all. Decisions made
    `elsewhere` need no lease, and one that came after others had settled an item is taken too.
    """
    answer = Answer()
    with database.writing() as connection:
        desk = Desk(connection, database, kinds, lease_s, elsewhere=elsewhere)
        desk.load(batch)
        known = _known(connection, batch)
        fresh: list[Event] = []
        num_appended = 0
        for event in batch:
            try:
                if event.event_id in known:
                    _check_same(event, known[event.event_id], person)
                else:
                    if event.kind == "undo":
                        _append(connection, fresh[num_appended:], person)  # it looks at what was there before
                        num_appended = len(fresh)
                    _take(desk, event, person, may_enter)
                    known[event.event_id] = _content(event, person)
                    fresh.append(event)
                answer.accepted.append(event.event_id)
                answer.feedback += _feedback(desk, event)
            except RefusedEvent as error:
                answer.refused.append({"event_id": event.event_id, "error": str(error)})
        _append(connection, fresh[num_appended:], person)
        desk.write()
        for event in fresh:
            item = desk.items[event.item_id]
            after = desk.kind(item).after
            if after is not None:
                after(connection, event, item, person)
    return answer


def _content(event: Event, person: Person) -> tuple[str, ...]:
    return (person.person_id, event.kind, event.item_id, json.dumps(event.body, sort_keys=True))


def _known(connection: Connection, batch: Sequence[Event]) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        select(events.c.event_id, events.c.person_id, events.c.kind, events.c.item_id, events.c.body).where(
            events.c.event_id.in_([event.event_id for event in batch])
        )
    )
    return {
        row.event_id: (
            row.person_id,
            row.kind,
            row.item_id,
            json.dumps(json.loads(row.body), sort_keys=True),
        )
        for row in rows
    }


def _check_same(event: Event, known: tuple[str, ...], person: Person) -> None:
    if known != _content(event, person):
        raise RefusedEvent("Another event has this id.")


def _append(connection: Connection, fresh: Sequence[Event], person: Person) -> None:
    if not fresh:
        return
    now = time.time()
    connection.execute(
        insert(events),
        [
            {
                "event_id": event.event_id,
                "kind": event.kind,
                "queue_id": event.queue_id,
                "item_id": event.item_id,
                "person_id": person.person_id,
                "client_at": event.client_at,
                "received_at": now,
                "body": json.dumps(dict(event.body), ensure_ascii=False),
            }
            for event in fresh
        ],
    )


def _take(desk: Desk, event: Event, person: Person, may_enter: MayEnter) -> None:
    """Check one event and let it change the desk."""
    item = desk.item(event)
    if not may_enter(desk.queues[item.queue_id], person):
        raise RefusedEvent("There is no such item in this queue.")
    kind = desk.kind(item)
    if event.kind == "undo":
        _undo(desk, kind, event, item, person)
    elif event.kind == "adjudicate":
        if person.role not in kind.adjudicates:
            raise RefusedEvent(f"A {person.role} may not adjudicate.")
        desk.adjudicate(event, _read(kind, event))
    elif event.kind in kind.judging:
        said = _read(kind, event)
        _check(desk, kind, event, person)
        desk.judge(event, person.person_id, said)
    else:
        raise RefusedEvent(f"Nothing of the kind {event.kind!r} can happen in this queue.")


def _feedback(desk: Desk, event: Event) -> list[dict[str, Any]]:
    """What a judgment of calibration is answered; again when it is sent again, for answers get lost."""
    item = desk.items.get(event.item_id)
    if item is None or item.purpose != "calibration" or event.kind not in desk.kind(item).judging:
        return []
    right = _read(desk.kind(item), event) == item.expected
    told = {"event_id": event.event_id, "right": right, "expected": item.expected}
    return [told | {"words": item.body.get("words", "")}]


def _read(kind: QueueKind, event: Event) -> str:
    try:
        return kind.read(event.kind, event.body)
    except ValueError as error:
        raise RefusedEvent(str(error)) from error


def _check(desk: Desk, kind: QueueKind, event: Event, person: Person) -> None:
    if kind.check is None:
        return
    given = list(desk.given[event.item_id].values())
    try:
        kind.check(event, person.person_id, given, json.loads(desk.queues[event.queue_id].body))
    except ValueError as error:
        raise RefusedEvent(str(error)) from error


def _undo(desk: Desk, kind: QueueKind, event: Event, item: Item, person: Person) -> None:
    if set(event.body) != {"event_id"}:
        raise RefusedEvent("An undo names the event that it takes back, and nothing else.")
    undone = str(event.body["event_id"])
    standing = without(desk.connection, kind, item, person.person_id, undone)
    if standing is None:
        raise RefusedEvent("This is not your present judgment of the item, so it cannot be taken back.")
    desk.take_back(event, person.person_id, standing)


# --- the state, made anew ------------------------------------------------------------------------------


def rebuild(database: Database, kinds: Mapping[str, QueueKind]) -> int:
    """Throw the derived state away and make it again from the events; how many there were.

    Leases end: everybody claims anew.
    """
    with database.writing() as connection:
        connection.execute(delete(judgments))
        connection.execute(delete(leases))
        connection.execute(delete(standings))
        connection.execute(update(queues).values(num_done=0, num_adjudicate=0))
        connection.execute(
            update(items).values(
                state="pending",
                outcome=None,
                adjudication=None,
                wanted=items.c.overlap,
                given=0,
                open_seats=items.c.overlap,
                reopening=0,
            )
        )
        _want_what_is_wanted_first(connection, kinds)
        count, last = 0, 0
        while True:
            rows = connection.execute(
                select(events).where(events.c.seq > last).order_by(events.c.seq).limit(REPLAYED_AT_ONCE)
            ).all()
            if not rows:
                return count
            _replay(Desk(connection, database, kinds, 0.0, replays=True), rows)
            count, last = count + len(rows), rows[-1].seq


def _want_what_is_wanted_first(connection: Connection, kinds: Mapping[str, QueueKind]) -> None:
    """Not every kind wants all judgments at once: a caption is written before it is read."""
    work = (items.c.queue_id == queues.c.queue_id) & (items.c.purpose == "work")
    overlaps = select(queues.c.queue_id, queues.c.kind, items.c.overlap).join(items, work).distinct()
    for row in connection.execute(overlaps).all():
        mine = (items.c.queue_id == row.queue_id) & (items.c.overlap == row.overlap)
        one = item_of(connection.execute(select(items).where(mine).limit(1)).one())
        first = kinds[row.kind].decide([], one).wanted if row.kind in kinds else row.overlap
        if first != row.overlap:
            connection.execute(update(items).where(mine).values(wanted=first, open_seats=first))


def _replay(desk: Desk, rows: Sequence[Any]) -> None:
    desk.load(rows)
    for row in rows:
        item = desk.items[row.item_id]
        kind = desk.kind(item)
        event = Event(row.event_id, row.kind, row.queue_id, row.item_id, row.client_at, json.loads(row.body))
        if row.kind == "undo":
            undone = str(event.body["event_id"])
            standing = without(desk.connection, kind, item, row.person_id, undone, before=row.seq)
            if standing is not None:
                desk.take_back(event, row.person_id, standing)
        elif row.kind == "adjudicate":
            desk.adjudicate(event, kind.read(row.kind, event.body))
        else:
            desk.judge(event, row.person_id, kind.read(row.kind, event.body))
    desk.write()
