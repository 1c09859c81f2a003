"""Decisions made elsewhere, by several annotators, as events of the rounds: CSV, JSONL or parquet.

One row is one thing that one annotator said of one picture. It counts as if it had been said on a screen: the
round's overlap settles it, the lead settles what is left, and needles.parquet names who said what.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from photogenic.core.errors import RunError
from photogenic.review.annotators import called
from photogenic.review.imports import IDS, read_rows, rows_by_name, samples_of
from photogenic.review.results import open_captions
from photogenic.review.rows import EVENT_IDS, READERS, Said, read_said
from photogenic.web.events import accept
from photogenic.web.people import add_person
from photogenic.web.registration import Event, Person
from photogenic.web.room import Room, note
from photogenic.web.tables import events, items, judgments, people, queues

if TYPE_CHECKING:
    from photogenic.review.desk import Review

AT_ONCE = 500
UNSHOWN = "the round does not show their pictures"


@dataclass
class Tally:
    """What became of the rows."""

    taken: int = 0
    known: int = 0

    def __post_init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.annotators: set[str] = set()

    @property
    def words(self) -> str:
        names = ", ".join(sorted(self.annotators)) or "nobody"
        told = [f"{self.taken} taken, of {names}"]
        if self.known:
            told.append(f"{self.known} were there already")
        return "; ".join([*told, *(f"{num} left out: {why}" for why, num in self.left_out.most_common())])


def bring_in(review: Review, room: Room, path: Path) -> str:
    """Take the rows of a table as events of their rounds; a sentence about it.

    A row without a round is of the one that is open. What was taken before is not taken again.

    Raises:
        RunError: the table cannot be read, a row says nothing that can be read, or its round has not begun.
    """
    columns, rows = read_rows(path)
    column = next((name for name in IDS if name in columns), None)
    if column is None or "person" not in columns:
        raise RunError(
            f"{path.name} needs a column `person` and one of {', '.join(f'`{name}`' for name in IDS)};"
            f" it has {', '.join(columns) or 'none'}."
        )
    said = list(read_said(path, rows, column, _sample_ids(review, path, rows, column)))
    with room.database.reading() as connection:
        by_queue = _by_round(connection, said)
    tally = Tally()
    for queue, its in by_queue:
        # Who reads captions, and who settles, speaks of what is there already.
        for late in (False, True):
            _take(room, queue, [one for one in its if one.is_late == late], tally)
    with room.database.writing() as connection:
        note(connection, None, "import", path.name, words=tally.words, by="command line")
        # Taken is not settled: a caption that was taken may still wait for its reader.
        captions = [
            open_captions(connection, one.queue_id).words for one, _ in by_queue if one.kind == "captions"
        ]
    return "; ".join([f"{path.name}: {tally.words}", *filter(None, captions)])


def _sample_ids(review: Review, path: Path, rows: Sequence[Any], column: str) -> Mapping[int, str]:
    """Line -> sample_id; every row names one sample of the candidates."""
    table = samples_of(review.run)
    places, ids = rows_by_name(table, IDS[column]), table["sample_id"].to_pylist()
    sources = table["source"].to_pylist()
    found = {}
    for line, row in rows:
        name, source = row.get(column, "").strip(), row.get("source", "").strip()
        here = [place for place in places.get(name, ()) if source in ("", sources[place])]
        if len(here) != 1:
            where = "is in several sources" if here else "is not among the candidates"
            raise RunError(
                f"{path.name}, line {line}: {column} {name!r} {where}.",
                "Add a column `source`, or use sample_id."
                if here
                else "`photogenic why` tells which step dropped a sample.",
            )
        found[line] = ids[here[0]]
    return found


def _by_round(connection: Connection, said: Sequence[Said]) -> list[tuple[Row[Any], list[Said]]]:
    """(queue, rows), in the order of the rounds."""
    rounds = connection.execute(select(queues).order_by(queues.c.created_at)).all()
    by_title = {row.title: row for row in rounds}
    open_now = [row for row in rounds if row.state == "open" and row.kind != "relook"]
    grouped: dict[str, list[Said]] = defaultdict(list)
    for one in said:
        title = one.round or (open_now[-1].title if open_now else "")
        if title not in by_title:
            raise RunError(
                f"Line {one.line}: the round {title!r} has not begun."
                if title
                else "No round is open for these decisions.",
                "`photogenic review RECIPE --advance` closes the round before and opens the next.",
            )
        grouped[title].append(one)
    return [(row, grouped[row.title]) for row in rounds if row.title in grouped]


def _take(room: Room, queue: Row[Any], said: Sequence[Said], tally: Tally) -> None:
    """Let the annotators say it, one after the other."""
    by_name: dict[str, list[Said]] = defaultdict(list)
    for one in said:
        by_name[one.person].append(one)
    with room.database.reading() as connection:
        shown = _items_of(connection, queue.queue_id)
    for name, its in by_name.items():
        person = _annotator(room, queue, name, its)
        tally.annotators.add(called(person.name, person.kind))
        here = [one for one in its if one.sample_id in shown]
        tally.left_out[UNSHOWN] += len(its) - len(here)
        for start in range(0, len(here), AT_ONCE):
            _accept(room, queue, person, here[start : start + AT_ONCE], shown, tally)
    tally.left_out = +tally.left_out


def _annotator(room: Room, queue: Row[Any], name: str, said: Sequence[Said]) -> Person:
    """Who said it: known by name, or new; nobody signs in by an import.

    Raises:
        RunError: the same name is once a person's and once a model's.
    """
    kinds = {one.annotator_kind for one in said}
    with room.database.writing() as connection:
        row = connection.execute(select(people).where(people.c.name == " ".join(name.split()))).first()
        if len(kinds) > 1 or (row is not None and row.kind not in kinds):
            raise RunError(f"{name!r} is once a person and once a model.", "Give them two names.")
        if row is not None:
            return Person(row.person_id, row.name, row.role, row.kind)
        roles = sorted(json.loads(queue.body).get("roles") or room.kinds[queue.kind].roles)
        role = next((one.role for one in said if one.role), roles[0])
        return add_person(connection, name, role, said[0].annotator_kind)


def _items_of(connection: Connection, queue_id: str) -> dict[str, str]:
    """sample_id -> item_id of what the round shows."""
    rows = connection.execute(select(items.c.item_id, items.c.body).where(items.c.queue_id == queue_id))
    return {json.loads(row.body)["sample_id"]: row.item_id for row in rows}


def _accept(
    room: Room,
    queue: Row[Any],
    person: Person,
    said: Sequence[Said],
    shown: Mapping[str, str],
    tally: Tally,
) -> None:
    with room.database.reading() as connection:
        captions = _captions(connection, [shown[one.sample_id] for one in said if one.kind in READERS])
    batch = [_event(queue, person, one, shown[one.sample_id], captions) for one in said]
    ids = [event.event_id for event in batch]
    with room.database.reading() as connection:
        known = connection.execute(select(func.count()).where(events.c.event_id.in_(ids))).scalar_one()
    answer = accept(
        room.database,
        room.kinds,
        person,
        batch,
        lease_s=room.settings.lease_s,
        may_enter=lambda _queue, _person: True,
        elsewhere=True,
    )
    tally.known += known
    tally.taken += len(set(answer.accepted)) - known
    tally.left_out.update(one["error"].rstrip(".") for one in answer.refused)


def _event(queue: Row[Any], person: Person, one: Said, item_id: str, captions: Mapping[str, str]) -> Event:
    body = one.body
    if one.kind in READERS:
        body = {"caption_event_id": captions.get(item_id, "")} | body
    told = json.dumps([item_id, person.name, one.kind, body], sort_keys=True, ensure_ascii=False)
    event_id = one.event_id or str(uuid.uuid5(EVENT_IDS, told))
    return Event(event_id, one.kind, queue.queue_id, item_id, one.at, body)


def _captions(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Item -> the event of the caption that stands there."""
    rows = connection.execute(
        select(judgments.c.item_id, judgments.c.event_id).where(
            judgments.c.item_id.in_(ids), judgments.c.answer == "caption"
        )
    )
    return {row.item_id: row.event_id for row in rows}
