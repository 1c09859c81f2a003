"""Routes of the work itself: claiming, events, pictures; and the lead's list of queues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field
from sqlalchemy import Connection, select, update

from photogenic.core.errors import DecodeError, StorageError
from photogenic.web.accounts import Number, Strict
from photogenic.web.claims import MOST_PER_CLAIM, claim, coming
from photogenic.web.derivatives import SIZES, VERSION
from photogenic.web.events import accept
from photogenic.web.queues import item_of
from photogenic.web.refusals import Refusal, not_found
from photogenic.web.registration import EVERYONE, LEAD, Event, Item, Permissions, Person, QueueKind
from photogenic.web.room import PersonHere, RoomHere, note
from photogenic.web.tables import (
    ADJUDICATE,
    events,
    items,
    judgments,
    people,
    pictures,
    queue_pictures,
    queues,
)

router = APIRouter()
PERMISSIONS: Permissions = {
    ("POST", "/api/queues/{queue_id}/claim"): EVERYONE,
    ("POST", "/api/events"): EVERYONE,
    ("GET", "/api/queues/{queue_id}/mine"): EVERYONE,
    ("GET", "/api/queues/{queue_id}/images/{digest}/{size}"): EVERYONE,
    ("GET", "/api/queues"): LEAD,
    ("PATCH", "/api/queues/{queue_id}"): LEAD,
    ("GET", "/api/queues/{queue_id}/adjudicate"): LEAD,
}
MOST_EVENTS = 500
YEAR_S = 31_536_000
AHEAD = 60  # items whose pictures are made before anybody claims them
Id = Annotated[str, Field(min_length=1, max_length=40)]


class ClaimBody(Strict):
    count: Annotated[int, Field(ge=0, le=MOST_PER_CLAIM)]
    held: Annotated[list[Id], Field(max_length=300, default_factory=list)]


@router.post("/api/queues/{queue_id}/claim")
def post_claim(queue_id: str, body: ClaimBody, room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """Lease items, renew those that are held. With count 0 it is the heartbeat."""
    with room.database.reading() as connection:
        kind = room.kind_of(room.queue(connection, queue_id, person))
    got = claim(
        room.database,
        queue_id,
        person.person_id,
        count=body.count,
        held=body.held,
        lease_s=room.settings.lease_s,
    )
    with room.database.reading() as connection:
        shown = show(connection, kind, got.items, person)
        following = coming(connection, queue_id, person.person_id, AHEAD) if got.items else []
    for some in (following, got.items):  # what was ordered last is made first
        room.darkroom.order(
            [digest for item in some for digest in item.body.get("images", [])], kind.picture_size
        )
    return {"items": shown, "reason": got.reason, "left": got.left, "lost": got.lost}


def show(
    connection: Connection, kind: QueueKind, found: Sequence[Item], person: Person
) -> list[dict[str, Any]]:
    """The items as this person may see them."""
    if not found:
        return []
    digests = [digest for item in found for digest in item.body.get("images", [])]
    sizes = {
        row.digest: {"digest": row.digest, "width_px": row.width_px, "height_px": row.height_px}
        for row in connection.execute(select(pictures).where(pictures.c.digest.in_(digests)))
    }
    bodies = kind.show(connection, found, person)
    return [
        {
            "id": item.item_id,
            "images": [sizes[digest] for digest in item.body.get("images", [])],
            "alt_text": item.body.get("alt_text", ""),
            "body": body,
        }
        for item, body in zip(found, bodies, strict=True)
    ]


class EventBody(Strict):
    event_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")]
    kind: Annotated[str, Field(max_length=16)]
    queue_id: Id
    item_id: Id
    client_at: Annotated[str, Field(max_length=40, pattern=r"^[ -~]*$")]
    body: Annotated[dict[str, Any], Field(default_factory=dict)]


class EventsBody(Strict):
    events: Annotated[list[EventBody], Field(max_length=MOST_EVENTS)]
    person_id: Id | None = None  # whose they are, where a browser may have changed hands


@router.post("/api/events")
def post_events(body: EventsBody, room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """Take events, each once however often it is sent."""
    if body.person_id not in (None, person.person_id):
        raise Refusal(401, "Somebody else has signed in.", "Sign in again as yourself.")
    batch = [Event(**event.model_dump()) for event in body.events]
    answer = accept(
        room.database,
        room.kinds,
        person,
        batch,
        lease_s=room.settings.lease_s,
        may_enter=room.may_enter,
    )
    return {"accepted": answer.accepted, "refused": answer.refused, "feedback": answer.feedback}


@router.get("/api/queues/{queue_id}/mine")
def mine(
    queue_id: str,
    room: RoomHere,
    person: PersonHere,
    before: Number | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """My own events in this queue, newest first, so that they can be taken back after a reload."""
    with room.database.reading() as connection:
        kind = room.kind_of(room.queue(connection, queue_id, person))
        query = select(events).where(events.c.queue_id == queue_id, events.c.person_id == person.person_id)
        query = query if before is None else query.where(events.c.seq < before)
        rows = connection.execute(query.order_by(events.c.seq.desc()).limit(limit)).all()
        present = _present(connection, person, {row.item_id for row in rows})
        found = [
            item_of(row)
            for row in connection.execute(
                select(items).where(items.c.item_id.in_({row.item_id for row in rows}))
            )
        ]
        shown = {item["id"]: item for item in show(connection, kind, found, person)}
    told = [
        {
            "seq": row.seq,
            "event_id": row.event_id,
            "kind": row.kind,
            "item_id": row.item_id,
            "client_at": row.client_at,
            "body": json.loads(row.body),
            "undone": row.kind in kind.judging and present.get(row.item_id) != row.event_id,
            "item": shown.get(row.item_id),
        }
        for row in rows
    ]
    return {"events": told, "next": told[-1]["seq"] if len(told) == limit else None}


def _present(connection: Connection, person: Person, ids: set[str]) -> dict[str, str]:
    rows = connection.execute(
        select(judgments.c.item_id, judgments.c.event_id).where(
            judgments.c.person_id == person.person_id, judgments.c.item_id.in_(ids)
        )
    )
    return {row.item_id: row.event_id for row in rows}


@router.get("/api/queues/{queue_id}/images/{digest}/{size}")
def image(
    queue_id: str, digest: str, size: str, request: Request, room: RoomHere, person: PersonHere
) -> Response:
    """One picture of the queue. Its address is its content, so browsers may keep it for a year."""
    with room.database.reading() as connection:
        room.queue(connection, queue_id, person)
        shown = connection.execute(
            select(queue_pictures.c.digest).where(
                queue_pictures.c.queue_id == queue_id, queue_pictures.c.digest == digest
            )
        ).first()
    if shown is None or size not in SIZES:
        raise not_found("picture in this queue")
    tag = f'"{digest}-{size}-{VERSION}"'
    headers = {"Cache-Control": f"private, max-age={YEAR_S}, immutable", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        path = room.darkroom.picture(digest, size)
    except DecodeError as error:
        raise Refusal(422, "This picture cannot be decoded.", "Reject it; the lead sees why.") from error
    except StorageError as error:
        raise Refusal(503, "This picture cannot be read just now.", "Try again.") from error
    if size == "full":  # some megabytes: piece by piece
        return FileResponse(path, media_type=SIZES[size].media_type, headers=headers)
    # Read here, in one go: FileResponse takes a thread for each step on the way.
    return Response(path.read_bytes(), media_type=SIZES[size].media_type, headers=headers)


# --- the lead's ----------------------------------------------------------------------------------------


@router.get("/api/queues")
def list_queues(room: RoomHere) -> dict[str, Any]:
    """All queues, open and closed."""
    with room.database.reading() as connection:
        rows = connection.execute(select(queues).order_by(queues.c.created_at)).all()
    names = ("kind", "title", "state", "num_items", "num_done", "num_adjudicate", "created_at")
    return {
        "queues": [
            {"id": row.queue_id}
            | {name: getattr(row, name) for name in names}
            | {"body": _told(room.kinds[row.kind], row.body), "screen": room.kinds[row.kind].screen}
            for row in rows
            if row.kind in room.kinds
        ]
    }


def _told(kind: QueueKind, body: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(body).items() if name not in kind.untold}


class QueueChange(Strict):
    state: Literal["open", "closed"]


@router.patch("/api/queues/{queue_id}")
def patch_queue(queue_id: str, body: QueueChange, room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """Close a queue, or open it again. What was decided stays."""
    with room.database.writing() as connection:
        row = room.queue(connection, queue_id, person)
        connection.execute(update(queues).where(queues.c.queue_id == queue_id).values(state=body.state))
        note(connection, person, f"queue {body.state}", row.title, queue_id=queue_id)
    return {"id": queue_id, "state": body.state}


@router.get("/api/queues/{queue_id}/adjudicate")
def to_adjudicate(
    queue_id: str,
    room: RoomHere,
    person: PersonHere,
    after: Number = -(2**62),
    limit: Annotated[int, Field(ge=1, le=MOST_PER_CLAIM)] = 20,
) -> dict[str, Any]:
    """Items on which people do not agree, with what each said."""
    with room.database.reading() as connection:
        queue = room.queue(connection, queue_id, person)
        kind = room.kind_of(queue)
        rows = connection.execute(
            select(items)
            .where(items.c.queue_id == queue_id, items.c.state == ADJUDICATE, items.c.position > after)
            .order_by(items.c.position)
            .limit(limit)
        ).all()
        found = [item_of(row) for row in rows]
        shown = show(connection, kind, found, person)
        said = judgments_of(connection, [item.item_id for item in found])
    told = [
        item | {"position": one.position, "judgments": said.get(one.item_id, [])}
        for item, one in zip(shown, found, strict=True)
    ]
    return {"items": told, "left": queue.num_adjudicate}


def judgments_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Item -> the present judgments of all, with names. For the lead's eyes."""
    rows = connection.execute(
        select(judgments.c.item_id, judgments.c.answer, events.c.body, events.c.event_id, people.c.name)
        .join(events, events.c.event_id == judgments.c.event_id)
        .join(people, people.c.person_id == judgments.c.person_id)
        .where(judgments.c.item_id.in_(ids))
        .order_by(events.c.seq)
    )
    said: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        said.setdefault(row.item_id, []).append(
            {
                "person": row.name,
                "answer": row.answer,
                "event_id": row.event_id,
                "body": json.loads(row.body),
            }
        )
    return said


__all__ = ["PERMISSIONS", "judgments_of", "router", "show"]
