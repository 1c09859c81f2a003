"""Routes of signing in, and of the lead's lists of people, invites and the audit log."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select, update

from photogenic.web.guard import address_of, cookie_name
from photogenic.web.people import (
    change_person,
    check_name,
    check_passphrase,
    check_role,
    close_session,
    invite,
    open_session,
    passphrase_hash,
    redeem,
    set_passphrase,
)
from photogenic.web.refusals import Refusal, not_found
from photogenic.web.registration import ANYBODY, EVERYONE, LEAD, Permissions
from photogenic.web.room import PersonHere, Room, RoomHere, note
from photogenic.web.settings import DAY_S
from photogenic.web.tables import audit, events, invites, people, queues, sessions, standings

router = APIRouter()
PERMISSIONS: Permissions = {
    ("POST", "/api/sign-in"): ANYBODY,
    ("POST", "/api/sign-out"): ANYBODY,
    ("GET", "/api/me"): EVERYONE,
    ("PUT", "/api/me/passphrase"): EVERYONE,
    ("GET", "/api/people"): LEAD,
    ("PATCH", "/api/people/{person_id}"): LEAD,
    ("GET", "/api/invites"): LEAD,
    ("POST", "/api/invites"): LEAD,
    ("DELETE", "/api/invites/{invite_id}"): LEAD,
    ("GET", "/api/audit"): LEAD,
}
Number = Annotated[int, Field(ge=-(2**62), le=2**62)]  # what every database takes for an integer
Short = Annotated[str, Field(max_length=200)]


class Strict(BaseModel):
    """What comes in: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Strict):
    """An invite's token, or name and passphrase."""

    invite: Short | None = None
    name: Short | None = None
    passphrase: Annotated[str, Field(max_length=1000)] | None = None


@router.post("/api/sign-in", status_code=204)
def sign_in(body: SignIn, request: Request, room: RoomHere) -> Response:
    """Sign in by an invite's token, or by name and passphrase; the session comes as a cookie."""
    request.app.state.sign_ins.count(address_of(request))
    known = None
    if body.invite is None:
        with room.database.reading() as connection:
            known = check_passphrase(connection, body.name or "", body.passphrase or "")
    with room.database.writing() as connection:
        person = known or redeem(connection, body.invite or "")
        name = cookie_name(room.settings)
        old = request.cookies.get(name)
        token = open_session(connection, person, room.settings.session_s, old)
        note(connection, person, "sign-in", person.name, address=address_of(request))
    response = Response(status_code=204)
    response.set_cookie(
        name,
        token,
        max_age=int(room.settings.session_s),
        path="/",
        secure=room.settings.is_https,
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/api/sign-out", status_code=204)
def sign_out(request: Request, room: RoomHere) -> Response:
    """End the session."""
    name = cookie_name(room.settings)
    with room.database.writing() as connection:
        close_session(connection, request.cookies.get(name, ""))
    response = Response(status_code=204)
    response.delete_cookie(name, path="/", secure=room.settings.is_https, httponly=True, samesite="strict")
    return response


@router.get("/api/me")
def me(room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """Who I am, the open queues that I may work in, and the desks that I may sit at."""
    with room.database.reading() as connection:
        rows = connection.execute(
            select(queues, standings.c.given, standings.c.waiting)
            .outerjoin(
                standings,
                (standings.c.queue_id == queues.c.queue_id) & (standings.c.person_id == person.person_id),
            )
            .where(queues.c.state == "open")
            .order_by(queues.c.created_at)
        ).all()
    mine = [_my_queue(room, row) for row in rows if room.may_enter(row, person)]
    return {
        "person": {"id": person.person_id, "name": person.name, "role": person.role},
        "queues": mine,
        "desks": room.desks if person.role in LEAD else (),
    }


def _my_queue(room: Room, row: Any) -> dict[str, Any]:
    kind, given = room.kinds[row.kind], row.given or 0
    left = max(0, row.num_items - row.num_done - row.num_adjudicate - (row.waiting or 0))
    body = json.loads(row.body)
    told = {
        "id": row.queue_id,
        "kind": row.kind,
        "title": row.title,
        "screen": body.get("screen", kind.screen),
        "done": given,
        "total_for_me": given + left,
        "left": left,
        "body": {name: body[name] for name in kind.told if name in body},
    }
    return told | ({"page": kind.page} if kind.page else {})


class Passphrase(Strict):
    passphrase: Annotated[str, Field(max_length=1000)]


@router.put("/api/me/passphrase", status_code=204)
def put_passphrase(body: Passphrase, room: RoomHere, person: PersonHere) -> Response:
    """Set the passphrase by which I can come back."""
    hash_of_it = passphrase_hash(body.passphrase)
    with room.database.writing() as connection:
        set_passphrase(connection, person, hash_of_it)
        note(connection, person, "passphrase", person.name)
    return Response(status_code=204)


# --- the lead's lists ----------------------------------------------------------------------------------


@router.get("/api/people")
def list_people(room: RoomHere) -> dict[str, Any]:
    """Everybody, with when they signed in last and how many events they made."""
    seen = select(sessions.c.person_id, func.max(sessions.c.created_at).label("at")).group_by(
        sessions.c.person_id
    )
    given = select(events.c.person_id, func.count().label("n")).group_by(events.c.person_id)
    with room.database.reading() as connection:
        last = {row[0]: row[1] for row in connection.execute(seen)}
        counts = {row[0]: row[1] for row in connection.execute(given)}
        rows = connection.execute(select(people).order_by(people.c.name)).all()
    return {
        "people": [
            {
                "id": row.person_id,
                "name": row.name,
                "role": row.role,
                "kind": row.kind,
                "active": row.active,
                "created_at": row.created_at,
                "last_seen_at": last.get(row.person_id),
                "num_events": counts.get(row.person_id, 0),
            }
            for row in rows
        ]
    }


class PersonChange(Strict):
    name: Short | None = None
    role: Short | None = None
    active: bool | None = None


@router.patch("/api/people/{person_id}")
def patch_person(person_id: str, body: PersonChange, room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """Rename, give another role, shut out or let in again."""
    changes = body.model_dump(exclude_none=True)
    if "name" in changes:
        changes["name"] = check_name(changes["name"])
    if "role" in changes:
        check_role(changes["role"])
    if not changes:
        raise Refusal(422, "Nothing is to be changed.", "Send name, role or active.")
    with room.database.writing() as connection:
        row = change_person(connection, person_id, changes)
        note(connection, person, "person", row.name, **changes)
    return {"id": row.person_id, "name": row.name, "role": row.role, "active": row.active}


class NewInvite(Strict):
    name: Short
    role: Short
    kind: Literal["person", "model"] = "person"  # a program that decides by a model is a `model`
    days: Annotated[float, Field(gt=0, le=90)] | None = None
    person_id: Short | None = None


@router.get("/api/invites")
def list_invites(room: RoomHere) -> dict[str, Any]:
    """The newest 500 invites, without their tokens."""
    with room.database.reading() as connection:
        rows = connection.execute(select(invites).order_by(invites.c.created_at.desc()).limit(500)).all()
    names = ("name", "role", "kind", "expires_at", "used_at", "revoked")
    return {"invites": [{"id": row.invite_id} | {name: getattr(row, name) for name in names} for row in rows]}


@router.post("/api/invites", status_code=201)
def post_invite(body: NewInvite, room: RoomHere, person: PersonHere) -> dict[str, Any]:
    """A link for one use; it is shown this once, for only its hash is kept."""
    lifetime_s = body.days * DAY_S if body.days else room.settings.invite_s
    with room.database.writing() as connection:
        name, role = _whom(connection, body)
        made = invite(
            connection,
            name=name,
            role=role,
            lifetime_s=lifetime_s,
            by=person.person_id,
            person_id=body.person_id,
            kind=body.kind,
        )
        note(connection, person, "invite", name, role=role, kind=body.kind, invite_id=made.invite_id)
    link = f"{room.settings.origins[0]}/#invite={made.token}"
    return {"id": made.invite_id, "link": link, "expires_at": made.expires_at}


def _whom(connection: Any, body: NewInvite) -> tuple[str, str]:
    """Name and role; an invite for somebody known takes theirs, so that it cannot lend a role."""
    if body.person_id is None:
        return body.name, body.role
    row = connection.execute(select(people).where(people.c.person_id == body.person_id)).first()
    if row is None:
        raise not_found("person")
    return row.name, row.role


@router.delete("/api/invites/{invite_id}", status_code=204)
def delete_invite(invite_id: str, room: RoomHere, person: PersonHere) -> Response:
    """Withdraw an invite that nobody has used."""
    with room.database.writing() as connection:
        taken = connection.execute(
            update(invites)
            .where(invites.c.invite_id == invite_id, invites.c.used_at.is_(None))
            .values(revoked=True)
        )
        if taken.rowcount == 0:
            raise not_found("invite that is still unused")
        note(connection, person, "revoke invite", invite_id)
    return Response(status_code=204)


@router.get("/api/audit")
def read_audit(
    room: RoomHere,
    before: Number | None = None,
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """What leads did, and who signed in, newest first."""
    query = select(audit, people.c.name).outerjoin(people, people.c.person_id == audit.c.person_id)
    query = query if before is None else query.where(audit.c.seq < before)
    with room.database.reading() as connection:
        rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit)).all()
    entries = [
        {
            "seq": row.seq,
            "at": row.at,
            "person": row.name,
            "action": row.action,
            "subject": row.subject,
            "body": json.loads(row.body),
        }
        for row in rows
    ]
    return {"entries": entries, "next": entries[-1]["seq"] if len(entries) == limit else None}


__all__ = ["PERMISSIONS", "Number", "Strict", "router"]
