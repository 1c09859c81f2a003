"""What was said of an item, in the order in which it was said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from photogenic.web.registration import Item, Judgment, QueueKind
from photogenic.web.tables import events, judgments

MOST_ACTIVE_MS = 120_000

# Person, the newest last -> judgments, each in place of the one before.
Said = dict[str, tuple[Judgment, ...]]


def in_their_order(ids: Sequence[str]) -> Select[Any]:
    """The present judgments of these items, the newest last."""
    return (
        select(judgments)
        .join(events, events.c.event_id == judgments.c.event_id)
        .where(judgments.c.item_id.in_(ids))
        .order_by(events.c.seq)
    )


def without(
    connection: Connection,
    kind: QueueKind,
    item: Item,
    person_id: str,
    event_id: str,
    before: int | None = None,
) -> dict[str, Judgment] | None:
    """Person -> judgment, as it stands once this person takes back the judgment `event_id`.

    The judgment that it replaced holds again, if there was one and nobody has let go of it since. A judgment
    that let go of others, and of itself, such as the return of a caption, can be taken back as long as it is
    the last word on the item.

    Args:
        before: only what was said before the event of this number; None: all.

    Returns:
        None where it is not this person's present judgment.
    """
    query = select(events).where(events.c.item_id == item.item_id)
    query = query if before is None else query.where(events.c.seq < before)
    told = _Told(kind, item)
    for row in connection.execute(query.order_by(events.c.seq)):
        body = json.loads(row.body)
        if row.kind == "undo":
            told.take_back(row.person_id, str(body["event_id"]))
        elif row.kind in kind.judging:
            answer = kind.read(row.kind, body)
            told.hear(Judgment(row.person_id, row.event_id, answer, active_ms_of(body)))
    return told.present if told.take_back(person_id, event_id) else None


class _Told:
    """The judgments of an item, heard one after the other."""

    def __init__(self, kind: QueueKind, item: Item) -> None:
        self.kind, self.item = kind, item
        self.said: Said = {}
        self.last: tuple[Judgment, Said] | None = None  # the last word, and what stood before it

    @property
    def present(self) -> dict[str, Judgment]:
        return {person_id: given[-1] for person_id, given in self.said.items()}

    def hear(self, judgment: Judgment) -> None:
        self.last = judgment, dict(self.said)
        given = self.said.pop(judgment.person_id, ())
        self.said[judgment.person_id] = (*given, judgment)
        self._forget()

    def take_back(self, person_id: str, event_id: str) -> bool:
        """Whether there was something to take back."""
        given = self.said.get(person_id, ())
        last, self.last = self.last, None
        if given and given[-1].event_id == event_id:
            del self.said[person_id]
            if given[:-1]:
                self.said[person_id] = given[:-1]
            self._forget()
            return True
        if last is not None and (last[0].person_id, last[0].event_id) == (person_id, event_id):
            self.said = last[1]
            return True
        return False

    def _forget(self) -> None:
        if self.item.purpose == "work":
            for person_id in self.kind.decide(list(self.present.values()), self.item).forget:
                self.said.pop(person_id, None)


def active_ms_of(body: Mapping[str, Any]) -> int:
    """What the browser measured; who walked away from a picture for longer was not looking at it."""
    told = body.get("active_ms")
    return min(max(told, 0), MOST_ACTIVE_MS) if isinstance(told, int) else 0
