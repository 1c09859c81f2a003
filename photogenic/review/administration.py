"""What the command line does to a review without serving it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from photogenic.review.decisions_table import write_decisions
from photogenic.review.drafts import ask_for_drafts
from photogenic.review.incoming import bring_in
from photogenic.review.learning import learn_taste
from photogenic.review.needles import write_decided
from photogenic.review.results import open_captions
from photogenic.review.settled import Taken
from photogenic.review.tables import METADATA
from photogenic.web import backup as backups
from photogenic.web.events import rebuild as rebuild_state
from photogenic.web.room import note
from photogenic.web.tables import queues

if TYPE_CHECKING:
    from photogenic.review.desk import Review
    from photogenic.web.room import Room


@contextmanager
def _room(review: Review) -> Iterator[Room]:
    room = review.open_room()
    try:
        yield room
    finally:
        room.database.close()


def backup(review: Review, path: Path) -> str:
    """Write a backup, also while the server runs; a sentence about it."""
    with _room(review) as room:
        return backups.backup(room.database, path, [METADATA])


def restore(review: Review, path: Path) -> str:
    """Bring a backup into an empty database; a sentence about it."""
    with _room(review) as room:
        return backups.restore(room.database, path, [METADATA])


def export(review: Review, path: Path) -> str:
    """Write all decisions; a sentence about it."""
    with _room(review) as room, room.database.reading() as connection:
        return f"{path}: {write_decisions(connection, path)} events"


def take(review: Review, path: Path) -> str:
    """Take decisions made elsewhere into the rounds, also while the server runs; a sentence about it."""
    with _room(review) as room:
        review.begin(room)
        return bring_in(review, room, path)


def advance(review: Review) -> str:
    """Close the round that is open and open the next over what it kept; a sentence about it.

    Raises:
        RunError: it is the last, or it has kept nothing.
    """
    with _room(review) as room:
        review.begin(room)
        with room.database.writing() as connection:
            number = review.latest(connection)
            before = review.queue_of(connection, number)
            following = review.advance(connection, number)
            queue = connection.execute(select(queues).where(queues.c.queue_id == following)).one()
            note(connection, None, "advance", queue.title, queue_id=following, by="command line")
        unsettled = before.num_items - before.num_done if before is not None else 0
        left = (
            f"; {unsettled} of {before.title} were not settled and stay out" if before and unsettled else ""
        )
        return f"{queue.title}: {queue.num_items} pictures{left}"


def draft(review: Review) -> Iterator[str]:
    """Ask the endpoint of the recipe for drafts of captions; sentences about it."""
    with _room(review) as room:
        yield from ask_for_drafts(review, room)


def learn(review: Review) -> str:
    """Learn a taste from the decisions so far; a sentence about what it saves."""
    with _room(review) as room, room.database.reading() as connection:
        report = learn_taste(review, connection)
    return f"{review.run.folder / 'review' / 'taste.json'}. {report['words']}"


def rebuild(review: Review) -> str:
    """Make the present state anew from the events; a sentence about it."""
    with _room(review) as room:
        return f"The state was made anew from {rebuild_state(room.database, room.kinds)} events."


def finish(review: Review, taken: Taken = "settled") -> int:
    """Write needles.parquet from the decisions, with the captions that are `taken`; how many needles.

    Raises:
        RunError: it cannot be written, or captions are not settled and nothing was said about them.
    """
    return write_decided(review, taken=taken)


def captions_left(review: Review) -> str:
    """What is left to write and to read in the round of captions; "" where nothing is, or none has begun."""
    with _room(review) as room, room.database.reading() as connection:
        queue = review.queue_of(connection, review.latest(connection))
        if queue is None or queue.kind != "captions":
            return ""
        return open_captions(connection, queue.queue_id).words


DUTIES = {"restore": restore, "backup": backup, "import": take, "export": export}
