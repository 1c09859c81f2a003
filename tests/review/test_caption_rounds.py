"""Captions between writers and readers: what was read is what is approved, whatever is taken back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from photogenic.core.run import Run
from photogenic.review import administration
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.web.tables import items

from .test_desk import Desk, keep_if, work

ROUNDS = [{"name": "Finest", "screen": "loupe"}, {"name": "Captions", "screen": "captions"}]


@pytest.fixture
def desk(run: Run, haystack: Callable[..., list[str]]) -> Desk:
    """One picture waits for a caption."""
    haystack([(0.5, 0.5, None)] * 3)
    desk = Desk(Review(ReviewConfig.model_validate({"decisions": "people", "rounds": ROUNDS}), run, seed=7))
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i == 1))
    administration.advance(desk.review)
    return desk


class Writer:
    """Somebody at the caption desk, who writes, reads and takes back."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.client: TestClient = desk.person(name, "writer")
        self.queue = self.client.get("/api/me").json()["queues"][0]["id"]

    def claim(self) -> dict[str, Any] | None:
        """The picture as this person sees it; None: it is with others, or done."""
        got = self.client.post(f"/api/queues/{self.queue}/claim", json={"count": 1}).json()["items"]
        return dict(got[0]) if got else None

    def say(self, kind: str, item: str, **body: Any) -> tuple[str, list[str]]:
        """(the event's id, why it was refused)."""
        event = {"event_id": str(uuid.uuid4()), "kind": kind, "queue_id": self.queue, "item_id": item}
        answer = self.client.post(
            "/api/events", json={"events": [event | {"client_at": "2026-11-22T12:00:00Z", "body": body}]}
        ).json()
        return event["event_id"], [one["error"] for one in answer["refused"]]

    def write(self, item: str, text: str) -> str:
        event_id, refused = self.say("caption", item, text=text)
        assert refused == []
        return event_id


def state(desk: Desk) -> tuple[str, int]:
    with desk.room.database.reading() as connection:
        row = connection.execute(
            select(items).where(items.c.body.contains("forbidden"))  # of the captions' round
        ).one()
    return row.state, row.given


def test_a_picture_is_one_writers_until_it_has_a_caption(desk: Desk) -> None:
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    item = wu.claim()
    assert item is not None and xi.claim() is None
    wu.write(item["id"], "A disc")
    seen = xi.claim()
    assert seen is not None and seen["body"]["read"]["text"] == "A disc"


def test_what_is_left_is_to_write_and_to_read(desk: Desk) -> None:
    wu, lead = Writer(desk, "Wu"), desk.person("Lea", "lead")
    path = f"/api/queues/{wu.queue}/progress"
    assert lead.get(path).json()["judgments_left"] == 2
    item = wu.claim()
    assert item is not None
    wu.write(item["id"], "A disc")
    assert lead.get(path).json()["judgments_left"] == 1


def test_an_approval_is_of_the_caption_that_was_read(desk: Desk) -> None:
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    item = wu.claim()
    assert item is not None
    first = wu.write(item["id"], "A disc")
    seen = xi.claim()
    assert seen is not None
    wu.say("undo", item["id"], event_id=first)
    second = wu.write(item["id"], "A square")
    _, refused = xi.say("approve", item["id"], caption_event_id=first)
    assert refused == ["This is not the caption that is to be read; look at it again."]
    assert state(desk) == ("pending", 1)
    assert xi.say("approve", item["id"], caption_event_id=second)[1] == []
    assert state(desk) == ("done", 2)


def test_nobody_reads_their_own_caption(desk: Desk) -> None:
    wu = Writer(desk, "Wu")
    item = wu.claim()
    assert item is not None
    own = wu.write(item["id"], "A disc")
    assert wu.say("approve", item["id"], caption_event_id=own)[1] != []
    assert state(desk) == ("pending", 1)


@pytest.mark.parametrize("taken_back", [True, False])
def test_a_caption_that_is_changed_after_its_approval_is_read_again(desk: Desk, taken_back: bool) -> None:
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    item = wu.claim()
    assert item is not None
    first = wu.write(item["id"], "A disc")
    xi.claim()
    xi.say("approve", item["id"], caption_event_id=first)
    assert state(desk) == ("done", 2)
    if taken_back:
        wu.say("undo", item["id"], event_id=first)
        assert state(desk) == ("pending", 0)
    wu.write(item["id"], "Buy now")
    assert state(desk) == ("pending", 1)
    seen = xi.claim()
    assert seen is not None and seen["body"]["read"]["text"] == "Buy now"
    assert administration.rebuild(desk.review)
    assert state(desk) == ("pending", 1)


def test_taking_back_the_second_writing_does_not_bring_back_what_was_returned(desk: Desk) -> None:
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    item = wu.claim()
    assert item is not None
    first = wu.write(item["id"], "A disc")
    xi.claim()
    xi.say("return", item["id"], caption_event_id=first, words="Which colour?")
    again = wu.claim()
    assert again is not None and again["body"]["returned"]["words"] == "Which colour?"
    second = wu.write(item["id"], "A red disc")
    assert wu.say("undo", item["id"], event_id=second)[1] == []
    assert state(desk) == ("pending", 0)
    assert administration.rebuild(desk.review)
    assert state(desk) == ("pending", 0)
    mine = wu.claim()
    assert mine is not None and "read" not in mine["body"] and "returned" in mine["body"]


def test_a_reader_takes_a_return_back_as_long_as_it_is_the_last_word(desk: Desk) -> None:
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    item = wu.claim()
    assert item is not None
    first = wu.write(item["id"], "A disc")
    xi.claim()
    returned, _ = xi.say("return", item["id"], caption_event_id=first, words="Which colour?")
    assert state(desk) == ("pending", 0)
    assert xi.say("undo", item["id"], event_id=returned)[1] == []
    assert state(desk) == ("pending", 1) and wu.claim() is None
    assert administration.rebuild(desk.review)
    assert state(desk) == ("pending", 1)
    seen = xi.claim()
    assert seen is not None and seen["body"]["read"]["text"] == "A disc"
    returned, _ = xi.say("return", item["id"], caption_event_id=first, words="Which colour, please?")
    wu.claim()
    wu.write(item["id"], "A red disc")
    assert xi.say("undo", item["id"], event_id=returned)[1] != []
    assert state(desk) == ("pending", 1)


def test_the_state_made_anew_gives_an_unwritten_picture_to_one_writer(desk: Desk) -> None:
    assert administration.rebuild(desk.review)
    wu, xi = Writer(desk, "Wu"), Writer(desk, "Xi")
    assert wu.claim() is not None and xi.claim() is None
