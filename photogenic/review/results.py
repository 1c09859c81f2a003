"""What a round has come to, and how its people work: for the lead's eyes."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row, func, select

from photogenic.core.agreement import gwet_ac1, krippendorff_alpha, percent_agreement
from photogenic.core.statistics import wilson_interval
from photogenic.review.settled import Unsettled
from photogenic.web.progress import by_hour, estimate, given_by_each, time_of
from photogenic.web.tables import events, items, judgments, people

IDS_AT_ONCE = 1000
RECENT = 50  # judgments by which the present speed is told


def kept_samples(connection: Connection, queue: Row[Any]) -> dict[str, str]:
    """sample_id -> item_id of what the round keeps: by its outcome, by a second look, or as known gold."""
    kept: dict[str, str] = {}
    rescued = _rescued(connection, json.loads(queue.body).get("relook_queue"))
    for row in connection.execute(
        select(items.c.item_id, items.c.body, items.c.outcome, items.c.purpose, items.c.expected).where(
            items.c.queue_id == queue.queue_id
        )
    ):
        answer = row.outcome if row.purpose == "work" else row.expected
        if answer == "keep" or row.item_id in rescued:
            kept[json.loads(row.body)["sample_id"]] = row.item_id
    return kept


def _rescued(connection: Connection, relook_queue: str | None) -> set[str]:
    """Items rejected in bulk that a second look keeps."""
    if relook_queue is None:
        return set()
    rows = connection.execute(
        select(items.c.body).where(items.c.queue_id == relook_queue, items.c.outcome == "keep")
    )
    return {json.loads(row.body)["of"] for row in rows}


def progress(connection: Connection, queue: Row[Any], cost_per_hour: float | None = None) -> dict[str, Any]:
    """The funnel, people, their agreement, what gold and second looks say, what is left, and the cost."""
    body = json.loads(queue.body)
    said = said_of_each(connection, queue.queue_id)
    workers = _workers(connection, queue.queue_id, said)
    left = estimate(connection, queue, workers)
    return {
        "funnel": _funnel(connection, queue, body.get("keep")),
        "people": workers,
        "agreement": agreement([list(given.values()) for given in said]),
        "gold": _gold(connection, queue.queue_id),
        "calibration": _calibration(connection, queue.queue_id),
        "miss": _second_looks(connection, body.get("relook_queue")),
        "active_ms": sum(worker["active_ms"] for worker in workers),
        "decisions": sum(worker["decisions"] for worker in workers),
        "per_hour": by_hour(connection, queue.queue_id),
        **(
            {"captions": asdict(open_captions(connection, queue.queue_id))}
            if queue.kind == "captions"
            else {}
        ),
        **left,
        **_cost(workers, left["estimate_s"], cost_per_hour),
    }


def _funnel(connection: Connection, queue: Row[Any], target: int | None) -> dict[str, Any]:
    outcomes: dict[str | None, int] = {
        row[0]: row[1]
        for row in connection.execute(
            select(items.c.outcome, func.count())
            .where(items.c.queue_id == queue.queue_id, items.c.state == "done", items.c.purpose == "work")
            .group_by(items.c.outcome)
        )
    }
    kept, done = outcomes.get("keep", 0) + outcomes.get("caption", 0), sum(outcomes.values())
    return {
        "total": queue.num_items,
        "done": queue.num_done,
        "keep": kept,
        "drop": outcomes.get("drop", 0),
        "adjudicate": queue.num_adjudicate,
        "target_keep": target,
        "expected_keep": round(queue.num_items * kept / done) if done else None,  # if the rest is like this
    }


def open_captions(connection: Connection, queue_id: str) -> Unsettled:
    """What is left to read and to write in a round of captions.

    A picture whose caption came back counts as unwritten: none stands there any more.
    """
    has_one = items.c.given > 0
    rows = connection.execute(
        select(has_one, func.count())
        .where(items.c.queue_id == queue_id, items.c.state == "pending", items.c.purpose == "work")
        .group_by(has_one)
    )
    found = {bool(written): int(num) for written, num in rows}
    return Unsettled(found.get(True, 0), found.get(False, 0))


# --- people --------------------------------------------------------------------------------------------


def _workers(connection: Connection, queue_id: str, said: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """One line per person."""
    by_person = given_by_each(connection, queue_id)
    named = select(people).where(people.c.person_id.in_(by_person)).order_by(people.c.name)
    agreeing = agreement_of_each(said)
    return [
        _worker(person, by_person[person.person_id])
        | _pace(connection, queue_id, person.person_id)
        | {"agree_percent": agreeing.get(person.person_id)}
        for person in connection.execute(named).all()
    ]


def _worker(person: Row[Any], given: Sequence[Row[Any]]) -> dict[str, Any]:
    """What a person gave, from counts per answer and purpose."""
    num, kept = sum(row.num for row in given), sum(row.num for row in given if row.answer == "keep")
    gold = [row for row in given if row.purpose == "gold"]
    return {
        "id": person.person_id,
        "name": person.name,
        "role": person.role,
        "kind": person.kind,
        "decisions": num,
        "keep": kept,
        **time_of(given),
        "gold_shown": sum(row.num for row in gold),
        "gold_right": sum(row.num for row in gold if row.answer == row.expected),
    }


def _pace(connection: Connection, queue_id: str, person_id: str) -> dict[str, Any]:
    """How fast a person is just now, pauses left out."""
    rows = connection.execute(
        select(judgments.c.active_ms, events.c.received_at)
        .join(events, events.c.event_id == judgments.c.event_id)
        .where(events.c.queue_id == queue_id, events.c.person_id == person_id)
        .order_by(events.c.seq.desc())
        .limit(RECENT)
    ).all()
    timed = [row.active_ms for row in rows if row.active_ms]
    return {
        "median_ms": median(timed) if timed else None,
        "per_hour": 3_600_000 * len(timed) / sum(timed) if timed else None,
        "last_at": rows[0].received_at if rows else None,
    }


def _cost(
    workers: Iterable[dict[str, Any]], estimate_s: float | None, per_hour: float | None
) -> dict[str, Any]:
    """What people's active time has cost, and what the rest will: pauses, and models, are not in it."""
    if per_hour is None:
        return {}
    active_ms = sum(worker["active_ms"] for worker in workers if worker["kind"] == "person")
    left = None if estimate_s is None else per_hour * estimate_s / 3600
    return {"cost": per_hour * active_ms / 3_600_000, "cost_left": left}


# --- quality -------------------------------------------------------------------------------------------


def said_of_each(connection: Connection, queue_id: str) -> list[dict[str, str]]:
    """Person -> answer, for each item of work that was judged twice or more: the planned judgments.

    One more is asked for only where these differ, and then agrees with one of them: counted with them, it
    would make people who answer by coin look as if they agreed.
    """
    several = (
        select(items.c.item_id, items.c.overlap)
        .where(items.c.queue_id == queue_id, items.c.purpose == "work", items.c.given > 1)
        .subquery()
    )
    rows = connection.execute(
        select(judgments.c.item_id, judgments.c.person_id, judgments.c.answer, several.c.overlap)
        .join(several, several.c.item_id == judgments.c.item_id)
        .join(events, events.c.event_id == judgments.c.event_id)
        .order_by(events.c.seq)
    )
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if len(said[row.item_id]) < row.overlap:
            said[row.item_id][row.person_id] = row.answer
    return [given for given in said.values() if len(given) > 1]


def agreement_of_each(said: Iterable[dict[str, str]]) -> dict[str, float]:
    """Person -> the share of the others' answers on the same items that are the same."""
    same: dict[str, int] = defaultdict(int)
    pairs: dict[str, int] = defaultdict(int)
    for given in said:
        counts = Counter(given.values())
        for person, answer in given.items():
            same[person] += counts[answer] - 1
            pairs[person] += len(given) - 1
    return {person: same[person] / num for person, num in pairs.items() if num}


def agreement(given: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Percent (as a share), Krippendorff's alpha and Gwet's AC1; null where they cannot be told."""
    measures = {"percent": percent_agreement, "alpha": krippendorff_alpha, "ac1": gwet_ac1}
    values = {name: measure(given) if given else math.nan for name, measure in measures.items()}
    return {"items": len(given)} | {
        name: value if math.isfinite(value) else None for name, value in values.items()
    }


def _gold(connection: Connection, queue_id: str) -> dict[str, Any]:
    """How often people were right where the answer is known, but not to them."""
    rows = connection.execute(
        select(judgments.c.answer, items.c.expected)
        .join(items, items.c.item_id == judgments.c.item_id)
        .where(judgments.c.queue_id == queue_id, items.c.purpose == "gold")
    ).all()
    return _share("right", sum(row.answer == row.expected for row in rows), len(rows))


def _calibration(connection: Connection, queue_id: str) -> dict[str, Any]:
    """How often people were right before they were told: the first answer counts, whatever came after."""
    rows = connection.execute(
        select(events.c.item_id, events.c.person_id, events.c.body, items.c.expected)
        .join(items, items.c.item_id == events.c.item_id)
        .where(events.c.queue_id == queue_id, events.c.kind == "decide", items.c.purpose == "calibration")
        .order_by(events.c.seq)
    )
    first: dict[tuple[str, str], bool] = {}
    for row in rows:
        first.setdefault((row.item_id, row.person_id), json.loads(row.body)["verdict"] == row.expected)
    return _share("right", sum(first.values()), len(first))


def _second_looks(connection: Connection, relook_queue: str | None) -> dict[str, Any]:
    """Of the rejects that came back, how many a person kept when looking at each alone.

    What was kept in the round after all, by an undo or by others, was not rejected and is not counted.
    """
    if relook_queue is None:
        return _share("missed", 0, 0)
    looked = {
        json.loads(row.body)["of"]: row.outcome
        for row in connection.execute(
            select(items.c.body, items.c.outcome).where(
                items.c.queue_id == relook_queue, items.c.state == "done"
            )
        )
    }
    ids = list(looked)
    rejected = [
        item_id
        for start in range(0, len(ids), IDS_AT_ONCE)
        for item_id in connection.execute(
            select(items.c.item_id).where(
                items.c.item_id.in_(ids[start : start + IDS_AT_ONCE]), items.c.outcome == "drop"
            )
        ).scalars()
    ]
    return _share("missed", sum(looked[item_id] == "keep" for item_id in rejected), len(rejected))


def _share(name: str, count: int, num: int) -> dict[str, Any]:
    """A share with its 95 % interval."""
    return {"shown": num, name: count, "interval": list(wilson_interval(count, num)) if num else None}


def disagreements(connection: Connection, queue_id: str, *, after: int, limit: int) -> list[Row[Any]]:
    """Items on which judgments differ, in their order, settled or not."""
    differ = (
        select(judgments.c.item_id)
        .where(judgments.c.queue_id == queue_id)
        .group_by(judgments.c.item_id)
        .having(func.count(judgments.c.answer.distinct()) > 1)
        .subquery()
    )
    rows = connection.execute(
        select(items)
        .join(differ, differ.c.item_id == items.c.item_id)
        .where(items.c.position > after, items.c.purpose == "work")
        .order_by(items.c.position)
        .limit(limit)
    )
    return list(rows)
