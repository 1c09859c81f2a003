"""What a round is opened with: gold and calibration, its order, who may work in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.web.tables import items

from .test_desk import Desk, keep_if, number, work

NUM = 40


@pytest.fixture
def opened(run: Run, haystack: Callable[..., list[str]], tmp_path: Path) -> Callable[..., Desk]:
    """`opened(round, phash=[...], gold=csv)`: a review with one round (or several) over 40 pictures."""

    def open_it(*rounds: dict[str, Any], phash: list[int] | None = None, **config: Any) -> Desk:
        haystack([(i / NUM, 0.5, "ab"[i < 8]) for i in range(NUM)])
        if phash is not None:
            path = run.folder / "curate" / "candidates.parquet"
            write_table(path, read_table(path).append_column("phash", pa.array(phash, pa.uint64())))
        if "gold" in config:
            path = tmp_path / "gold.csv"
            path.write_text(config.pop("gold"), encoding="utf-8")
            config["gold"] = str(path)
        settings = {"decisions": "people", "rounds": list(rounds)} | config
        return Desk(Review(ReviewConfig.model_validate(settings), run, seed=7))

    return open_it


def rows_of(desk: Desk) -> list[Any]:
    """The items of the newest round, in their order."""
    with desk.room.database.reading() as connection:
        queue = desk.review.queue_of(connection, desk.review.latest(connection))
        assert queue is not None
        chosen = select(items).where(items.c.queue_id == queue.queue_id).order_by(items.c.position)
        return list(connection.execute(chosen))


def numbers(desk: Desk) -> list[int]:
    return [number(json.loads(row.body)) for row in rows_of(desk)]


def test_gold_is_mixed_in_and_calibration_comes_first_with_feedback(opened: Callable[..., Desk]) -> None:
    known = "key,keep\n" + "".join(f"sticker-{i},{int(i % 2 == 0)}\n" for i in range(10))
    desk = opened({"name": "Cull", "gold_ratio": 0.1, "calibration": 3}, gold=known)
    rows = rows_of(desk)
    purposes = [row.purpose for row in rows]
    assert purposes[:3] == ["calibration"] * 3
    assert (purposes.count("gold"), purposes.count("work")) == (4, NUM - 7)
    gold = [place for place, purpose in enumerate(purposes) if purpose == "gold"]
    assert gold != list(range(gold[0], gold[0] + 4)), "gold stands among the others"
    right = {json.loads(row.body)["metadata"]["key"]: row.expected for row in rows if row.purpose != "work"}
    assert all(
        expected == ("keep" if int(key.split("-")[1]) % 2 == 0 else "drop") for key, expected in right.items()
    )

    ada = desk.person("Ada", "generalist")
    assert work(ada, "grid", keep_if(lambda i: i % 2 == 0 and i != 4)) >= NUM - 4
    lead = desk.person("Lea", "lead")
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    told = lead.get(f"/api/queues/{queue}/progress").json()
    assert told["funnel"]["total"] == NUM - 7, "known answers count in nobody's outcome"
    assert told["calibration"]["shown"] == 3
    assert told["gold"]["shown"] + told["calibration"]["right"] >= 3


def test_near_duplicates_of_the_funnel_stand_side_by_side(opened: Callable[..., Desk]) -> None:
    phash = [
        0xFFFF_0000_FFFF_0000 + i if i in (3, 17, 31) else (i * 0x9E37_79B9_7F4A_7C15) % 2**64
        for i in range(NUM)
    ]
    alike = [numbers(opened({"name": "Cull"}, phash=phash)).index(i) for i in (3, 17, 31)]
    assert max(alike) - min(alike) == 2


def test_groups_take_turns_where_balance_says_so(opened: Callable[..., Desk]) -> None:
    first = numbers(opened({"name": "Cull", "balance": "group"}))[:16]
    assert [i < 8 for i in first].count(True) == 8
    assert all((a < 8) != (b < 8) for a, b in pairwise(first))


def test_a_balance_that_nobody_has_is_a_sentence(opened: Callable[..., Desk]) -> None:
    with pytest.raises(RunError, match="'grupo'"):
        opened({"name": "Cull", "balance": "grupo"})


def test_the_next_round_is_ordered_by_the_taste_that_was_learnt(opened: Callable[..., Desk]) -> None:
    desk = opened(
        {"name": "Cull"}, {"name": "Finest", "screen": "loupe", "order": "taste", "random_ratio": 0.0}
    )
    lead = desk.person("Lea", "lead")
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    work(desk.person("Ada", "generalist"), "grid", keep_if(lambda i: i >= 20))
    lead.post("/api/review/taste")
    assert lead.post("/api/review/advance", json={"queue_id": queue}).status_code == 200
    assert numbers(desk) == list(range(NUM - 1, 19, -1))


def test_a_round_may_name_its_roles(opened: Callable[..., Desk]) -> None:
    desk = opened({"name": "Cull", "roles": ["specialist"]})
    assert desk.person("Sam", "specialist").get("/api/me").json()["queues"][0]["title"] == "Cull"
    assert desk.person("Gina", "generalist").get("/api/me").json()["queues"] == []
