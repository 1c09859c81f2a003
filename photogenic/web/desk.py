"""Events become the present state, in memory for one transaction: loaded at once, written back at once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from photogenic.web.claims import reopenings, standing_of
from photogenic.web.database import Database
from photogenic.web.history import active_ms_of, in_their_order
from photogenic.web.queues import item_of
from photogenic.web.registration import Event, Item, Judgment, Outcome, QueueKind
from photogenic.web.tables import items, judgments, leases, queues, standings


class RefusedEvent(ValueError):
    """Why this event cannot be taken; trying again would not help."""


@dataclass
class Desk:
    """The items of one batch of events, with all that was said of them."""

    connection: Connection
    database: Database
    kinds: Mapping[str, QueueKind]
    lease_s: float
    replays: bool = False  # when the state is made anew from the events, nobody holds leases
    elsewhere: bool = False  # the decisions were made elsewhere: nobody has claimed their items
    queues: dict[str, Row[Any]] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    given: dict[str, dict[str, Judgment]] = field(default_factory=lambda: defaultdict(dict))
    leases: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # person -> state
    before: dict[str, tuple[Item, frozenset[str]]] = field(default_factory=dict)
    said: dict[str, set[str]] = field(default_factory=dict)  # item -> people whose judgments changed
    used: dict[tuple[str, str], str] = field(default_factory=dict)  # lease -> its new state

    def load(self, batch: Sequence[Event | Row[Any]]) -> None:
        """Lock the queues of these events and read their items, the judgments and the leases of those."""
        run = self.connection.execute
        for queue_id in sorted({event.queue_id for event in batch}):  # in one order for all: no deadlock
            queue = self.database.locked_queue(self.connection, queue_id)
            if queue is not None:
                self.queues[queue_id] = queue
        ids = list(dict.fromkeys(event.item_id for event in batch))
        for row in run(select(items).where(items.c.item_id.in_(ids), items.c.queue_id.in_(self.queues))):
            self.items[row.item_id] = item_of(row)
        for row in run(in_their_order(ids)):
            self.given[row.item_id][row.person_id] = Judgment(
                row.person_id, row.event_id, row.answer, row.active_ms
            )
        for row in run(select(leases).where(leases.c.item_id.in_(ids))):
            self.leases[row.item_id][row.person_id] = row.state
        self.before = {
            item_id: (replace(item), frozenset(self.given[item_id])) for item_id, item in self.items.items()
        }

    def item(self, event: Event) -> Item:
        """The event's item.

        Raises:
            RefusedEvent: there is none of that id in that queue.
        """
        item = self.items.get(event.item_id)
        if item is None or item.queue_id != event.queue_id:
            raise RefusedEvent("There is no such item in this queue.")
        if self.queues[item.queue_id].state != "open":
            raise RefusedEvent("This queue is closed.")
        return item

    def kind(self, item: Item) -> QueueKind:
        name = self.queues[item.queue_id].kind
        if name not in self.kinds:
            raise RefusedEvent("There is no such item in this queue.")
        return self.kinds[name]

    # --- what can happen -----------------------------------------------------------------------------------

    def judge(self, event: Event, person_id: str, answer: str) -> None:
        """A person's judgment; it replaces one given before.

        Raises:
            RefusedEvent: the item was never given to this person, or others have settled it.
        """
        item = self.items[event.item_id]
        if person_id not in self.given[item.item_id]:
            self._take_seat(item, person_id)
        active_ms = active_ms_of(event.body)
        given = self.given[item.item_id]
        given.pop(person_id, None)  # the newest is the last
        given[person_id] = Judgment(person_id, event.event_id, answer, active_ms)
        self._changed(item, person_id)

    def _take_seat(self, item: Item, person_id: str) -> None:
        if self.replays:
            return
        lease = self.leases[item.item_id].get(person_id)
        if self.elsewhere:
            if lease == "active":
                self._set_lease(item, person_id, "used")
            return
        if lease is None:
            raise RefusedEvent("This item was not given to you.")
        if lease == "active" and item.state == "pending":
            self._set_lease(item, person_id, "used")
        elif item.state == "pending" and item.open_seats > 0:
            # The lease had run out, but nobody else came: an outbox that was offline loses nothing.
            item.open_seats -= 1
            self._set_lease(item, person_id, "used")
        else:
            raise RefusedEvent("Others have settled this item meanwhile; your judgment is not needed.")

    def take_back(self, event: Event, person_id: str, standing: Mapping[str, Judgment]) -> None:
        """Undo a judgment: what is `standing` holds; who has none there has the item to judge."""
        item = self.items[event.item_id]
        given, self.given[item.item_id] = self.given[item.item_id], dict(standing)
        if person_id not in standing:
            self._set_lease(item, person_id, "active")
        others = {other for other in {*given, *standing} if given.get(other) != standing.get(other)}
        self.said.setdefault(item.item_id, set()).update(others)
        self._changed(item, person_id)

    def adjudicate(self, event: Event, answer: str) -> None:
        """The lead's last word."""
        item = self.items[event.item_id]
        if item.state != "adjudicate" and item.adjudication is None:
            raise RefusedEvent("This item is not to be adjudicated.")
        item.adjudication, item.outcome, item.state = event.event_id, answer, "done"
        item.open_seats = 0
        self.said.setdefault(item.item_id, set())

    def _set_lease(self, item: Item, person_id: str, state: str) -> None:
        if self.replays:
            return
        self.leases[item.item_id][person_id] = state
        self.used[item.item_id, person_id] = state

    def _changed(self, item: Item, person_id: str) -> None:
        self.said.setdefault(item.item_id, set()).add(person_id)
        self._settle(item)

    def _settle(self, item: Item) -> None:
        """What the judgments come to now."""
        given = self.given[item.item_id]
        if item.purpose != "work":
            outcome = Outcome("pending", item.wanted)
        else:
            outcome = self.kind(item).decide(list(given.values()), item)
        for person_id in outcome.forget:
            given.pop(person_id, None)
            self.said[item.item_id].add(person_id)
        if item.adjudication is None:
            item.state, item.outcome = outcome.state, outcome.answer
        item.wanted, item.given = outcome.wanted, len(given)
        active = sum(state == "active" for state in self.leases[item.item_id].values())
        seats = item.wanted - item.given - active if item.state == "pending" else 0
        was = self.before[item.item_id][0]
        if seats > max(item.open_seats, 0) or outcome.forget:
            item.reopening = was.reopening + 1  # a mark; `write` draws the number
        item.open_seats = seats  # below 0 where more people hold it than are wanted

    # --- writing back --------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write what changed."""
        changed = [self.items[item_id] for item_id in self.said]
        self._number_reopenings(changed)
        if changed:
            self.connection.execute(
                update(items)
                .where(items.c.item_id == bindparam("id"))
                .values({name: bindparam(name) for name in ITEM_STATE}),
                [
                    {"id": item.item_id, **{name: getattr(item, name) for name in ITEM_STATE}}
                    for item in changed
                ],
            )
        self._write_judgments()
        self._write_leases()
        self._write_counts(changed)

    def _number_reopenings(self, changed: Sequence[Item]) -> None:
        by_queue: dict[str, list[Item]] = defaultdict(list)
        for item in changed:
            if item.reopening != self.before[item.item_id][0].reopening:
                by_queue[item.queue_id].append(item)
        for queue_id, again in by_queue.items():
            for item, number in zip(again, reopenings(self.connection, queue_id, len(again)), strict=True):
                item.reopening = number

    def _write_judgments(self) -> None:
        keys = [{"i": item_id, "p": person_id} for item_id, said in self.said.items() for person_id in said]
        if not keys:
            return
        former = [key for key in keys if key["p"] in self.before[key["i"]][1]]
        if former:
            self.connection.execute(
                delete(judgments).where(
                    judgments.c.item_id == bindparam("i"), judgments.c.person_id == bindparam("p")
                ),
                former,
            )
        rows = [
            {
                "item_id": key["i"],
                "person_id": key["p"],
                "queue_id": self.items[key["i"]].queue_id,
                "event_id": self.given[key["i"]][key["p"]].event_id,
                "answer": self.given[key["i"]][key["p"]].answer,
                "active_ms": self.given[key["i"]][key["p"]].active_ms,
            }
            for key in keys
            if key["p"] in self.given[key["i"]]
        ]
        if rows:
            self.connection.execute(insert(judgments), rows)

    def _write_leases(self) -> None:
        if not self.used:
            return
        now = time.time()
        self.connection.execute(
            update(leases)
            .where(leases.c.item_id == bindparam("i"), leases.c.person_id == bindparam("p"))
            .values(state=bindparam("s"), expires_at=bindparam("until")),
            [
                {"i": item_id, "p": person_id, "s": state, "until": now + self.lease_s}
                for (item_id, person_id), state in self.used.items()
            ],
        )

    def _write_counts(self, changed: Sequence[Item]) -> None:
        """The counters of queues and of people, by what is different from before."""
        done: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        lines: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for item in changed:
            was, judged_before = self.before[item.item_id]
            judged_now = set(self.given[item.item_id])
            if item.purpose == "work":
                done[item.queue_id][0] += (item.state == "done") - (was.state == "done")
                done[item.queue_id][1] += (item.state == "adjudicate") - (was.state == "adjudicate")
            for person_id in judged_before | judged_now:
                line = lines[item.queue_id, person_id]
                line[0] += (person_id in judged_now) - (person_id in judged_before)
                if item.purpose == "work":
                    line[1] += (person_id in judged_now and item.state == "pending") - (
                        person_id in judged_before and was.state == "pending"
                    )
        for queue_id, (num_done, num_adjudicate) in done.items():
            if num_done or num_adjudicate:
                self.connection.execute(
                    update(queues)
                    .where(queues.c.queue_id == queue_id)
                    .values(
                        num_done=queues.c.num_done + num_done,
                        num_adjudicate=queues.c.num_adjudicate + num_adjudicate,
                    )
                )
        for (queue_id, person_id), (given, waiting) in lines.items():
            if given or waiting:
                self._add_to_standing(queue_id, person_id, given, waiting)

    def _add_to_standing(self, queue_id: str, person_id: str, given: int, waiting: int) -> None:
        mine = (standings.c.queue_id == queue_id) & (standings.c.person_id == person_id)
        values = {"given": standings.c.given + given, "waiting": standings.c.waiting + waiting}
        if self.connection.execute(update(standings).where(mine).values(values)).rowcount == 0:
            standing_of(self.connection, queue_id, person_id)
            self.connection.execute(update(standings).where(mine).values(values))


ITEM_STATE = ("state", "outcome", "adjudication", "wanted", "given", "open_seats", "reopening")
