"""needles.parquet from what people decided, with the story of each decision."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Row, func, select

from photogenic.core.errors import RunError
from photogenic.core.shards import write_json
from photogenic.core.tombstones import read_tombstones
from photogenic.review.annotators import called, caption_source, who_looked
from photogenic.review.captions import Caption, caption_for
from photogenic.review.export import Needles, write_needles
from photogenic.review.opening import candidates_of
from photogenic.review.results import kept_samples
from photogenic.review.settled import FINISHED, Taken, Unsettled
from photogenic.web.room import Room
from photogenic.web.tables import events, items, judgments, people

if TYPE_CHECKING:
    from photogenic.review.desk import Review

TOLD = ("verdict", "criteria", "reason", "bulk", "guidelines_version", "words", "draft_by")


class Written(NamedTuple):
    caption: Caption
    is_settled: bool  # False: a second reader is to read it


def write_decided(review: Review, room: Room | None = None, *, taken: Taken = "settled") -> int:
    """Write RUN/review/needles.parquet: what the last round that decides has kept; how many.

    Args:
        taken: which captions. `settled`: none may be unread or unwritten. `written`: those that no second
            reader has read as well; `read`: those that were read. Where none is taken the alt text stands.

    Raises:
        RunError: a round that decides has not begun, nothing was kept, or captions are not settled.
    """
    opened = room or review.open_room()
    try:
        with opened.database.reading() as connection:
            needles, unsettled = _needles(review, connection, taken)
            count = connection.execute(select(func.count()).select_from(events)).scalar_one()
        if unsettled.num and taken == "settled":
            raise RunError(
                f"Nothing was written, for captions are not settled: {unsettled.words}.",
                "Let them be written and read in their round, or say which to take:\n"
                "`photogenic review RECIPE --finish --captions written` takes unread ones too,\n"
                "`--captions read` leaves them out. The alternative text stands where none is taken.",
            )
        table = write_needles(needles, review.run)
        finished: dict[str, Any] = {"events": count, "needles": table.num_rows}
        if unsettled.num:
            finished["captions"] = {"taken": taken, **asdict(unsettled)}
            review.run.log.warning("review: %s", unsettled.became(taken))
        write_json(review.run.folder / "review" / FINISHED, finished)
        return int(table.num_rows)
    finally:
        if room is None:
            opened.database.close()


def unsettled_captions(review: Review, room: Room) -> Unsettled:
    """Captions of the needles that a second reader has not read, or nobody has written.

    Raises:
        RunError: a round that decides has not begun.
    """
    with room.database.reading() as connection:
        return _needles(review, connection, "written")[1]


def _needles(review: Review, connection: Connection, taken: Taken) -> tuple[Needles, Unsettled]:
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
    rows = read_tombstones(review.run.folder).without(rows).sort_by("sample_id")
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
    written = _captions(connection, writing) if writing is not None else {}
    captions = {one: it.caption for one, it in written.items() if it.is_settled or taken == "written"}
    needles = Needles(
        rows=rows,
        captions=[
            captions.get(sample_id) or caption_for(alt_text)
            for sample_id, alt_text in zip(ids, rows["alt_text"].to_pylist(), strict=True)
        ],
        decided_by=decided_by,
        scores=[None] * len(ids),
        decisions=[json.dumps(said[sample_id], ensure_ascii=False) for sample_id in ids],
    )
    return needles, _unsettled(ids, written) if _writes(review) else Unsettled()


def _unsettled(ids: Sequence[str], written: Mapping[str, Written]) -> Unsettled:
    return Unsettled(
        unread=sum(one in written and not written[one].is_settled for one in ids),
        unwritten=sum(one not in written for one in ids),
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
    return review.queue_of(connection, len(review.config.rounds) - 1) if _writes(review) else None


def _writes(review: Review) -> bool:
    """Whether the recipe has captions written, in its last round."""
    return review.config.rounds[-1].screen == "captions"


def _captions(connection: Connection, queue: Row[Any]) -> dict[str, Written]:
    """sample_id -> the caption that stands there, settled or not."""
    rows = connection.execute(
        select(items.c.body.label("item"), items.c.state, events.c.body, people.c.kind)
        .join(judgments, judgments.c.item_id == items.c.item_id)
        .join(events, events.c.event_id == judgments.c.event_id)
        .join(people, people.c.person_id == events.c.person_id)
        .where(items.c.queue_id == queue.queue_id, judgments.c.answer == "caption")
    )
    return {
        json.loads(row.item)["sample_id"]: Written(
            _caption(json.loads(row.body), row.kind), is_settled=row.state == "done"
        )
        for row in rows
    }


def _caption(body: Mapping[str, Any], kind: str) -> Caption:
    """A model's draft that a writer has left as it was is still the model's."""
    text = body["text"].strip()
    as_drafted = body.get("draft_by") is not None and text == (body.get("draft") or "").strip()
    return Caption(text, caption_source("model" if as_drafted else kind))
