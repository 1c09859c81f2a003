"""A review whose database is PostgreSQL: what the lead does and reads there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web.postgres import running_server

from photogenic.core.run import Run
from photogenic.review import administration
from photogenic.review import desk as desk_module
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review

from .test_desk import ROUNDS, Desk, approve, keep_if, number, work

pytestmark = pytest.mark.postgres


def test_two_leads_at_once_open_one_next_round_and_read_all_of_it(
    run: Run, haystack: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    haystack([(0.5, 0.5, None)] * 8)
    with running_server() as url:
        config = {"decisions": "people", "rounds": ROUNDS, "database": url}
        desk = Desk(Review(ReviewConfig.model_validate(config), run, seed=7))
        work(desk.person("Ada", "generalist"), "grid", keep_if(lambda i: i < 4, bulk=True))
        leads = [desk.person(name, "lead") for name in ("Lea", "Leo")]
        cull = leads[0].get("/api/queues").json()["queues"][0]["id"]
        finest = _advance_at_once(leads, cull, monkeypatch)
        for name, rule in (("Bo", lambda i: i < 4), ("Cy", lambda i: i < 3), ("Di", lambda i: i < 3)):
            work(desk.person(name, "specialist"), "loupe", keep_if(rule))
        assert administration.advance(desk.review) == "Captions: 3 pictures"
        work(desk.person("Wu", "writer"), "captions", lambda i: ("caption", {"text": f"A disc, {number(i)}"}))
        work(desk.person("Xi", "writer"), "captions", approve)

        told = leads[0].get(f"/api/queues/{finest}/progress").json()
        assert (told["agreement"]["items"], told["agreement"]["percent"]) == (4, 0.75)
        assert sum(hour["decisions"] for hour in told["per_hour"]) == told["decisions"] == 9
        assert leads[0].get(f"/api/queues/{cull}/progress").json()["miss"]["shown"] == 0
        differing = leads[0].get(f"/api/queues/{finest}/disagreements").json()["items"]
        assert [number(item) for item in differing] == [3]
        rows = leads[0].get("/api/export/decisions.jsonl").text.strip().split("\n")
        assert len(rows) == 8 + 9 + 6
        assert leads[0].post("/api/needles").json() == {"num_needles": 3}
        desk.room.database.close()


def _advance_at_once(leads: list[TestClient], cull: str, monkeypatch: pytest.MonkeyPatch) -> str:
    real, both = desk_module.candidates_of, threading.Barrier(2)

    def together(run: Run) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=2)  # the second of them comes this far only if nothing stops it
        return real(run)

    monkeypatch.setattr(desk_module, "candidates_of", together)
    opened: list[str] = []

    def advance(lead: TestClient) -> None:
        opened.append(lead.post("/api/review/advance", json={"queue_id": cull}).json()["queue_id"])

    threads = [threading.Thread(target=advance, args=(lead,)) for lead in leads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    titles = [queue["title"] for queue in leads[0].get("/api/queues").json()["queues"]]
    assert len(opened) == 2 and len(set(opened)) == 1 and titles.count("Finest") == 1
    return opened[0]
