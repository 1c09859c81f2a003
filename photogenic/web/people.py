"""People, the invites that bring them in, and their sessions."""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from photogenic.web.refusals import Refusal, not_found
from photogenic.web.registration import ANNOTATOR_KINDS, ROLES, Person
from photogenic.web.tables import invites, people, sessions

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_PASSPHRASE = 12


class Invite(NamedTuple):
    """A fresh invite; the token is known here and to whom it is given, and to nobody else."""

    invite_id: str
    token: str
    expires_at: float


def new_id() -> str:
    """16 hex digits that tell nothing."""
    return secrets.token_hex(8)


def hashed(token: str) -> str:
    """SHA-256: enough for a token of 256 random bits, which nobody can guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def add_person(connection: Connection, name: str, role: str, kind: str = "person") -> Person:
    """A new person.

    Raises:
        Refusal: the name is empty, too long or taken, or there is no such role or kind.
    """
    person = Person(new_id(), check_name(name), check_role(role), check_kind(kind))
    if connection.execute(select(people.c.person_id).where(people.c.name == person.name)).first():
        raise Refusal(409, f"Somebody is called {person.name!r} already.", "Add a surname.")
    connection.execute(
        insert(people).values(
            person_id=person.person_id,
            name=person.name,
            role=role,
            kind=kind,
            active=True,
            created_at=time.time(),
        )
    )
    return person


def check_name(name: str) -> str:
    """The name without spaces around it; one line, 80 letters at most."""
    name = " ".join(name.split())
    if not name or len(name) > 80 or not name.isprintable():
        raise Refusal(422, "A name has 1 to 80 letters.")
    return name


def check_role(role: str) -> str:
    if role not in ROLES:
        raise Refusal(422, f"There is no role {role!r}.", f"Use {', '.join(ROLES)}.")
    return role


def check_kind(kind: str) -> str:
    if kind not in ANNOTATOR_KINDS:
        raise Refusal(422, f"There is no kind of annotator {kind!r}.", f"Use {' or '.join(ANNOTATOR_KINDS)}.")
    return kind


# --- invites -------------------------------------------------------------------------------------------


def invite(
    connection: Connection,
    *,
    name: str,
    role: str,
    lifetime_s: float,
    by: str | None = None,
    person_id: str | None = None,
    kind: str = "person",
) -> Invite:
    """A link for one use. With `person_id` it signs in that person, else it makes one."""
    made = Invite(new_id(), secrets.token_urlsafe(32), time.time() + lifetime_s)
    connection.execute(
        insert(invites).values(
            invite_id=made.invite_id,
            token_hash=hashed(made.token),
            name=check_name(name),
            role=check_role(role),
            kind=check_kind(kind),
            person_id=person_id,
            created_by=by,
            created_at=time.time(),
            expires_at=made.expires_at,
            revoked=False,
        )
    )
    return made


def redeem(connection: Connection, token: str) -> Person:
    """Whom the invite signs in; it is used up.

    Raises:
        Refusal: it was used, has expired, was taken back, or never was. Nobody is told which.
    """
    refusal = Refusal(401, "This link is no longer valid.", "Ask the lead for a new one: a link works once.")
    now = time.time()
    taken = connection.execute(
        update(invites)
        .where(invites.c.token_hash == hashed(token), invites.c.used_at.is_(None))
        .where(invites.c.expires_at > now, invites.c.revoked.is_(False))
        .values(used_at=now)
    )
    if taken.rowcount != 1:
        raise refusal
    row = connection.execute(select(invites).where(invites.c.token_hash == hashed(token))).one()
    if row.person_id is None:
        person = add_person(connection, _free_name(connection, row.name), row.role, row.kind)
        connection.execute(
            update(invites).where(invites.c.invite_id == row.invite_id).values(person_id=person.person_id)
        )
        return person
    found = connection.execute(select(people).where(people.c.person_id == row.person_id)).first()
    if found is None or not found.active:
        raise refusal
    return Person(found.person_id, found.name, found.role, found.kind)


def _free_name(connection: Connection, name: str) -> str:
    taken = set(connection.execute(select(people.c.name)).scalars())
    names = [name, *(f"{name} {number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)


# --- passphrases ---------------------------------------------------------------------------------------


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def passphrase_hash(passphrase: str) -> str:
    """Its argon2 hash. That takes a tenth of a second on purpose: no writer may wait for it.

    Raises:
        Refusal: it is too short.
    """
    if not MIN_PASSPHRASE <= len(passphrase) <= 1000:
        raise Refusal(422, f"A passphrase has at least {MIN_PASSPHRASE} letters.", "Four words do well.")
    return _hasher().hash(passphrase)


def set_passphrase(connection: Connection, person: Person, hash_of_it: str) -> None:
    """Keep what `passphrase_hash` made of it."""
    mine = people.c.person_id == person.person_id
    connection.execute(update(people).where(mine).values(passphrase_hash=hash_of_it))


def check_passphrase(connection: Connection, name: str, passphrase: str) -> Person:
    """Who this is. It takes as long for an unknown name as for a wrong passphrase; no writer may wait for it.

    Raises:
        Refusal: 401.
    """
    from argon2.exceptions import VerifyMismatchError

    row = connection.execute(select(people).where(people.c.name == " ".join(name.split()))).first()
    known = row.passphrase_hash if row is not None else None
    try:
        _hasher().verify(known or _nobodys_hash(), passphrase)
    except VerifyMismatchError:
        row = None
    if row is None or known is None or not row.active:
        raise Refusal(401, "Name and passphrase do not fit together.")
    return Person(row.person_id, row.name, row.role, row.kind)


# --- sessions ------------------------------------------------------------------------------------------


def open_session(connection: Connection, person: Person, lifetime_s: float, old: str | None) -> str:
    """A fresh token; whatever session the browser came with ends, so that nobody can plant one."""
    if old:
        close_session(connection, old)
    connection.execute(delete(sessions).where(sessions.c.expires_at < time.time()))
    token, now = secrets.token_urlsafe(32), time.time()
    connection.execute(
        insert(sessions).values(
            token_hash=hashed(token),
            person_id=person.person_id,
            created_at=now,
            expires_at=now + lifetime_s,
        )
    )
    return token


def close_session(connection: Connection, token: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == hashed(token)))


def who(connection: Connection, token: str | None) -> Person | None:
    """The person of a session; None when it has ended or the person was shut out."""
    if not token:
        return None
    row = connection.execute(
        select(people.c.person_id, people.c.name, people.c.role, people.c.kind)
        .join(sessions, sessions.c.person_id == people.c.person_id)
        .where(sessions.c.token_hash == hashed(token), sessions.c.expires_at > time.time())
        .where(people.c.active.is_(True))
    ).first()
    return Person(*row) if row else None


def change_person(connection: Connection, person_id: str, changes: dict[str, Any]) -> Row[Any]:
    """Rename, change the role, or shut out; a person shut out, or with another role, is signed out.

    Links that this person has made and nobody has used end too: one of them might lead back in.

    Raises:
        Refusal: there is no such person, the name is taken, or the last lead would be gone.
    """
    row = connection.execute(select(people).where(people.c.person_id == person_id)).first()
    if row is None:
        raise not_found("person")
    if row.role == "lead" and (changes.get("active") is False or changes.get("role", "lead") != "lead"):
        _refuse_last_lead(connection, person_id)
    try:
        connection.execute(update(people).where(people.c.person_id == person_id).values(**changes))
    except IntegrityError as error:
        raise Refusal(409, "Somebody has that name already.") from error
    if changes.get("active") is False or changes.get("role", row.role) != row.role:
        connection.execute(delete(sessions).where(sessions.c.person_id == person_id))
        _withdraw_links(connection, person_id)
    return connection.execute(select(people).where(people.c.person_id == person_id)).one()


def _withdraw_links(connection: Connection, person_id: str) -> None:
    unused = (invites.c.created_by == person_id) & invites.c.used_at.is_(None)
    connection.execute(update(invites).where(unused).values(revoked=True))


def _refuse_last_lead(connection: Connection, person_id: str) -> None:
    others = connection.execute(
        select(people.c.person_id).where(
            people.c.role == "lead",
            people.c.kind == "person",
            people.c.active.is_(True),
            people.c.person_id != person_id,
        )
    ).first()
    if others is None:
        raise Refusal(409, "This is the only lead.", "Make somebody else a lead first.")
