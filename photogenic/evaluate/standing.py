"""How far the vote is: for the lead, who is told who has judged how much, and not what."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from photogenic.evaluate.voting import pairs_queues, votes_of
from photogenic.web.claims import left_for
from photogenic.web.progress import by_hour, estimate, given_by_each, time_of
from photogenic.web.tables import items, people, standings

Given = Mapping[str, Sequence[Row[Any]]]  # person_id -> see `given_by_each`


def standing(connection: Connection) -> dict[str, Any]:
    """Each question's pairs, votes and time left; each rater's pairs, pace and attention checks."""
    raters = connection.execute(select(people)).all()
    questions: list[dict[str, Any]] = []
    pairs: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    taken: dict[str, list[dict[str, int]]] = defaultdict(list)
    for queue in connection.execute(pairs_queues()).all():
        given = given_by_each(connection, queue.queue_id)
        question = _question(connection, queue, given)
        questions.append(question)
        for person_id, told in _pairs_of_each(connection, queue, raters, given).items():
            pairs[person_id][question["question"]] = told
        for person_id, rows in given.items():
            taken[person_id].append(time_of(rows))
    checks = _checks(connection)
    return {
        "questions": questions,
        "num_raters": sum(rater.active and rater.role == "rater" for rater in raters),
        "raters": {
            rater.person_id: {
                "pairs": pairs[rater.person_id],
                "seconds": _seconds(taken[rater.person_id]),
                "checks": checks.get(rater.name, {"shown": 0, "passed": 0}),
            }
            for rater in raters
            if rater.person_id in pairs
        },
    }


def _question(connection: Connection, queue: Row[Any], given: Given) -> dict[str, Any]:
    votes = connection.execute(
        select(func.sum(items.c.given).label("given"), func.max(items.c.overlap).label("each")).where(
            items.c.queue_id == queue.queue_id, items.c.purpose == "work"
        )
    ).one()
    workers = [time_of(rows) for rows in given.values()]
    return {
        "id": queue.queue_id,
        "question": json.loads(queue.body)["question"],
        "title": queue.title,
        "state": queue.state,
        "num_pairs": queue.num_items,
        "num_pairs_done": queue.num_done,
        "raters_a_pair": votes.each,
        "votes": int(votes.given or 0),
        "active_ms": sum(worker["active_ms"] for worker in workers),
        "per_hour": by_hour(connection, queue.queue_id),
        **estimate(connection, queue, workers),
    }


def _pairs_of_each(
    connection: Connection, queue: Row[Any], raters: Sequence[Row[Any]], given: Given
) -> dict[str, dict[str, int]]:
    """person_id -> pairs judged, and these with those that still want a vote of this person."""
    lines = {
        row.person_id: row
        for row in connection.execute(select(standings).where(standings.c.queue_id == queue.queue_id))
    }
    told = {}
    for rater in raters:
        rows = given.get(rater.person_id, [])
        judged = sum(row.num for row in rows if row.purpose == "work")
        if rows or (rater.active and rater.role == "rater"):
            left = left_for(queue, lines.get(rater.person_id)) if rater.active else 0
            told[rater.person_id] = {"judged": judged, "total": judged + left}
    return told


def _seconds(taken: Sequence[Mapping[str, int]]) -> float | None:
    """The mean time from a painted pair to the answer."""
    num = sum(one["num_timed"] for one in taken)
    return sum(one["active_ms"] for one in taken) / num / 1000 if num else None


def _checks(connection: Connection) -> dict[str, dict[str, int]]:
    """Name -> attention checks shown and passed."""
    shown: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for vote in votes_of(connection, purpose="gold"):
        if vote.is_attention_check:
            shown[vote.rater] += 1
            passed[vote.rater] += vote.answer == vote.expected
    return {name: {"shown": num, "passed": passed[name]} for name, num in shown.items()}
