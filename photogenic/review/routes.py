"""Routes of the review: guidelines, and the lead's desk."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import Connection, insert, select

from photogenic.core.shards import read_json
from photogenic.review.decisions_table import decision_rows, encoded
from photogenic.review.learning import learn_taste, proposed
from photogenic.review.needles import unsettled_captions, write_decided
from photogenic.review.results import disagreements, progress
from photogenic.review.settled import Taken, left_by_finish
from photogenic.review.tables import guidelines
from photogenic.review.tokens import count_tokens
from photogenic.web.accounts import Number, Strict
from photogenic.web.downloads import MEDIA_TYPES, attachment
from photogenic.web.queues import item_of
from photogenic.web.refusals import Refusal
from photogenic.web.registration import EVERYONE, LEAD, Permissions
from photogenic.web.room import PersonHere, RoomHere, note
from photogenic.web.tables import items, queue_pictures
from photogenic.web.work import judgments_of, show

if TYPE_CHECKING:
    from photogenic.review.desk import Review

PERMISSIONS: Permissions = {
    ("GET", "/api/queues/{queue_id}/guidelines"): EVERYONE,
    ("PUT", "/api/queues/{queue_id}/guidelines"): LEAD,
    ("POST", "/api/review/advance"): LEAD,
    ("GET", "/api/needles"): LEAD,
    ("POST", "/api/needles"): LEAD,
    ("POST", "/api/review/taste"): LEAD,
    ("GET", "/api/queues/{queue_id}/proposals"): LEAD,
    ("GET", "/api/queues/{queue_id}/progress"): LEAD,
    ("GET", "/api/queues/{queue_id}/disagreements"): LEAD,
    ("GET", "/api/queues/{queue_id}/items"): LEAD,
    ("POST", "/api/review/tokens"): EVERYONE,
    ("GET", "/api/export/decisions.{suffix}"): LEAD,
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


class Words(Strict):
    text: Annotated[str, Field(max_length=4000)]
    queue_id: Annotated[str, Field(max_length=40)] | None = None


class Advance(Strict):
    queue_id: Annotated[str, Field(max_length=16)]


class Finish(Strict):
    captions: Taken = "settled"


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

    @router.post("/api/review/taste")
    def learn(room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """Learn a taste from the decisions so far; what it saves and what it proposes to look at."""
        with room.database.reading() as connection:
            report = learn_taste(review, connection)
        with room.database.writing() as connection:
            note(connection, person, "taste", f"{report['decisions']} decisions")
        return report

    @router.get("/api/queues/{queue_id}/proposals")
    def read_proposals(queue_id: str, room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """What the taste proposes of this queue's pictures: surprising decisions, and what may be gold."""
        with room.database.reading() as connection:
            kind = room.kind_of(room.queue(connection, queue_id, person))
            found = proposed(connection, queue_id, review.run)
            return {
                name: [
                    one | {"verdict": item.outcome}
                    for one, item in zip(show(connection, kind, group, person), group, strict=True)
                ]
                for name, group in found.items()
            }

    @router.get("/api/needles")
    def before_needles(room: RoomHere) -> dict[str, Any]:
        """What stands in the way of writing them: captions that are not settled."""
        unsettled = unsettled_captions(review, room)
        return {**asdict(unsettled), "words": unsettled.words}

    @router.post("/api/needles")
    def write_needles(room: RoomHere, person: PersonHere, body: Finish | None = None) -> dict[str, Any]:
        """Write needles.parquet from what was kept, so that the road goes on with it."""
        taken: Taken = "settled" if body is None else body.captions
        count = write_decided(review, room, taken=taken)
        left = left_by_finish(review.run.folder)
        with room.database.writing() as connection:
            note(connection, person, "needles", str(count), **({"captions": left} if left else {}))
        return {"num_needles": count} | ({"captions": left} if left else {})

    @router.post("/api/review/tokens")
    def tokens(body: Words) -> dict[str, Any]:
        """How many tokens the encoders of the recipe make of a caption, and how many they read."""
        return {"encoders": [] if review.encoders is None else count_tokens(review.encoders, body.text)}

    _add_results(router, review)
    return router


def _add_results(router: APIRouter, review: Review) -> None:
    """What the lead's desk shows."""

    @router.get("/api/queues/{queue_id}/progress")
    def read_progress(queue_id: str, room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """Funnel, people, speed, agreement, gold, second looks, estimate."""
        with room.database.reading() as connection:
            told = progress(connection, room.queue(connection, queue_id, person), review.config.cost_per_hour)
        report = review.run.folder / "review" / "taste-report.json"
        return told | ({"taste": read_json(report)} if report.exists() else {})

    @router.get("/api/queues/{queue_id}/disagreements")
    def read_disagreements(
        queue_id: str,
        room: RoomHere,
        person: PersonHere,
        after: Number = -(2**62),
        limit: Annotated[int, Field(ge=1, le=60)] = 20,
    ) -> dict[str, Any]:
        """Items on which people differ, with what each said."""
        with room.database.reading() as connection:
            kind = room.kind_of(room.queue(connection, queue_id, person))
            found = [item_of(row) for row in disagreements(connection, queue_id, after=after, limit=limit)]
            said = judgments_of(connection, [item.item_id for item in found])
            shown = show(connection, kind, found, person)
        told = [
            one
            | {"position": item.position, "state": item.state, "outcome": item.outcome}
            | {"judgments": said.get(item.item_id, [])}
            for one, item in zip(shown, found, strict=True)
        ]
        return {"items": told, "next": found[-1].position if len(found) == limit else None}

    @router.get("/api/queues/{queue_id}/items")
    def list_items(
        queue_id: str,
        room: RoomHere,
        person: PersonHere,
        offset: Annotated[int, Field(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Field(ge=1, le=200)] = 60,
    ) -> dict[str, Any]:
        """All items in their order, with their state: the lead's contact sheet."""
        with room.database.reading() as connection:
            queue = room.queue(connection, queue_id, person)
            rows = connection.execute(
                select(items)
                .where(items.c.queue_id == queue_id, items.c.purpose == "work")
                .order_by(items.c.position)
                .offset(offset)
                .limit(limit)
            )
            found = [item_of(row) for row in rows]
            shown = show(connection, room.kind_of(queue), found, person)
        told = [
            one | {"state": item.state, "verdict": item.outcome}
            for one, item in zip(shown, found, strict=True)
        ]
        return {"items": told, "total": queue.num_items}

    @router.get("/api/export/decisions.{suffix}")
    def export(suffix: Literal["jsonl", "csv", "parquet"], room: RoomHere) -> StreamingResponse:
        """All decisions of all rounds."""

        def pieces() -> Iterator[bytes]:
            with room.database.reading() as connection:
                for piece, _ in encoded(decision_rows(connection), suffix):
                    yield piece

        headers = attachment(f"decisions.{suffix}")
        return StreamingResponse(pieces(), media_type=MEDIA_TYPES[suffix], headers=headers)


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
