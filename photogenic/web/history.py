"""What was said of an item, in the order in which it was said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from photogenic.web.registration import Item, Judgment, QueueKind
from photogenic.web.tables import events, judgments

MOST_ACTIVE_MS = 120_000


def in_their_order(ids: Sequence[str]) -> Select[Any]:
    """The present judgments of these items, the newest last."""
    return (
        select(judgments)
        .join(events, events.c.event_id == judgments.c.event_id)
        .where(judgments.c.item_id.in_(ids))
        .order_by(events.c.seq)
    )


def earlier_judgment(
    connection: Connection, kind: QueueKind, item: Item, person_id: str, before: int | None = None
) -> Judgment | None:
    """What the present judgment of this person has replaced; None: nothing, or what was forgotten since.

    All that was said of the item is gone through again, for one person's word may let go of another's.

    Args:
        before: only events whose number is below it; None: all.
    """
    query = select(events).where(events.c.item_id == item.item_id)
    query = query if before is None else query.where(events.c.seq < before)
    said: dict[str, list[Judgment]] = {}  # person -> judgments, each in place of the one before
    for row in connection.execute(query.order_by(events.c.seq)):
        if row.kind != "undo" and row.kind not in kind.judging:
            continue
        body, stack = json.loads(row.body), said.pop(row.person_id, [])
        if row.kind == "undo":
            stack = stack[:-1]
        else:
            answer = kind.read(row.kind, body)
            stack = [*stack, Judgment(row.person_id, row.event_id, answer, active_ms_of(body))]
        if stack:
            said[row.person_id] = stack
        if item.purpose == "work":
            for forgotten in kind.decide([one[-1] for one in said.values()], item).forget:
                said.pop(forgotten, None)
    present = said.get(person_id, [])
    return present[-2] if len(present) > 1 else None


def active_ms_of(body: Mapping[str, Any]) -> int:
    """What the browser measured; who walked away from a picture for longer was not looking at it."""
    told = body.get("active_ms")
    return min(max(told, 0), MOST_ACTIVE_MS) if isinstance(told, int) else 0
