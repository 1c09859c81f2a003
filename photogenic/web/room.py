"""What every route has at hand: settings, database, kinds of queues; and the doors to it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Connection, Row, insert, select

from photogenic.web.darkroom import Darkroom
from photogenic.web.database import Database
from photogenic.web.refusals import not_found
from photogenic.web.registration import Permissions, Person, QueueKind
from photogenic.web.settings import Settings
from photogenic.web.tables import audit, queues


@dataclass(frozen=True)
class Room:
    """One server."""

    settings: Settings
    database: Database
    kinds: Mapping[str, QueueKind]
    permissions: Permissions
    darkroom: Darkroom
    desks: tuple[str, ...] = ()  # addresses of the pages from which a lead runs what is registered

    def kind_of(self, queue: Row[Any]) -> QueueKind:
        """The kind of a queue; one that no registration brings is hidden."""
        if queue.kind not in self.kinds:
            raise not_found("queue")
        return self.kinds[queue.kind]

    def queue(self, connection: Connection, queue_id: str, person: Person) -> Row[Any]:
        """The queue's row.

        Raises:
            Refusal: 404, there is none, or none for this person's role.
        """
        row = connection.execute(select(queues).where(queues.c.queue_id == queue_id)).first()
        if row is None or not self.may_enter(row, person):
            raise not_found("queue")
        return row

    def may_enter(self, queue: Row[Any], person: Person) -> bool:
        """The roles of its kind, or those that the queue itself names; the lead may enter all."""
        kind = self.kinds.get(queue.kind)
        if kind is None:
            return False
        roles = json.loads(queue.body).get("roles") or kind.roles
        return person.role == "lead" or person.role in roles


def note(connection: Connection, person: Person | None, action: str, subject: str, **body: Any) -> None:
    """One line of the audit log."""
    connection.execute(
        insert(audit).values(
            at=time.time(),
            person_id=person.person_id if person else None,
            action=action,
            subject=subject[:200],
            body=json.dumps(body, ensure_ascii=False),
        )
    )


# Coroutines, though they wait for nothing: for a plain function FastAPI takes a thread, in each request.


async def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


async def _person(request: Request) -> Person:
    person: Person = request.state.person  # set by the guard, which ran first
    return person


RoomHere = Annotated[Room, Depends(_room)]
PersonHere = Annotated[Person, Depends(_person)]
