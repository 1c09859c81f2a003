"""The four kinds of queues of a review: grid, loupe, captions, and second looks at bulk rejects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from photogenic.review.decisions import read_caption, read_decision
from photogenic.review.last_words import SECOND_LOOKS
from photogenic.review.outcomes import check_reading, decide, decide_caption
from photogenic.web.queues import NewItem, NewPicture, add_items, add_pictures, create_queue
from photogenic.web.registration import Event, Item, Person, QueueKind
from photogenic.web.tables import events, items, judgments, pictures, queues

CAPTION_FACTS = ("metadata", "caption_drafts", "forbidden")
TOLD = ("mark", "criteria", "reasons")


def _show_decision(_connection: Connection, found: Sequence[Item], _person: Person) -> list[dict[str, Any]]:
    """Facts of the file; no score, no vote, nothing that tells gold from work."""
    return [{"metadata": item.body.get("metadata", {})} for item in found]


def _show_caption(connection: Connection, found: Sequence[Item], _person: Person) -> list[dict[str, Any]]:
    """Facts, drafts; for a second reader the caption that waits; for a writer why one came back."""
    ids = [item.item_id for item in found]
    waiting = connection.execute(
        select(judgments.c.item_id, judgments.c.event_id, events.c.body)
        .join(events, events.c.event_id == judgments.c.event_id)
        .where(judgments.c.item_id.in_(ids), judgments.c.answer == "caption")
    ).all()
    captions = {row.item_id: (row.event_id, json.loads(row.body)) for row in waiting}
    returned = _returned(connection, [item_id for item_id in ids if item_id not in captions])
    shown = []
    for item in found:
        body = {name: item.body[name] for name in CAPTION_FACTS if name in item.body}
        if item.item_id in captions:
            event_id, caption = captions[item.item_id]
            body["read"] = {
                "caption_event_id": event_id,
                "text": caption["text"],
                "checklist": caption.get("checklist"),
            }
        elif item.item_id in returned:
            body["returned"] = returned[item.item_id]
        shown.append(body)
    return shown


def _returned(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Item -> the last returned caption and the reader's words."""
    rows = connection.execute(
        select(events.c.item_id, events.c.kind, events.c.body)
        .where(events.c.item_id.in_(ids), events.c.kind.in_(("caption", "return")))
        .order_by(events.c.seq)
    )
    told: dict[str, dict[str, str]] = {}
    for row in rows:
        body, line = json.loads(row.body), told.setdefault(row.item_id, {})
        line["text" if row.kind == "caption" else "words"] = body[
            "text" if row.kind == "caption" else "words"
        ]
    return {item_id: line for item_id, line in told.items() if "words" in line}


def _look_again(connection: Connection, event: Event, item: Item, _person: Person) -> None:
    """Some of the bulk rejects come back one by one: which ones, their ids decide."""
    body = event.body
    if item.purpose != "work" or body.get("verdict") != "drop" or not body.get("bulk"):
        return
    queue = connection.execute(select(queues).where(queues.c.queue_id == item.queue_id)).one()
    settings = json.loads(queue.body)
    if not _drawn(item.item_id, settings.get("relook_ratio", 0.0)):
        return
    relook = settings.get("relook_queue") or _relook_queue(connection, queue.queue_id, queue.title, settings)
    marker = hashlib.sha256(f"relook {item.item_id}".encode()).hexdigest()[:16]
    if connection.execute(select(items.c.item_id).where(items.c.item_id == marker)).first():
        return
    digests = item.body["images"]
    rows = connection.execute(select(pictures).where(pictures.c.digest.in_(digests))).all()
    add_pictures(
        connection,
        relook,
        [
            NewPicture(row.digest, row.reader, json.loads(row.locator), row.width_px, row.height_px)
            for row in rows
        ],
    )
    add_items(connection, relook, [NewItem({**item.body, "of": item.item_id}, item_id=marker)])


def _drawn(item_id: str, ratio: float) -> bool:
    digest = hashlib.sha256(f"second look {item_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < ratio * 2**64


def _relook_queue(connection: Connection, queue_id: str, title: str, settings: dict[str, Any]) -> str:
    inherited: dict[str, Any] = {name: settings[name] for name in ("round", "roles") if name in settings}
    made = create_queue(
        connection, kind="relook", title=f"{title}{SECOND_LOOKS}", body={**inherited, "of": queue_id}
    )
    connection.execute(
        update(queues)
        .where(queues.c.queue_id == queue_id)
        .values(body=json.dumps({**settings, "relook_queue": made}, ensure_ascii=False))
    )
    return made


KINDS = (
    QueueKind(
        name="grid",
        screen="grid",
        roles=frozenset(("generalist",)),
        judging=frozenset(("decide",)),
        read=read_decision,
        decide=decide,
        show=_show_decision,
        told=TOLD,
        after=_look_again,
        picture_size="thumb",
    ),
    QueueKind(
        name="loupe",
        screen="loupe",
        roles=frozenset(("specialist",)),
        judging=frozenset(("decide",)),
        read=read_decision,
        decide=decide,
        show=_show_decision,
        told=TOLD,
    ),
    QueueKind(
        name="relook",
        screen="loupe",
        roles=frozenset(("generalist",)),
        judging=frozenset(("decide",)),
        read=read_decision,
        decide=decide,
        show=_show_decision,
        told=TOLD,
    ),
    QueueKind(
        name="captions",
        screen="captions",
        roles=frozenset(("writer",)),
        judging=frozenset(("caption", "approve", "return")),
        read=read_caption,
        check=check_reading,
        decide=decide_caption,
        show=_show_caption,
    ),
)
