"""The lead's desk of a vote: who may use it, what it tells while people judge, votes and verdict from it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from evaluate.test_poll import NUM_PAIRS, poll
from photogenic.core.records import Vote as Record
from photogenic.core.shards import read_json
from photogenic.evaluate.poll import Poll
from photogenic.evaluate.votes import read_votes
from photogenic.web.app import create_app, routes_of
from photogenic.web.people import invite
from photogenic.web.registration import ROLES

__all__ = ["poll"]  # a fixture
ORIGIN = "http://testserver"


class Vote:
    """A vote that is served, and its people."""

    def __init__(self, poll: Poll) -> None:
        self.poll = poll
        settings = replace(poll.settings(), origins=(ORIGIN,), sign_ins_per_minute=1000)
        self.app = create_app(settings, poll.registration())
        self.room = self.app.state.room
        self.appeal, self.faithfulness = poll.begin(self.room)

    def client(self) -> TestClient:
        return TestClient(self.app, base_url=ORIGIN, headers={"Origin": ORIGIN})

    def person(self, name: str, role: str) -> TestClient:
        with self.room.database.writing() as connection:
            token = invite(connection, name=name, role=role, lifetime_s=100).token
        client = self.client()
        assert client.post("/api/sign-in", json={"invite": token}).status_code == 204
        return client

    def judge(
        self, client: TestClient, queue: str, most: int, choose: Callable[[int], str] = lambda _: "left"
    ) -> int:
        """Judge up to so many showings, checks and repeats among them; how many."""
        items = client.post(f"/api/queues/{queue}/claim", json={"count": most}).json()["items"]
        events = [
            {
                "event_id": str(uuid.uuid4()),
                "kind": "vote",
                "queue_id": queue,
                "item_id": item["id"],
                "client_at": "2026-11-29T12:00:00Z",
                "body": {
                    "question": item["body"]["question"],
                    "choice": choose(item["body"]["left"]),
                    "active_ms": 2000,
                },
            }
            for item in items
        ]
        assert client.post("/api/events", json={"events": events}).json()["refused"] == []
        return len(events)


@pytest.fixture
def vote(poll: Poll) -> Iterator[Vote]:
    served = Vote(poll)
    yield served
    served.room.database.close()


def person_id(client: TestClient) -> str:
    return str(client.get("/api/me").json()["person"]["id"])


def test_every_route_of_the_desk_lets_in_exactly_whom_the_table_names(vote: Vote) -> None:
    clients = {role: vote.person(role.title(), role) for role in ROLES}
    stranger = vote.client()
    permissions = vote.poll.registration().permissions
    own = [route for route in routes_of(vote.app) if "evaluate" in route[1] or "votes" in route[1]]
    assert set(own) - {("GET", "/evaluate/{path:path}")} == set(permissions)
    assert set(permissions.values()) == {frozenset(("lead",))}
    for method, template in permissions:
        path = template.format(suffix="jsonl", name="report")
        assert stranger.request(method, path, json={}).status_code == 401
        for role, client in clients.items():
            status = client.request(method, path, json={} if method != "GET" else None).status_code
            assert (status == 403) == (role != "lead"), (method, template, role, status)
            assert status < 500


def test_only_the_lead_is_led_to_the_desk(vote: Vote) -> None:
    lead, rater = vote.person("Lea", "lead"), vote.person("Ann", "rater")
    assert lead.get("/api/me").json()["desks"] == ["/evaluate/lead"]
    assert rater.get("/api/me").json()["desks"] == []
    for path in ("/evaluate/lead", "/evaluate/lead.js", "/evaluate/lead.css", "/static/desk.css"):
        assert vote.client().get(path).status_code == 200
    assert vote.client().get("/review/lead").status_code == 404


def test_the_desk_tells_how_far_each_question_and_each_rater_is(vote: Vote) -> None:
    lead, ann, bo = vote.person("Lea", "lead"), vote.person("Ann", "rater"), vote.person("Bo", "rater")
    before = lead.get("/api/evaluate/standing").json()
    assert [one["question"] for one in before["questions"]] == ["visual_appeal", "text_faithfulness"]
    assert [one["judgments_left"] for one in before["questions"]] == [5 * NUM_PAIRS, 3 * NUM_PAIRS]
    assert [one["estimate_s"] for one in before["questions"]] == [None, None]
    assert (before["num_raters"], before["counted_at"]) == (2, None)
    assert before["raters"][person_id(ann)] == {
        "pairs": {
            "visual_appeal": {"judged": 0, "total": NUM_PAIRS},
            "text_faithfulness": {"judged": 0, "total": NUM_PAIRS},
        },
        "seconds": None,
        "checks": {"shown": 0, "passed": 0},
    }
    assert person_id(lead) not in before["raters"]  # a lead who does not vote is no rater

    judged = vote.judge(ann, vote.appeal, 60)
    vote.judge(bo, vote.faithfulness, 5)
    assert judged > NUM_PAIRS  # repeats and checks too, which are no pairs that count
    after = lead.get("/api/evaluate/standing").json()
    appeal, faithfulness = after["questions"]
    assert (appeal["votes"], appeal["judgments_left"]) == (NUM_PAIRS, 4 * NUM_PAIRS)
    assert (appeal["raters_a_pair"], faithfulness["raters_a_pair"]) == (5, 3)
    assert (appeal["num_pairs"], appeal["num_pairs_done"]) == (NUM_PAIRS, 0)
    assert appeal["estimate_s"] == pytest.approx(2 * 4 * NUM_PAIRS)
    assert faithfulness["votes"] + faithfulness["judgments_left"] == 3 * NUM_PAIRS
    hers = after["raters"][person_id(ann)]
    assert hers["pairs"]["visual_appeal"] == {"judged": NUM_PAIRS, "total": NUM_PAIRS}
    assert hers["seconds"] == pytest.approx(2.0)
    assert hers["checks"]["shown"] >= 1


def test_who_is_shut_out_is_no_rater_any_more_and_the_votes_stay(vote: Vote) -> None:
    lead, ann = vote.person("Lea", "lead"), vote.person("Ann", "rater")
    vote.judge(ann, vote.appeal, 3)
    who = person_id(ann)
    before = lead.get("/api/evaluate/standing").json()["raters"][who]["pairs"]["visual_appeal"]["judged"]
    lead.patch(f"/api/people/{who}", json={"active": False})
    told = lead.get("/api/evaluate/standing").json()
    assert told["num_raters"] == 0
    assert told["raters"][who]["pairs"] == {"visual_appeal": {"judged": before, "total": before}}


def test_attention_checks_are_told_while_people_still_vote(vote: Vote) -> None:
    lead = vote.person("Lea", "lead")
    raters = {name: vote.person(name, "rater") for name in ("Ann", "Bo")}
    for client in raters.values():
        vote.judge(client, vote.appeal, 60)
    told = lead.get("/api/evaluate/standing").json()["raters"]
    for name, client in raters.items():
        checks = [one for one in vote_list(vote) if one.rater == name and one.is_attention_check]
        passed = sum(one.answer == one.expected for one in checks)
        assert told[person_id(client)]["checks"] == {"shown": len(checks), "passed": passed}
        assert len(checks) >= 2


def vote_list(vote: Vote) -> list[Record]:
    with vote.room.database.reading() as connection:
        return vote.poll.votes(connection)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_the_votes_of_the_desk_are_those_of_the_run_folder(vote: Vote, suffix: str) -> None:
    lead, ann = vote.person("Lea", "lead"), vote.person("Ann", "rater")
    vote.judge(ann, vote.appeal, 4)
    answer = lead.get(f"/api/export/votes.{suffix}")
    assert f'filename="votes.{suffix}"' in answer.headers["content-disposition"]
    path = vote.poll.folder / f"downloaded.{suffix}"
    path.write_bytes(answer.content)
    assert read_votes(path) == vote_list(vote)
    assert len(read_votes(path)) == 4
    assert lead.get("/api/export/votes.exe").status_code == 422


def test_the_verdict_is_counted_and_shown_when_the_lead_says_so(vote: Vote) -> None:
    lead, ann = vote.person("Lea", "lead"), vote.person("Ann", "rater")
    page = "/api/evaluate/pages/verdict.html"
    assert lead.get(page).status_code == 404
    nothing = lead.post("/api/evaluate/verdict")
    assert (nothing.status_code, nothing.json()["error"]) == (409, "Nobody has judged a pair yet.")
    num = vote.judge(ann, vote.appeal, 10)
    assert lead.post("/api/evaluate/verdict").json() == {"num_votes": num}
    assert lead.get("/api/evaluate/standing").json()["counted_at"] == vote.poll.page.stat().st_mtime
    shown = lead.get(page)
    assert shown.text == vote.poll.page.read_text(encoding="utf-8") and "tuned" in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "style-src 'unsafe-inline'" in policy
    assert "script-src" not in policy  # none at all, by the default
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert lead.get("/api/audit").json()["entries"][0]["action"] == "verdict"


def test_a_rater_who_has_lost_the_way_gets_a_new_link_to_the_same_name(vote: Vote) -> None:
    lead, ann = vote.person("Lea", "lead"), vote.person("Ann", "rater")
    vote.judge(ann, vote.appeal, 3)
    whom = {"name": "Ann", "role": "rater", "person_id": person_id(ann)}
    link = lead.post("/api/invites", json=whom).json()["link"]
    again = vote.client()
    assert again.post("/api/sign-in", json={"invite": link.split("=")[1]}).status_code == 204
    assert person_id(again) == person_id(ann)
    assert again.get("/api/me").json()["queues"][0]["done"] == 3


def test_not_even_the_lead_is_told_what_the_sides_are_drawn_by(vote: Vote) -> None:
    lead = vote.person("Lea", "lead")
    told = lead.get("/api/queues")
    assert {queue["body"]["question"] for queue in told.json()["queues"]} == {
        "visual_appeal",
        "text_faithfulness",
    }
    secret = read_json(vote.poll.folder / "secret.json")["secret"]
    assert secret not in told.text
