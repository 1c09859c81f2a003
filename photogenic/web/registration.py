"""What a stage brings to the web room: its kinds of queues, routes, pages and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from photogenic.web.screens import Screen

ROLES = ("lead", "generalist", "specialist", "writer", "rater")
ANYBODY = frozenset(("anybody",))  # no session needed
EVERYONE = frozenset(ROLES)
LEAD = frozenset(("lead",))
ANNOTATOR_KINDS = ("person", "model")  # a model that decides is never called a person

Permissions = Mapping[tuple[str, str], frozenset[str]]  # (method, path template) -> roles


@dataclass(frozen=True)
class Person:
    """Who is signed in."""

    person_id: str
    name: str
    role: str
    kind: str = "person"  # person | model


@dataclass(frozen=True)
class Judgment:
    """The present answer of one person on one item."""

    person_id: str
    event_id: str
    answer: str
    active_ms: int = 0  # how long it took, as the browser tells; 0: not told


@dataclass
class Item:
    """One unit of work. `body` is everything that is known of it; `show` picks what a person may see."""

    item_id: str
    queue_id: str
    position: int
    purpose: str  # work | gold | calibration
    expected: str | None
    body: dict[str, Any]
    state: str  # pending | done | adjudicate
    outcome: str | None
    adjudication: str | None
    overlap: int  # judgments to begin with
    wanted: int  # judgments that it takes by now
    given: int
    open_seats: int
    reopening: int


@dataclass(frozen=True)
class Outcome:
    """What the judgments of an item come to."""

    state: str  # pending | done | adjudicate
    wanted: int  # judgments it takes in all
    answer: str | None = None  # once done
    forget: tuple[str, ...] = ()  # people whose judgment no longer counts, so that they may judge anew


@dataclass(frozen=True)
class Event:
    """One thing that a person did."""

    event_id: str
    kind: str
    queue_id: str
    item_id: str
    client_at: str
    body: Mapping[str, Any]


Read = Callable[[str, Mapping[str, Any]], str]


@dataclass(frozen=True)
class QueueKind:
    """How one kind of queue works.

    `read(event kind, body)` checks the body of a judgment (or of an adjudication) and gives its answer, or
    raises ValueError with a sentence. `check(event, person_id, judgments, queue's body)` raises it where a
    judgment does not fit its queue, or what was said before. `decide(judgments, item)` tells what they come
    to; they are in the order in which they were given. `show(connection, items, person)` gives each item's
    public body. `after(connection, event, item, person)` may add what follows from an accepted judgment, in
    the same transaction.
    """

    name: str
    screen: str
    roles: frozenset[str]
    judging: frozenset[str]  # the event kinds that are judgments
    read: Read
    decide: Callable[[Sequence[Judgment], Item], Outcome]
    show: Callable[[Connection, Sequence[Item], Person], list[dict[str, Any]]]
    check: Callable[[Event, str, Sequence[Judgment], Mapping[str, Any]], None] | None = None
    after: Callable[[Connection, Event, Item, Person], None] | None = None
    picture_size: str = "screen"  # what its screen asks for first
    page: str | None = None  # where its screen is, if not at /review/{screen}
    adjudicates: frozenset[str] = LEAD
    told: tuple[str, ...] = ()  # what of the queue's body its people may see
    untold: tuple[str, ...] = ()  # what of it not even the lead is told


@dataclass(frozen=True)
class Registration:
    """What a stage adds. Its `permissions` name every route of `router`; a missing one stops the start."""

    name: str
    kinds: Sequence[QueueKind] = ()
    router: APIRouter | None = None
    permissions: Permissions = field(default_factory=dict)
    pages: Path | None = None  # scripts and style sheets, served at /{name}/…
    screens: Sequence[Screen] = ()  # pages, served at /{name}/{screen's name}
    desk: str | None = None  # the screen from which the lead runs it; the first page leads there
    migrations: Path | None = None  # a folder with env.py and versions/
    tables: Any = None  # its MetaData, for dumps
    read_picture: Callable[[Mapping[str, Any]], bytes] | None = None  # the bytes of a picture's locator
