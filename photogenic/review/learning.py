"""From the decisions so far to a taste: what was decided, the artefact, what it proposes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from photogenic.core.run import Run
from photogenic.core.shards import read_json, write_json
from photogenic.review import taste
from photogenic.review.opening import candidates_of
from photogenic.web.queues import item_of
from photogenic.web.registration import Item
from photogenic.web.tables import items, queues

if TYPE_CHECKING:
    from photogenic.review.desk import Review

PROPOSED = 40
PROPOSALS = ("surprises", "gold")


def decided(connection: Connection) -> dict[str, bool]:
    """sample_id -> kept, by the latest round that settled it."""
    rows = connection.execute(
        select(items.c.body, items.c.outcome)
        .join(queues, queues.c.queue_id == items.c.queue_id)
        .where(items.c.state == "done", items.c.outcome.in_(("keep", "drop")), items.c.purpose == "work")
        .where(queues.c.kind != "relook")
        .order_by(queues.c.created_at, items.c.position)
    )
    return {json.loads(row.body)["sample_id"]: row.outcome == "keep" for row in rows}


def learn_taste(review: Review, connection: Connection) -> dict[str, Any]:
    """Write RUN/review/taste.json and taste-report.json; what the report says.

    Raises:
        RunError: too little was decided.
    """
    answers = decided(connection)
    rows = candidates_of(review.run)
    rows = rows.filter(pc.is_in(rows["sample_id"], pa.array(sorted(answers), pa.string())))
    ids = rows["sample_id"].to_pylist()
    kept = [answers[sample_id] for sample_id in ids]
    learnt = taste.learn(rows, kept, seed=review.seed)
    folder = review.run.folder / "review"
    taste.save(learnt, folder / "taste.json")
    scores = learnt.score(rows)
    saved = taste.saving(rows, kept, seed=review.seed)
    report = {
        "decisions": len(kept),
        "by_taste": saved.by_taste,
        "at_random": saved.at_random,
        "words": saved.words,
        "surprises": [ids[row] for row in taste.surprises(scores, kept, PROPOSED)],
        "gold": [ids[row] for row in taste.gold_proposals(scores, kept, PROPOSED)],
    }
    write_json(folder / "taste-report.json", report)
    return report


def proposed(connection: Connection, queue_id: str, run: Run) -> Mapping[str, list[Item]]:
    """The items of the queue that the last report proposes, the most telling first; none without one."""
    path = run.folder / "review" / "taste-report.json"
    report = read_json(path) if path.exists() else {}
    wanted = {sample_id for name in PROPOSALS for sample_id in report.get(name, ())}
    found = {}
    rows = connection.execute(select(items).where(items.c.queue_id == queue_id, items.c.purpose == "work"))
    for row in rows if wanted else ():
        sample_id = json.loads(row.body)["sample_id"]
        if sample_id in wanted:
            found[sample_id] = item_of(row)
    return {name: [found[one] for one in report.get(name, ()) if one in found] for name in PROPOSALS}
