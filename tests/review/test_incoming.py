"""Decisions made elsewhere, by several annotators, models among them: into the rounds, and out as needles."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.review import administration
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.review.rounds import review as review_stage

from .test_desk import Desk, approve, keep_if, number, work

ROUNDS = [
    {"name": "Cull", "screen": "grid"},
    {"name": "Finest", "screen": "loupe", "overlap": 2},
    {"name": "Captions", "screen": "captions"},
]
NUM = 8


@pytest.fixture
def review(run: Run, haystack: Callable[..., list[str]]) -> Review:
    haystack([(0.5, 0.5, None)] * NUM)
    return Review(ReviewConfig.model_validate({"decisions": "people", "rounds": ROUNDS}), run, seed=7)


Row = Mapping[str, Any]


def write(path: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)
    return path


def said(person: str, kept: Iterable[int], *, kind: str = "model", **more: Any) -> list[Row]:
    """This annotator's word on all pictures."""
    kept = set(kept)
    return [
        {"key": f"sticker-{i}", "person": person, "annotator_kind": kind}
        | {"verdict": "keep" if i in kept else "drop", **more}
        for i in range(NUM)
    ]


def captions(person: str, numbers: Iterable[int], **more: Any) -> list[Row]:
    return [
        {"key": f"sticker-{i}", "person": person, "caption": f"A disc, number {i}", **more} for i in numbers
    ]


def needles(run: Run) -> dict[str, dict[str, Any]]:
    rows = read_table(run.folder / "review" / "needles.parquet").to_pylist()
    return {row["key"]: row for row in rows}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_models_decide_and_the_needles_say_so(review: Review, run: Run, tmp_path: Path, suffix: str) -> None:
    def bring(rows: Iterable[Row]) -> str:
        return administration.take(review, write(tmp_path / f"said.{suffix}", rows))

    assert bring(said("Nora", range(6), kind="person")) == f"said.{suffix}: 8 taken, of Nora"
    assert administration.advance(review) == "Finest: 6 pictures"
    stars = {"composition": 5, "story": 4, "reason": "clear"}
    told = bring([*said("opus", range(4), **stars), *said("sonnet", range(3))])
    assert told == f"said.{suffix}: 12 taken, of opus (a model), sonnet (a model); " + (
        "4 left out: the round does not show their pictures"
    )
    again = bring([*said("opus", range(4), **stars), *said("sonnet", range(3))])
    assert again.startswith(f"said.{suffix}: 0 taken") and "12 were there already" in again
    bring(said("haiku", {3}))  # a third, where two differ
    assert administration.advance(review) == "Captions: 4 pictures"
    bring(captions("opus", range(4), annotator_kind="model"))
    bring({"key": f"sticker-{i}", "person": "Wu", "kind": "approve"} for i in range(3))
    assert administration.finish(review, "read") == 4

    rows = needles(run)
    assert sorted(rows) == [f"sticker-{i}" for i in range(4)]
    assert rows["sticker-3"]["decided_by"] == "Finest: kept by haiku (a model) and opus (a model)"
    assert (rows["sticker-0"]["caption"], rows["sticker-0"]["caption_source"]) == (
        "A disc, number 0",
        "model",
    )
    assert rows["sticker-3"]["caption_source"] == "alt_text", "nobody has read it yet"
    story = json.loads(rows["sticker-0"]["decisions"])
    assert [(one["person"], one["annotator_kind"], one.get("verdict", one["what"])) for one in story] == [
        ("Nora", "person", "keep"),
        ("opus", "model", "keep"),
        ("sonnet", "model", "keep"),
        ("haiku", "model", "drop"),
        ("opus", "model", "caption"),
        ("Wu", "person", "approve"),
    ]
    assert story[1]["criteria"] == {"composition": 5, "story": 4}
    assert story[1]["reason"] == "clear"


def test_where_only_models_decided_no_person_looked(review: Review, run: Run, tmp_path: Path) -> None:
    administration.take(review, write(tmp_path / "cull.csv", said("opus", range(5))))
    administration.advance(review)
    both = [*said("opus", range(5)), *said("sonnet", range(3))]
    administration.take(review, write(tmp_path / "finest.csv", both))
    administration.finish(review, "read")  # no captions were written
    assert {row["decided_by"] for row in needles(run).values()} == {
        "Finest: kept by opus (a model) and sonnet (a model), no person looked"
    }

    path = tmp_path / "decisions.csv"
    administration.export(review, path)
    review_stage(ReviewConfig(decisions=path), run, seed=0)
    assert {row["decided_by"] for row in needles(run).values()} == {
        "imported from decisions.csv: opus (a model) and sonnet (a model), no person looked"
    }


def test_a_table_of_decisions_may_say_that_a_model_made_them(
    review: Review, run: Run, tmp_path: Path
) -> None:
    rows = [
        {"key": "sticker-1", "keep": 1, "caption": "A disc", "decided_by": "opus", "annotator_kind": "model"},
        {"key": "sticker-2", "keep": 1, "caption": "A disc", "decided_by": "Ada", "annotator_kind": "person"},
    ]
    review_stage(ReviewConfig(decisions=write(tmp_path / "d.csv", rows)), run, seed=0)
    told = needles(run)
    assert told["sticker-1"]["decided_by"] == "imported from d.csv: opus (a model), no person looked"
    assert told["sticker-1"]["caption_source"] == "model"
    assert told["sticker-2"]["decided_by"] == "imported from d.csv: Ada"
    assert told["sticker-2"]["caption_source"] == "writer"


def test_an_export_goes_into_the_rounds_of_another_database(review: Review, run: Run, tmp_path: Path) -> None:
    desk = Desk(review)
    work(desk.person("Ada", "generalist"), "grid", keep_if(lambda i: i < 5))
    administration.advance(review)
    for name, most in (("Bo", 4), ("Cy", 3), ("Di", 3)):
        work(desk.person(name, "specialist"), "loupe", keep_if(lambda i, most=most: i < most))
    administration.advance(review)
    work(desk.person("Wu", "writer"), "captions", lambda i: ("caption", {"text": f"Number {number(i)}"}))
    work(desk.person("Xi", "writer"), "captions", approve)
    administration.finish(review)
    before = needles(run)
    administration.export(review, tmp_path / "all.jsonl")
    desk.room.database.close()

    (run.folder / "review" / "review.db").rename(tmp_path / "old.db")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    for title in ("Cull", "Finest", "Captions"):
        path = write(tmp_path / "round.jsonl", [row for row in rows if row["round"] == title])
        administration.take(review, path)
        if title != "Captions":
            administration.advance(review)
    administration.finish(review)
    assert needles(run) == before


def test_more_than_were_asked_for_are_settled_by_the_larger_side(
    review: Review, run: Run, tmp_path: Path
) -> None:
    keepers = [{0, 1}, {0, 1}, {0}, {0}, {0, 2}]
    rows = [row for n, kept in enumerate(keepers) for row in said(f"model {n}", kept)]
    administration.take(review, write(tmp_path / "five.csv", rows))
    administration.advance(review)
    with review.open_room().database.reading() as connection:
        finest = review.queue_of(connection, 1)
        assert finest is not None and finest.num_items == 1  # 1 has two of five, 2 one of five


def test_the_state_made_anew_holds_what_was_brought_in(review: Review, tmp_path: Path) -> None:
    rows = [*said("opus", {0, 1}), *said("sonnet", {1, 2}), *said("haiku", {1})]
    administration.take(review, write(tmp_path / "three.csv", rows))
    before = _states(review)
    assert administration.rebuild(review) == f"The state was made anew from {3 * NUM} events."
    assert _states(review) == before


def _states(review: Review) -> list[tuple[Any, ...]]:
    from sqlalchemy import select

    from photogenic.web.tables import items

    room = review.open_room()
    with room.database.reading() as connection:
        columns = (items.c.item_id, items.c.state, items.c.outcome, items.c.given)
        found = [tuple(row) for row in connection.execute(select(*columns).order_by(items.c.item_id))]
    room.database.close()
    return found


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"key": "sticker-99", "person": "Ada", "verdict": "keep"}, "not among the candidates"),
        ({"key": "sticker-1", "person": "", "verdict": "keep"}, "`person` is empty"),
        ({"key": "sticker-1", "person": "Ada", "verdict": "perhaps"}, "verdict"),
        ({"key": "sticker-1", "person": "Ada", "verdict": "keep", "story": "9"}, "criteria.story"),
        ({"key": "sticker-1", "person": "Ada", "verdict": "keep", "annotator_kind": "cat"}, "annotator_kind"),
        ({"key": "sticker-1", "person": "Ada", "verdict": "keep", "round": "Finest"}, "has not begun"),
        ({"key": "sticker-1", "person": "Ada", "verdict": "keep", "event_id": "1"}, "no UUID"),
        ({"key": "sticker-1", "person": "Ada", "kind": "vote"}, "`kind` is 'vote'"),
        ({"key": "sticker-1", "verdict": "keep"}, "needs a column `person`"),
        ({"key": "sticker-1", "person": "Ada", "body": "[1]"}, "line 2"),
    ],
)
def test_what_cannot_be_read_is_a_sentence_and_nothing_is_taken(
    review: Review, tmp_path: Path, row: Row, sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence):
        administration.take(review, write(tmp_path / "odd.csv", [row]))
    administration.export(review, tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_text() == ""


def test_a_name_is_a_persons_or_a_models(review: Review, tmp_path: Path) -> None:
    administration.take(review, write(tmp_path / "a.csv", said("Ada", {0}, kind="person")))
    with pytest.raises(RunError, match="once a person and once a model"):
        administration.take(review, write(tmp_path / "b.csv", said("Ada", {0})))


def test_the_lead_sees_which_annotators_are_models(review: Review, tmp_path: Path) -> None:
    administration.take(review, write(tmp_path / "a.csv", said("opus", {0})))
    lead = Desk(review).person("Lea", "lead")
    queue = lead.get("/api/queues").json()["queues"][0]["id"]
    assert [one["kind"] for one in lead.get(f"/api/queues/{queue}/progress").json()["people"]] == ["model"]
    listed = {one["name"]: one["kind"] for one in lead.get("/api/people").json()["people"]}
    assert listed == {"Lea": "person", "opus": "model"}
    made = lead.post("/api/invites", json={"name": "gemma", "role": "specialist", "kind": "model"})
    assert made.status_code == 201
    assert lead.get("/api/invites").json()["invites"][0]["kind"] == "model"
    odd = {"name": "gemma", "role": "specialist", "kind": "cat"}
    assert lead.post("/api/invites", json=odd).status_code == 422


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("text", ["-2 discs", "=1+1", "'=1+1", "two\u2028lines", "'tis a disc", "\x85 disc"])
def test_a_caption_goes_out_and_comes_back_word_for_word(
    review: Review, run: Run, tmp_path: Path, suffix: str, text: str
) -> None:
    desk = Desk(review)
    work(desk.person("Ada", "generalist"), "grid", keep_if(lambda i: i == 1))
    administration.advance(review)
    for name in ("Bo", "Cy"):
        work(desk.person(name, "specialist"), "loupe", keep_if(lambda _: True))
    administration.advance(review)
    work(desk.person("Wu", "writer"), "captions", lambda _: ("caption", {"text": f"{text}."}))
    work(desk.person("Xi", "writer"), "captions", approve)
    desk.room.database.close()
    path = tmp_path / f"all.{suffix}"
    administration.export(review, path)
    review_stage(ReviewConfig(decisions=path), run, seed=0)
    assert needles(run)["sticker-1"]["caption"] == f"{text}.".strip()
