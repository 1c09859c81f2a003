"""What the lead is told of each annotator."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from photogenic.core.run import Run
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.review.results import agreement_of_each, progress

from .test_desk import Desk, keep_if, work


def test_agreement_of_each_with_the_others() -> None:
    said = [
        {"ada": "keep", "bo": "keep", "cy": "drop"},  # ada: 1 of 2, bo: 1 of 2, cy: 0 of 2
        {"ada": "drop", "bo": "drop"},  # both 1 of 1
        {"cy": "keep", "ada": "unsure"},  # both 0 of 1
        {"di": "keep"},  # nobody to agree with
    ]
    assert agreement_of_each(said) == pytest.approx({"ada": 2 / 4, "bo": 2 / 3, "cy": 0 / 3})


def test_a_third_who_is_asked_where_two_differ_does_not_make_them_agree(
    run: Run, haystack: Callable[..., list[str]]
) -> None:
    haystack([(0.5, 0.5, None)] * 12)
    rounds = [{"name": "Finest", "screen": "loupe", "overlap": 2}]
    config = ReviewConfig.model_validate({"decisions": "people", "rounds": rounds})
    desk = Desk(Review(config, run, seed=7))
    for name, rule in (("Ada", lambda i: i < 6), ("Bo", lambda i: i % 2 == 0), ("Cy", lambda _: True)):
        work(desk.person(name, "specialist"), "loupe", keep_if(rule))
    with desk.room.database.reading() as connection:
        queue = desk.review.queue_of(connection, 0)
        assert queue is not None and queue.num_done == 12
        told = progress(connection, queue)
    assert told["agreement"]["items"] == 12
    assert told["agreement"]["percent"] == 0.5  # as two coins do
    assert told["agreement"]["alpha"] < 0.05
    assert {one["name"]: one["agree_percent"] for one in told["people"]} == {
        "Ada": 0.5,
        "Bo": 0.5,
        "Cy": None,
    }


def test_what_was_kept_after_all_was_not_missed(run: Run, haystack: Callable[..., list[str]]) -> None:
    haystack([(0.5, 0.5, None)] * 4)
    rounds = [{"name": "Cull", "screen": "grid", "relook_ratio": 1.0}]
    config = ReviewConfig.model_validate({"decisions": "people", "rounds": rounds})
    desk = Desk(Review(config, run, seed=7))
    ada, said = desk.person("Ada", "generalist"), []
    work(ada, "grid", lambda item: said.append(item["id"]) or ("decide", {"verdict": "drop", "bulk": True}))
    again = {"event_id": str(uuid.uuid4()), "kind": "decide", "item_id": said[0], "client_at": "now"}
    queue = ada.get("/api/me").json()["queues"][0]["id"]
    body = {"queue_id": queue, "body": {"verdict": "keep"}}
    assert ada.post("/api/events", json={"events": [again | body]}).json()["refused"] == []
    work(desk.person("Bo", "generalist"), "relook", lambda _: ("decide", {"verdict": "keep"}))
    with desk.room.database.reading() as connection:
        found = desk.review.queue_of(connection, 0)
        assert found is not None
        assert progress(connection, found)["miss"] | {"interval": None} == {
            "shown": 3,
            "missed": 3,
            "interval": None,
        }


def test_of_calibration_the_first_answer_counts(run: Run, haystack: Callable[..., list[str]]) -> None:
    ids = haystack([(0.5, 0.5, None)] * 4)
    gold = run.folder / "gold.csv"
    gold.write_text(f"sample_id,keep\n{ids[0]},1\n", encoding="utf-8")
    rounds = [{"name": "Finest", "screen": "loupe", "calibration": 1}]
    config = ReviewConfig.model_validate({"decisions": "people", "rounds": rounds, "gold": gold})
    desk = Desk(Review(config, run, seed=7))
    ada = desk.person("Ada", "specialist")
    queue = ada.get("/api/me").json()["queues"][0]["id"]
    [item] = ada.post(f"/api/queues/{queue}/claim", json={"count": 1}).json()["items"]
    for verdict, right in (
        ("drop", False),
        ("keep", True),
    ):  # told that it was wrong
        event = {"event_id": str(uuid.uuid4()), "kind": "decide", "queue_id": queue, "item_id": item["id"]}
        event |= {"client_at": "now", "body": {"verdict": verdict}}
        answer = ada.post("/api/events", json={"events": [event]}).json()
        assert [one["right"] for one in answer["feedback"]] == [right]
    with desk.room.database.reading() as connection:
        found = desk.review.queue_of(connection, 0)
        assert found is not None
        told = progress(connection, found)["calibration"]
    assert (told["shown"], told["right"]) == (1, 0)
