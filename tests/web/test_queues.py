"""Claiming, leases, events, undo: everything once, nothing over its overlap."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.exc import DBAPIError

from photogenic.web.claims import open_items
from photogenic.web.events import rebuild
from photogenic.web.tables import events, items, judgments, leases, people, queues, standings

from .office import Office, claim, event, send, work


def test_two_people_never_get_the_same_item_of_overlap_one(office: Office) -> None:
    ada, bo, queue = office.person("Ada", "generalist"), office.person("Bo", "generalist"), office.queue(20)
    first, second = claim(ada, queue, 12), claim(bo, queue, 12)
    assert len(first["items"]) == 12
    assert len(second["items"]) == 8
    assert not {item["id"] for item in first["items"]} & {item["id"] for item in second["items"]}
    third = claim(office.person("Cy", "generalist"), queue, 5)
    assert (third["items"], third["reason"], third["left"]) == ([], "all leased", 20)


def test_people_see_neither_what_is_known_of_an_item_nor_what_others_said(office: Office) -> None:
    queue = office.queue(1, overlap=2)
    ada, bo = office.person("Ada", "generalist"), office.person("Bo", "generalist")
    item = claim(ada, queue, 1)["items"][0]
    send(ada, event(queue, item["id"], verdict="drop"))
    other = claim(bo, queue, 1)["items"][0]
    assert other["id"] == item["id"]
    assert set(other) == {"id", "images", "alt_text", "body"}
    assert other["body"] == {}


def test_two_that_agree_settle_it_else_a_third_is_asked_then_the_lead(office: Office) -> None:
    queue = office.queue(3, overlap=2)
    ids = [row.item_id for row in office.items(queue)]
    verdicts = {"Ada": "kkd", "Bo": "kdd", "Cy": "?k?"}
    letters = {"k": "keep", "d": "drop"}
    for name, row in verdicts.items():
        person = office.person(name, "specialist")
        work(person, queue, lambda item, row=row: letters[row[ids.index(item["id"])]])  # type: ignore[misc]
    found = [(row.state, row.outcome, row.given, row.wanted) for row in office.items(queue)]
    assert found == [("done", "keep", 2, 2), ("done", "keep", 3, 3), ("done", "drop", 2, 2)]


def test_without_a_majority_the_lead_decides(office: Office) -> None:
    queue = office.queue(1, overlap=2)
    item = office.items(queue)[0].item_id
    with office.room.database.writing() as connection:  # three answers of which no two agree cannot be given
        connection.execute(update(items).values(state="adjudicate", open_seats=0))
        connection.execute(update(queues).values(num_adjudicate=1))
    lead, ada = office.person("Lea", "lead"), office.person("Ada", "generalist")
    refused = send(ada, event(queue, item, "adjudicate", verdict="keep"))["refused"]
    assert refused[0]["error"] == "A generalist may not adjudicate."
    assert [one["id"] for one in lead.get(f"/api/queues/{queue}/adjudicate").json()["items"]] == [item]
    assert send(lead, event(queue, item, "adjudicate", verdict="keep", words="fine"))["refused"] == []
    row = office.items(queue)[0]
    assert (row.state, row.outcome) == ("done", "keep")
    assert lead.get("/api/queues").json()["queues"][0]["num_adjudicate"] == 0


def test_an_event_counts_once_however_often_it_is_sent(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(2)
    one = event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="keep")
    assert send(ada, one, one)["accepted"] == [one["event_id"]] * 2
    assert send(ada, one)["accepted"] == [one["event_id"]]
    with office.room.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 1
    changed = one | {"body": {"verdict": "drop"}}
    assert send(ada, changed)["refused"][0]["error"] == "Another event has this id."
    assert office.items(queue)[0].outcome == "keep"


def test_somebody_elses_event_id_is_refused(office: Office) -> None:
    ada, bo, queue = (
        office.person("Ada", "generalist"),
        office.person("Bo", "generalist"),
        office.queue(2, overlap=2),
    )
    one = event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="keep")
    claim(bo, queue, 2)
    send(ada, one)
    assert send(bo, one)["refused"] == [{"event_id": one["event_id"], "error": "Another event has this id."}]


def test_what_one_decided_is_not_sent_as_anothers_who_signed_in_in_the_same_browser(office: Office) -> None:
    queue = office.queue(1)
    ada, bo = office.person("Ada", "generalist"), office.person("Bo", "generalist")
    one = event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="keep")
    batch = {"events": [one], "person_id": ada.get("/api/me").json()["person"]["id"]}
    refused = bo.post("/api/events", json=batch)
    assert (refused.status_code, refused.json()["error"]) == (401, "Somebody else has signed in.")
    assert ada.post("/api/events", json=batch).json()["accepted"] == [one["event_id"]]


def test_undo_gives_the_item_back_or_brings_the_earlier_judgment_back(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(1)
    item = claim(ada, queue, 1)["items"][0]["id"]
    first, second = event(queue, item, verdict="keep"), event(queue, item, verdict="drop")
    send(ada, first, second)
    assert office.items(queue)[0].outcome == "drop"
    send(ada, event(queue, item, "undo", event_id=second["event_id"]))
    assert office.items(queue)[0].outcome == "keep"
    assert send(ada, event(queue, item, "undo", event_id=second["event_id"]))["refused"]
    send(ada, event(queue, item, "undo", event_id=first["event_id"]))
    row = office.items(queue)[0]
    assert (row.state, row.outcome, row.given, row.open_seats) == ("pending", None, 0, 0)
    me = ada.get("/api/me").json()["queues"][0]
    assert (me["done"], me["left"]) == (0, 1)
    assert send(ada, event(queue, item, verdict="drop"))["refused"] == []
    mine = ada.get(f"/api/queues/{queue}/mine").json()["events"]
    assert [(one["kind"], one["undone"]) for one in mine] == [
        ("decide", False),
        ("undo", False),
        ("undo", False),
        ("decide", True),
        ("decide", True),
    ]


def test_nobody_takes_back_what_another_said(office: Office) -> None:
    ada, bo, queue = (
        office.person("Ada", "generalist"),
        office.person("Bo", "generalist"),
        office.queue(1, overlap=2),
    )
    item = claim(ada, queue, 1)["items"][0]["id"]
    claim(bo, queue, 1)
    one = event(queue, item, verdict="keep")
    send(ada, one)
    assert send(bo, event(queue, item, "undo", event_id=one["event_id"]))["refused"]
    assert office.items(queue)[0].given == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"item_id": "0" * 16}, "There is no such item in this queue."),
        ({"queue_id": "0" * 16}, "There is no such item in this queue."),
        ({"kind": "vote"}, "Nothing of the kind 'vote' can happen in this queue."),
        ({"body": {"verdict": "maybe"}}, "verdict: keep or drop."),
    ],
)
def test_forged_events_are_refused_with_a_sentence(
    office: Office, change: dict[str, object], error: str
) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(2)
    item = claim(ada, queue, 1)["items"][0]["id"]
    forged = event(queue, item, verdict="keep") | change
    assert send(ada, forged)["refused"] == [{"event_id": forged["event_id"], "error": error}]
    assert office.items(queue)[0].given == 0


def test_an_item_that_was_not_claimed_cannot_be_judged(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(2)
    item = office.items(queue)[1].item_id
    assert (
        send(ada, event(queue, item, verdict="keep"))["refused"][0]["error"]
        == "This item was not given to you."
    )


def test_a_role_that_does_not_belong_to_the_queue_sees_nothing_of_it(office: Office) -> None:
    queue, writer = office.queue(1), office.person("Wu", "writer")
    item = office.items(queue)[0].item_id
    assert writer.get("/api/me").json()["queues"] == []
    assert writer.post(f"/api/queues/{queue}/claim", json={"count": 1}).status_code == 404
    assert send(writer, event(queue, item, verdict="keep"))["refused"]


def test_a_lease_that_ran_out_goes_to_another_and_a_late_judgment_is_refused(office: Office) -> None:
    ada, bo, queue = office.person("Ada", "generalist"), office.person("Bo", "generalist"), office.queue(1)
    item = claim(ada, queue, 1)["items"][0]["id"]
    office.expire_leases()
    assert [one["id"] for one in claim(bo, queue, 1)["items"]] == [item]
    late = send(ada, event(queue, item, verdict="keep"))["refused"][0]["error"]
    assert late == "Others have settled this item meanwhile; your judgment is not needed."
    assert claim(ada, queue, 0, [item])["lost"] == [item]
    assert send(bo, event(queue, item, verdict="drop"))["refused"] == []
    assert office.items(queue)[0].outcome == "drop"


def test_a_late_judgment_is_taken_when_nobody_else_came(office: Office) -> None:
    ada, bo, queue = office.person("Ada", "generalist"), office.person("Bo", "generalist"), office.queue(2)
    item = claim(ada, queue, 1)["items"][0]["id"]
    office.expire_leases()
    claim(bo, queue, 0)  # releases what ran out
    assert office.items(queue)[0].open_seats == 1
    assert send(ada, event(queue, item, verdict="keep"))["refused"] == []
    assert [one["id"] for one in claim(bo, queue, 5)["items"]] == [office.items(queue)[1].item_id]


def test_an_undo_while_a_third_holds_the_item_gives_it_to_no_fourth(office: Office) -> None:
    queue = office.queue(1, overlap=2)
    ada, bo, cy, di = (office.person(name, "generalist") for name in ("Ada", "Bo", "Cy", "Di"))
    item = claim(ada, queue, 1)["items"][0]["id"]
    claim(bo, queue, 1)
    one = event(queue, item, verdict="drop")
    send(ada, event(queue, item, verdict="keep"))
    send(bo, one)
    assert [got["id"] for got in claim(cy, queue, 1)["items"]] == [item]
    send(bo, event(queue, item, "undo", event_id=one["event_id"]))
    with office.room.database.writing() as connection:
        third = select(people.c.person_id).where(people.c.name == "Cy").scalar_subquery()
        connection.execute(update(leases).where(leases.c.person_id == third).values(expires_at=1.0))
    assert claim(di, queue, 1)["items"] == []  # two are wanted: Ada's, and Bo's who holds it
    assert send(bo, event(queue, item, verdict="keep"))["refused"] == []
    assert [(row.state, row.given) for row in office.items(queue)] == [("done", 2)]


def test_the_heartbeat_keeps_a_lease(office: Office) -> None:
    ada, bo, queue = office.person("Ada", "generalist"), office.person("Bo", "generalist"), office.queue(1)
    item = claim(ada, queue, 1)["items"][0]["id"]
    with office.room.database.writing() as connection:
        connection.execute(update(leases).values(expires_at=time.time() + 50))
    assert claim(ada, queue, 0, [item])["lost"] == []
    with office.room.database.reading() as connection:
        assert connection.execute(select(leases.c.expires_at)).scalar_one() > time.time() + 60
    assert claim(bo, queue, 1)["items"] == []
    office.expire_leases()
    claim(bo, queue, 0)
    assert claim(ada, queue, 0, [item])["lost"] == []  # nobody else came: it is Ada's again
    assert claim(bo, queue, 1)["items"] == []


def test_what_was_claimed_before_a_reload_comes_back_first(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(6)
    first = [item["id"] for item in claim(ada, queue, 3)["items"]]
    again = [item["id"] for item in claim(ada, queue, 4)["items"]]
    assert again[:3] == first
    assert len(set(again)) == 4


def test_gold_and_calibration_do_not_count_and_calibration_answers(office: Office) -> None:
    queue = office.queue(2)
    with office.room.database.writing() as connection:
        from photogenic.web.queues import NewItem, add_items

        images = {"images": list(office.pictures)[:1]}
        add_items(
            connection,
            queue,
            [
                NewItem(images | {"words": "Too dark."}, purpose="calibration", expected="drop"),
                NewItem(images, purpose="gold", expected="keep"),
            ],
        )
    for name in ("Ada", "Bo"):
        person = office.person(name, "generalist")
        got = claim(person, queue, 1)["items"]
        said = event(queue, got[0]["id"], verdict="keep")
        answer = send(person, said)
        assert [(one["right"], one["expected"], one["words"]) for one in answer["feedback"]] == [
            (False, "drop", "Too dark.")
        ]
        assert send(person, said)["feedback"] == answer["feedback"]  # sent again: the answer was lost
    assert work(person, queue, lambda _: "keep") == 3  # the work, and gold among it
    row = office.person("Lea", "lead").get("/api/queues").json()["queues"][0]
    assert (row["num_items"], row["num_done"]) == (2, 2)
    assert claim(office.person("Cy", "generalist"), queue, 5)["reason"] is None  # calibration comes first
    assert {item.state for item in office.items(queue) if item.purpose != "work"} == {"pending"}


def test_gold_alone_is_not_handed_out_when_the_work_is_done(office: Office) -> None:
    from photogenic.web.queues import NewItem, add_items

    queue, ada = office.queue(1), office.person("Ada", "generalist")
    with office.room.database.writing() as connection:
        add_items(connection, queue, [NewItem({"images": []}, purpose="gold", expected="keep")])
    item = claim(ada, queue, 1)["items"][0]["id"]
    send(ada, event(queue, item, verdict="keep"))
    assert (claim(ada, queue, 1)["items"], claim(ada, queue, 1)["reason"]) == ([], "done")


def test_events_cannot_be_changed_or_deleted_even_by_sql(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(1)
    send(ada, event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="keep"))
    for statement in ("UPDATE events SET body = '{}'", "DELETE FROM events", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="only grows"), office.room.database.writing() as connection:
            connection.execute(text(statement))


def test_the_state_made_anew_from_the_events_is_the_state(office: Office) -> None:
    queue = office.queue(12, overlap=2)
    clients = [office.person(name, "specialist") for name in ("Ada", "Bo", "Cy")]
    for number, client in enumerate(clients):
        for place, item in enumerate(claim(client, queue, 9)["items"]):
            one = event(queue, item["id"], verdict="keep" if (place + number) % 3 else "drop", active_ms=5)
            send(client, one)
            if place % 4 == 1:
                send(client, event(queue, item["id"], "undo", event_id=one["event_id"]))
    before = _state(office)
    assert rebuild(office.room.database, office.room.kinds) > 12
    after = _state(office)
    assert after == before


def _state(office: Office) -> list[object]:
    names = (items.c.item_id, items.c.state, items.c.outcome, items.c.wanted, items.c.given)
    with office.room.database.reading() as connection:
        return [
            connection.execute(select(*names).order_by(items.c.item_id)).all(),
            connection.execute(select(judgments).order_by(judgments.c.item_id, judgments.c.person_id)).all(),
            connection.execute(select(queues.c.num_done, queues.c.num_adjudicate)).all(),
            connection.execute(
                select(standings.c.person_id, standings.c.given, standings.c.waiting)
                .where(standings.c.given > 0)
                .order_by(standings.c.person_id)
            ).all(),
        ]


def test_ten_at_once_judge_everything_once(office: Office) -> None:
    queue = office.queue(60, overlap=2)
    clients = [office.person(f"Person {number}", "generalist") for number in range(10)]
    threads = [threading.Thread(target=work, args=(client, queue, lambda _: "keep", 7)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those that came last may have gone while others still held leases.
    for client in clients:
        work(client, queue, lambda _: "keep")
    rows = office.items(queue)
    assert {(row.state, row.given) for row in rows} == {("done", 2)}
    with office.room.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 120
        active = select(func.count()).select_from(leases).where(leases.c.state == "active")
        assert connection.execute(active).scalar() == 0


@pytest.mark.parametrize("along", [items.c.position, items.c.reopening])
def test_a_claim_reads_only_what_it_gives(office: Office, along: ColumnElement[int]) -> None:
    """Its query runs along an index of open items, so it costs the same anywhere in a queue of any length."""
    with office.room.database.reading() as connection:
        compiled = open_items("x", along, 5).limit(10).compile(connection)
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.construct_params().values())
        )
        words = " ".join(str(row[-1]) for row in plan)
    assert f"ix_items_{'open' if along is items.c.position else 'reopened'}" in words
    assert "SEARCH" in words
    assert "B-TREE" not in words
