"""Routes of the review: guidelines, and the lead's desk."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection, insert, select

from photogenic.review.tables import guidelines
from photogenic.web.accounts import Strict
from photogenic.web.refusals import Refusal
from photogenic.web.registration import EVERYONE, LEAD, Permissions
from photogenic.web.room import PersonHere, RoomHere, note
from photogenic.web.tables import queue_pictures

if TYPE_CHECKING:
    from photogenic.review.desk import Review

PERMISSIONS: Permissions = {
    ("GET", "/api/queues/{queue_id}/guidelines"): EVERYONE,
    ("PUT", "/api/queues/{queue_id}/guidelines"): LEAD,
    ("POST", "/api/review/advance"): LEAD,
}
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
FIRST = {
    "grid": "# Culling\n\nKeep what might be striking. When in doubt, keep: others look again.",
    "loupe": "# The finest\n\nKeep only what is striking in composition, lighting, colour and contrast,"
    " subject and background, and story.",
    "captions": "# Captions\n\nSay what is to be seen: subject, setting, light, composition, style.",
}


class Example(Strict):
    criterion: Annotated[str, Field(max_length=60)]
    good: Digest | None = None
    bad: Digest | None = None
    words: Annotated[str, Field(max_length=1000)] = ""


class Guidelines(Strict):
    markdown: Annotated[str, Field(max_length=50_000)]
    examples: Annotated[Sequence[Example], Field(max_length=50)] = ()


class Advance(Strict):
    queue_id: Annotated[str, Field(max_length=16)]


def router_for(review: Review) -> APIRouter:
    """The routes of one review."""
    router = APIRouter()

    @router.get("/api/queues/{queue_id}/guidelines")
    def read_guidelines(queue_id: str, room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """The newest version of what to look for."""
        with room.database.reading() as connection:
            queue = room.queue(connection, queue_id, person)
            return newest_guidelines(connection, queue_id, room.kind_of(queue).screen)

    @router.put("/api/queues/{queue_id}/guidelines")
    def put_guidelines(queue_id: str, body: Guidelines, room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """A new version; earlier ones stay, for decisions name theirs."""
        with room.database.writing() as connection:
            room.queue(connection, queue_id, person)
            _check_examples(connection, queue_id, body.examples)
            version = newest_guidelines(connection, queue_id, "")["version"] + 1
            connection.execute(
                insert(guidelines).values(
                    queue_id=queue_id,
                    version=version,
                    markdown=body.markdown,
                    examples=json.dumps([one.model_dump() for one in body.examples], ensure_ascii=False),
                    person_id=person.person_id,
                    at=time.time(),
                )
            )
            note(connection, person, "guidelines", queue_id, version=version)
        return {"version": version}

    @router.post("/api/review/advance")
    def advance(body: Advance, room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """Close a round and open the next over what it kept."""
        with room.database.writing() as connection:
            queue = room.queue(connection, body.queue_id, person)
            following = review.advance(connection, json.loads(queue.body).get("round", -1))
            note(connection, person, "advance", queue.title, queue_id=following)
        return {"queue_id": following}

    return router


def newest_guidelines(connection: Connection, queue_id: str, screen: str) -> dict[str, Any]:
    """Version, markdown and examples; version 0 is what photogenic says as long as the lead has not."""
    row = connection.execute(
        select(guidelines)
        .where(guidelines.c.queue_id == queue_id)
        .order_by(guidelines.c.version.desc())
        .limit(1)
    ).first()
    if row is None:
        return {"version": 0, "markdown": FIRST.get(screen, ""), "examples": []}
    return {"version": row.version, "markdown": row.markdown, "examples": json.loads(row.examples)}


def _check_examples(connection: Connection, queue_id: str, examples: Sequence[Example]) -> None:
    named = {digest for one in examples for digest in (one.good, one.bad) if digest}
    shown = set(
        connection.execute(
            select(queue_pictures.c.digest).where(
                queue_pictures.c.queue_id == queue_id, queue_pictures.c.digest.in_(named)
            )
        ).scalars()
    )
    if named - shown:
        raise Refusal(422, "An example is no picture of this queue.", "Choose pictures that the queue shows.")
