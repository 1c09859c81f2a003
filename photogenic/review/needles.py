"""needles.parquet from what people decided, with the story of each decision."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Row, func, select

from photogenic.core.errors import RunError
from photogenic.core.shards import write_json
from photogenic.review.annotators import called, caption_source, who_looked
from photogenic.review.captions import Caption, caption_for
from photogenic.review.export import Needles, write_needles
from photogenic.review.opening import candidates_of
from photogenic.review.results import kept_samples
from photogenic.web.room import Room
from photogenic.web.tables import events, items, judgments, people

if TYPE_CHECKING:
    from photogenic.review.desk import Review

TOLD = ("verdict", "criteria", "reason", "bulk", "guidelines_version", "words", "draft_by")


def write_decided(review: Review, room: Room | None = None) -> int:
    """Write RUN/review/needles.parquet: what the last round that decides has kept; how many.

    Raises:
        RunError: a round that decides has not begun, or nothing was kept.
    """
    opened = room or review.open_room()
    try:
        with opened.database.reading() as connection:
            needles = _needles(review, connection)
            count = connection.execute(select(func.count()).select_from(events)).scalar_one()
        table = write_needles(needles, review.run)
        write_json(
            review.run.folder / "review" / "finished.json", {"events": count, "needles": table.num_rows}
        )
        return int(table.num_rows)
    finally:
        if room is None:
            opened.database.close()


def _needles(review: Review, connection: Connection) -> Needles:
    deciding = [
        (one, review.queue_of(connection, number))
        for number, one in enumerate(review.config.rounds)
        if one.screen != "captions"
    ]
    for one, queue in deciding:
        if queue is None:
            raise RunError(
                f"The round {one.name!r} has not begun.", "Let the lead open it: every round decides."
            )
    begun = [queue for _, queue in deciding if queue is not None]
    kept = kept_samples(connection, begun[-1])
    rows = candidates_of(review.run)
    rows = rows.filter(pc.is_in(rows["sample_id"], pa.array(sorted(kept), pa.string())))
    rows = rows.sort_by("sample_id")
    ids = rows["sample_id"].to_pylist()
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for queue in begun:
        for sample_id, line in _said(connection, queue, set(ids)):
            said[sample_id].append(line)
    known = _known_beforehand(connection, begun[-1])
    decided_by = [_decided_by(begun[-1].title, said[one], is_known=one in known) for one in ids]
    writing = _captions_queue(connection, review)
    for sample_id, line in _said(connection, writing, set(ids)) if writing is not None else ():
        said[sample_id].append(line)
    captions = _captions(connection, writing) if writing is not None else {}
    return Needles(
        rows=rows,
        captions=[
            captions.get(sample_id) or caption_for(alt_text)
            for sample_id, alt_text in zip(ids, rows["alt_text"].to_pylist(), strict=True)
        ],
        decided_by=decided_by,
        scores=[None] * len(ids),
        decisions=[json.dumps(said[sample_id], ensure_ascii=False) for sample_id in ids],
    )


def _said(connection: Connection, queue: Row[Any], wanted: set[str]) -> list[tuple[str, dict[str, Any]]]:
    """(sample_id, what a person said) of a round: judgments that count, second looks, adjudications."""
    related = [queue.queue_id, json.loads(queue.body).get("relook_queue") or queue.queue_id]
    samples = {
        row.item_id: json.loads(row.body)["sample_id"]
        for row in connection.execute(
            select(items.c.item_id, items.c.body).where(items.c.queue_id.in_(related))
        )
    }
    present = (
        (select(judgments.c.item_id, judgments.c.event_id).where(judgments.c.queue_id.in_(related)))
        .union_all(
            select(items.c.item_id, items.c.adjudication.label("event_id")).where(
                items.c.queue_id.in_(related), items.c.adjudication.is_not(None)
            )
        )
        .subquery()
    )
    rows = connection.execute(
        select(present.c.item_id, events.c.event_id, events.c.kind, events.c.queue_id, events.c.body)
        .add_columns(people.c.name, people.c.role, people.c.kind.label("annotator_kind"))
        .join(events, events.c.event_id == present.c.event_id)
        .join(people, people.c.person_id == events.c.person_id)
        .order_by(events.c.seq)
    )
    lines = []
    for row in rows:
        sample_id = samples.get(row.item_id)
        if sample_id in wanted:
            lines.append((sample_id, _line(queue, row)))
    return lines


def _line(queue: Row[Any], row: Row[Any]) -> dict[str, Any]:
    body = json.loads(row.body)
    what = row.kind
    if row.queue_id != queue.queue_id:
        what = "second look"
    told = {name: body[name] for name in TOLD if body.get(name) not in (None, "", False)}
    person = {
        "person": row.name,
        "annotator_kind": row.annotator_kind,
        "role": row.role,
        "event_id": row.event_id,
    }
    return {"round": queue.title, "what": what, **person, **told}


def _known_beforehand(connection: Connection, queue: Row[Any]) -> set[str]:
    """Samples whose answer is known: what people said of them settles nothing."""
    rows = connection.execute(
        select(items.c.body).where(items.c.queue_id == queue.queue_id, items.c.purpose != "work")
    )
    return {json.loads(row.body)["sample_id"] for row in rows}


def _decided_by(title: str, said: Sequence[Mapping[str, Any]], *, is_known: bool) -> str:
    last = [line for line in said if line["round"] == title]
    if is_known:
        return f"{title}: its answer was known beforehand"
    keepers = {(line["person"], line["annotator_kind"]) for line in last if line.get("verdict") == "keep"}
    names = " and ".join(called(name, kind) for name, kind in sorted(keepers))
    how = ", adjudicated" if any(line["what"] == "adjudicate" for line in last) else ""
    return f"{title}: kept by {names}{how}{who_looked(line['annotator_kind'] for line in said)}"


def _captions_queue(connection: Connection, review: Review) -> Row[Any] | None:
    last = len(review.config.rounds) - 1
    return review.queue_of(connection, last) if review.config.rounds[last].screen == "captions" else None


def _captions(connection: Connection, queue: Row[Any]) -> dict[str, Caption]:
    """sample_id -> the caption that is finished."""
    rows = connection.execute(
        select(items.c.body.label("item"), events.c.body, people.c.kind)
        .join(judgments, judgments.c.item_id == items.c.item_id)
        .join(events, events.c.event_id == judgments.c.event_id)
        .join(people, people.c.person_id == events.c.person_id)
        .where(items.c.queue_id == queue.queue_id, items.c.state == "done", judgments.c.answer == "caption")
    )
    return {json.loads(row.item)["sample_id"]: _caption(json.loads(row.body), row.kind) for row in rows}


def _caption(body: Mapping[str, Any], kind: str) -> Caption:
    """A model's draft that a writer has left as it was is still the model's."""
    text = body["text"].strip()
    as_drafted = body.get("draft_by") is not None and text == (body.get("draft") or "").strip()
    return Caption(text, caption_source("model" if as_drafted else kind))
