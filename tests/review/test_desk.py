"""A whole review over real pictures: rounds, second looks, captions, needles with their story."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from photogenic.commands import review as command
from photogenic.core.errors import RunError
from photogenic.core.manifest import NEEDLES_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.review import administration
from photogenic.review import desk as desk_module
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.review.rounds import review as review_stage
from photogenic.web import serve as serving
from photogenic.web.app import create_app, routes_of
from photogenic.web.people import invite
from photogenic.web.registration import ROLES

ORIGIN = "http://testserver"
ROUNDS = [
    {"name": "Cull", "screen": "grid", "keep": 12, "relook_ratio": 1.0},
    {"name": "Finest", "screen": "loupe", "overlap": 2, "keep": 6},
    {"name": "Captions", "screen": "captions"},
]


class Desk:
    """A review that is served, and its people."""

    def __init__(self, review: Review) -> None:
        self.review = review
        self.app = create_app(
            review.settings(origins=(ORIGIN,), sign_ins_per_minute=1000), review.registration()
        )
        self.room = self.app.state.room
        review.begin(self.room)

    def person(self, name: str, role: str) -> TestClient:
        with self.room.database.writing() as connection:
            token = invite(connection, name=name, role=role, lifetime_s=100).token
        client = TestClient(self.app, base_url=ORIGIN, headers={"Origin": ORIGIN})
        assert client.post("/api/sign-in", json={"invite": token}).status_code == 204
        return client


def work(
    client: TestClient, kind: str, say: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]], most: int = 60
) -> int:
    """Do all there is in this person's queues of a kind; how many events were accepted."""
    count = 0
    for queue in client.get("/api/me").json()["queues"]:
        if queue["kind"] != kind:
            continue
        path = f"/api/queues/{queue['id']}/claim"
        while got := client.post(path, json={"count": most}).json()["items"]:
            events = []
            for item in got:
                what, body = say(item)
                events.append(
                    {
                        "event_id": str(uuid.uuid4()),
                        "kind": what,
                        "queue_id": queue["id"],
                        "item_id": item["id"],
                        "client_at": "2026-11-22T12:00:00Z",
                        "body": body,
                    }
                )
            answer = client.post("/api/events", json={"events": events}).json()
            assert answer["refused"] == []
            count += len(answer["accepted"])
    return count


def number(item: dict[str, Any]) -> int:
    return int(item["alt_text"].split()[-1])


def keep_if(
    rule: Callable[[int], bool], **body: Any
) -> Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]:
    return lambda item: ("decide", {"verdict": "keep" if rule(number(item)) else "drop", **body})


def approve(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A second reader's word on the caption that is shown."""
    return "approve", {"caption_event_id": item["body"]["read"]["caption_event_id"]}


@pytest.fixture
def desk(run: Run, haystack: Callable[..., list[str]]) -> Desk:
    haystack([(i / 24, 1 - i / 24, "ab"[i % 2]) for i in range(24)])
    config = ReviewConfig.model_validate({"decisions": "people", "rounds": ROUNDS})
    return Desk(Review(config, run, seed=7))


def test_rounds_from_candidates_to_needles(desk: Desk, run: Run) -> None:
    lead = desk.person("Lea", "lead")
    cull = lead.get("/api/queues").json()["queues"][0]["id"]
    ada = desk.person("Ada", "generalist")
    body = {"bulk": True, "active_ms": 1000, "guidelines_version": 0}
    assert work(ada, "grid", keep_if(lambda i: i < 12, **body)) == 24
    assert work(ada, "relook", keep_if(lambda i: i == 20)) == 12  # every bulk reject comes back alone
    told = lead.get(f"/api/queues/{cull}/progress").json()
    assert told["miss"] | {"interval": None} == {"shown": 12, "missed": 1, "interval": None}
    assert told["funnel"] | {"expected_keep": 0} == {
        "total": 24,
        "done": 24,
        "keep": 12,
        "drop": 12,
        "adjudicate": 0,
        "target_keep": 12,
        "expected_keep": 0,
    }
    assert (told["people"][0]["per_hour"], told["active_ms"]) == (3600.0, 24_000)

    finest = lead.post("/api/review/advance", json={"queue_id": cull}).json()["queue_id"]
    assert lead.get("/api/queues").json()["queues"][-1]["num_items"] == 13  # with the rescued one
    stars = {"criteria": {"composition": 5, "story": 4}}
    for name, rule in (("Bo", lambda i: i < 8), ("Cy", lambda i: i < 6), ("Di", lambda i: i % 2 == 0)):
        work(desk.person(name, "specialist"), "loupe", keep_if(rule, **stars))
    differing = lead.get(f"/api/queues/{finest}/disagreements").json()["items"]
    assert sorted(number(item) for item in differing) == [6, 7]
    assert [one["person"] for one in differing[0]["judgments"]] == ["Bo", "Cy", "Di"]
    assert lead.get(f"/api/queues/{finest}/progress").json()["agreement"]["items"] == 13

    captions = lead.post("/api/review/advance", json={"queue_id": finest}).json()["queue_id"]
    wu, xi = desk.person("Wu", "writer"), desk.person("Xi", "writer")
    assert work(wu, "captions", lambda i: ("caption", {"text": f"A disc, number {number(i)}"})) == 7
    sent_back: list[int] = []

    def read(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if number(item) == 3 and not sent_back:
            sent_back.append(3)
            return "return", {**approve(item)[1], "words": "Say its colour."}
        return approve(item)

    # One is sent back, and its writer writes it anew before the reader looks again.
    assert xi.post(f"/api/queues/{captions}/claim", json={"count": 0}).status_code == 200
    work_once(xi, captions, read)
    got = wu.post(f"/api/queues/{captions}/claim", json={"count": 5}).json()["items"]
    assert [item["body"]["returned"]["words"] for item in got] == ["Say its colour."]
    work_items(wu, captions, got, lambda _: ("caption", {"text": "A blue disc, number 3"}))
    work_once(xi, captions, read)

    assert lead.post("/api/needles").json() == {"num_needles": 7}
    needles = read_table(run.folder / "review" / "needles.parquet")
    assert needles.schema.equals(NEEDLES_SCHEMA)
    rows = {int(row["alt_text"].split()[-1]): row for row in needles.to_pylist()}
    assert sorted(rows) == [0, 1, 2, 3, 4, 5, 6]
    assert (rows[3]["caption"], rows[3]["caption_source"]) == ("A blue disc, number 3", "writer")
    assert rows[6]["decided_by"] == "Finest: kept by Bo and Di"
    story = [
        (one["round"], one["what"], one["person"], one.get("verdict"))
        for one in json.loads(rows[6]["decisions"])
    ]
    assert story == [
        ("Cull", "decide", "Ada", "keep"),
        ("Finest", "decide", "Bo", "keep"),
        ("Finest", "decide", "Cy", "drop"),
        ("Finest", "decide", "Di", "keep"),
        ("Captions", "caption", "Wu", None),
        ("Captions", "approve", "Xi", None),
    ]
    assert json.loads(rows[0]["decisions"])[1]["criteria"]["story"] == 4
    assert all(row["uid"] and row["source"] == "stickers" for row in rows.values())

    for suffix in ("csv", "jsonl", "parquet"):  # read back, it comes to the same
        path = run.folder / f"decisions.{suffix}"
        administration.export(desk.review, path)
        review_stage(ReviewConfig(decisions=path), run, seed=0)
        again = read_table(run.folder / "review" / "needles.parquet")
        for column in ("sample_id", "caption", "caption_source"):
            assert again[column].to_pylist() == needles[column].to_pylist()
        assert again["decided_by"].to_pylist()[0] == f"imported from {path.name}: Bo and Cy"


def work_items(
    client: TestClient,
    queue: str,
    got: list[dict[str, Any]],
    say: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]],
) -> None:
    told = [(item, say(item)) for item in got]
    events = [
        {
            "event_id": str(uuid.uuid4()),
            "kind": what,
            "queue_id": queue,
            "item_id": item["id"],
            "client_at": "2026-11-22T12:00:00Z",
            "body": body,
        }
        for item, (what, body) in told
    ]
    assert client.post("/api/events", json={"events": events}).json()["refused"] == []


def work_once(
    client: TestClient, queue: str, say: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]
) -> None:
    """One claim and what is said of it; only what waits for a reader."""
    got = client.post(f"/api/queues/{queue}/claim", json={"count": 60}).json()["items"]
    work_items(client, queue, [item for item in got if "read" in item["body"]], say)


def test_every_route_of_the_review_lets_in_exactly_whom_the_table_names(desk: Desk) -> None:
    clients = {role: desk.person(role.title(), role) for role in ROLES}
    queue = clients["lead"].get("/api/queues").json()["queues"][0]["id"]
    values = {"queue_id": queue, "suffix": "jsonl", "path:path": "grid"}
    stranger = TestClient(desk.app, base_url=ORIGIN, headers={"Origin": ORIGIN})
    for (method, template), roles in desk.review.registration().permissions.items():
        path = template
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        assert (method, template) in set(routes_of(desk.app))
        assert stranger.request(method, path, json={}).status_code == 401
        for role, client in clients.items():
            status = client.request(method, path, json={} if method != "GET" else None).status_code
            assert (status == 403) == (role not in roles), (method, template, role, status)
            assert status < 500


def test_a_screen_shows_no_score_and_no_purpose(desk: Desk) -> None:
    ada = desk.person("Ada", "generalist")
    queue = ada.get("/api/me").json()["queues"][0]
    item = ada.post(f"/api/queues/{queue['id']}/claim", json={"count": 1}).json()["items"][0]
    assert set(item) == {"id", "images", "alt_text", "body"}
    assert set(item["body"]) == {"metadata"}
    assert "score" not in json.dumps(item)
    assert queue["body"]["mark"] == "keep"


def test_pictures_come_without_metadata(desk: Desk) -> None:
    from PIL import Image

    ada = desk.person("Ada", "generalist")
    queue = ada.get("/api/me").json()["queues"][0]["id"]
    item = ada.post(f"/api/queues/{queue}/claim", json={"count": 1}).json()["items"][0]
    for size, kind in (("thumb", "WEBP"), ("screen", "WEBP"), ("full", "JPEG")):
        answer = ada.get(f"/api/queues/{queue}/images/{item['images'][0]['digest']}/{size}")
        assert "immutable" in answer.headers["cache-control"]
        image = Image.open(io.BytesIO(answer.content))
        assert (image.format, image.size) == (kind, (40, 32))
        again = ada.get(answer.request.url.path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_guidelines_have_versions(desk: Desk) -> None:
    lead, ada = desk.person("Lea", "lead"), desk.person("Ada", "generalist")
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    path = f"/api/queues/{queue}/guidelines"
    assert ada.get(path).json()["version"] == 0
    digest = lead.get(f"/api/queues/{queue}/items?limit=1").json()["items"][0]["images"][0]["digest"]
    example = {"criterion": "lighting", "good": digest, "words": "Soft light"}
    assert lead.put(path, json={"markdown": "# Look", "examples": [example]}).json() == {"version": 1}
    assert lead.put(path, json={"markdown": "# Look again", "examples": []}).json() == {"version": 2}
    assert ada.get(path).json()["markdown"] == "# Look again"
    forged = {"criterion": "lighting", "good": "f" * 32}
    assert lead.put(path, json={"markdown": "x", "examples": [forged]}).status_code == 422
    assert ada.put(path, json={"markdown": "mine"}).status_code == 403


def test_decisions_go_out_in_three_formats_with_the_same_rows(desk: Desk) -> None:
    lead, ada = desk.person("Lea", "lead"), desk.person("-Ada()", "generalist")
    work(ada, "grid", keep_if(lambda i: i % 2 == 0, reason="=1+1"))
    lines = lead.get("/api/export/decisions.jsonl").text.splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 24
    table = pq.read_table(io.BytesIO(lead.get("/api/export/decisions.parquet").content))
    assert table.to_pylist() == rows
    cells = list(csv.DictReader(io.StringIO(lead.get("/api/export/decisions.csv").text)))
    assert [cell["keep"] for cell in cells] == [row["keep"] for row in rows]
    assert cells[0]["person"] == "'-Ada()"  # a spreadsheet would run it


def test_exported_decisions_can_be_the_decisions_of_another_run(desk: Desk, run: Run) -> None:
    ada = desk.person("Ada", "generalist")
    work(ada, "grid", keep_if(lambda i: i < 5))
    path = run.folder / "decisions.csv"
    administration.export(desk.review, path)
    review_stage(ReviewConfig(decisions=path), run, seed=0)
    needles = read_table(run.folder / "review" / "needles.parquet")
    assert sorted(int(text.split()[-1]) for text in needles["alt_text"].to_pylist()) == list(range(5))


def test_gold_is_kept_for_its_known_answer_and_in_nobodys_name(
    run: Run, haystack: Callable[..., list[str]]
) -> None:
    ids = haystack([(0.5, 0.5, None)] * 8)
    gold = run.folder / "gold.csv"
    gold.write_text(f"sample_id,keep\n{ids[0]},1\n", encoding="utf-8")
    rounds = [{"name": "Finest", "screen": "loupe", "gold_ratio": 0.125}]
    config = ReviewConfig.model_validate({"decisions": "people", "rounds": rounds, "gold": gold})
    desk = Desk(Review(config, run, seed=7))
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i == 3))
    administration.finish(desk.review)
    rows = read_table(run.folder / "review" / "needles.parquet").to_pylist()
    assert {int(row["alt_text"].split()[-1]): row["decided_by"] for row in rows} == {
        0: "Finest: its answer was known beforehand",
        3: "Finest: kept by Ada",
    }


def test_two_commands_at_once_open_one_first_round(
    run: Run, haystack: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    haystack([(0.5, 0.5, None)] * 4)
    review = Review(ReviewConfig.model_validate({"decisions": "people", "rounds": ROUNDS}), run, seed=7)
    real, quicker = desk_module.candidates_of, []

    def slow(run: Run) -> Any:
        if not quicker:  # while these candidates are read, another command does all of it
            quicker.append("")
            room = review.open_room()
            quicker[0] = review.begin(room)
            room.database.close()
        return real(run)

    monkeypatch.setattr(desk_module, "candidates_of", slow)
    room = review.open_room()
    assert review.begin(room) == quicker[0]
    room.database.close()


def test_without_a_finish_the_road_does_not_go_on(desk: Desk, run: Run) -> None:
    with pytest.raises(RunError, match="not finished"):
        review_stage(desk.review.config, run, seed=7)
    with pytest.raises(RunError, match="'Finest' has not begun"):
        administration.finish(desk.review)


def test_taste_orders_the_next_round_and_reports_what_it_saves(desk: Desk, run: Run) -> None:
    lead = desk.person("Lea", "lead")
    assert lead.post("/api/review/taste").status_code == 409
    assert "taste" not in [entry["action"] for entry in lead.get("/api/audit").json()["entries"]]
    work(desk.person("Ada", "generalist"), "grid", keep_if(lambda i: i >= 12))
    report = lead.post("/api/review/taste").json()
    assert report["by_taste"] <= 13 < report["at_random"]
    assert lead.get("/api/audit").json()["entries"][0]["action"] == "taste"
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    assert lead.get(f"/api/queues/{queue}/progress").json()["taste"]["words"] == report["words"]
    assert (run.folder / "review" / "taste.json").exists()
    proposed = lead.get(f"/api/queues/{queue}/proposals").json()
    assert {one["verdict"] for one in proposed["gold"]} == {"keep", "drop"}
    assert len(proposed["surprises"]) == 24
    assert all(one["images"] for one in proposed["gold"])


def test_the_lead_sees_what_a_round_costs_and_who_agrees(
    run: Run, haystack: Callable[..., list[str]]
) -> None:
    haystack([(0.5, 0.5, None)] * 12)
    rounds = [{"name": "Finest", "screen": "loupe", "overlap": 2}]
    config = {"decisions": "people", "rounds": rounds, "cost_per_hour": 36.0}
    desk = Desk(Review(ReviewConfig.model_validate(config), run, seed=7))
    lead = desk.person("Lea", "lead")
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    assert lead.get(f"/api/queues/{queue}/progress").json()["cost"] == 0
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i < 6, active_ms=2000))
    told = lead.get(f"/api/queues/{queue}/progress").json()
    assert (told["cost"], told["cost_left"]) == (pytest.approx(0.24), pytest.approx(0.24))
    work(desk.person("Bo", "specialist"), "loupe", keep_if(lambda i: i < 9, active_ms=1000))
    told = lead.get(f"/api/queues/{queue}/progress").json()
    assert told["cost"] == pytest.approx(0.36)
    assert {one["name"]: one["agree_percent"] for one in told["people"]} == {"Ada": 0.75, "Bo": 0.75}


def test_the_review_is_served_on_the_same_port_at_every_start(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(serving, "serve", lambda *_, **where: asked.append(where))
    road: Any = SimpleNamespace(run=desk.review.run, recipe=SimpleNamespace(seed=0, pretrain=None))
    command._serve(road, desk.review.config, "127.0.0.1", None, [])
    assert [(where["port"], where["usual_port"]) for where in asked] == [(None, command.PORT)]
