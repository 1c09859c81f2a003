"""Captions that were written and not read: nobody gets needles without them and does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from photogenic.cli import app
from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.core.tombstones import FILE
from photogenic.outcome import came_to
from photogenic.recipe import load_recipe
from photogenic.review import administration
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review
from photogenic.review.rounds import review as review_stage
from photogenic.review.settled import Unsettled, left_by_finish
from photogenic.story import tell_decision
from photogenic.story import write as write_story

from .test_desk import Desk, keep_if, work
from .test_incoming import captions, write

NUM = 4
UNREAD = "1 caption waits for a second reader; 1 picture has no caption yet"


def begun(run: Run, haystack: Callable[..., list[str]], **last: Any) -> Review:
    """Four pictures were kept, and their captions are to be written."""
    haystack([(0.5, 0.5, None)] * NUM)
    rounds = [{"name": "Finest", "screen": "loupe"}, {"name": "Captions", "screen": "captions", **last}]
    review = Review(ReviewConfig.model_validate({"decisions": "people", "rounds": rounds}), run, seed=7)
    work(Desk(review).person("Ada", "specialist"), "loupe", keep_if(lambda _: True))
    return review


@pytest.fixture
def review(run: Run, haystack: Callable[..., list[str]]) -> Review:
    return begun(run, haystack)


@pytest.fixture
def bring(review: Review, tmp_path: Path) -> Callable[[Iterable[Any]], str]:
    return lambda rows: administration.take(review, write(tmp_path / "said.csv", rows))


def approvals(numbers: Iterable[int], person: str = "Xi") -> list[dict[str, Any]]:
    return [{"key": f"sticker-{i}", "person": person, "kind": "approve"} for i in numbers]


@pytest.fixture
def three_written_two_read(review: Review, bring: Callable[[Iterable[Any]], str]) -> Review:
    administration.advance(review)
    bring(captions("Wu", range(3)))
    bring(approvals(range(2)))
    return review


def sources(run: Run) -> Counter[str]:
    return Counter(read_table(run.folder / "review" / "needles.parquet")["caption_source"].to_pylist())


def test_an_import_says_that_taken_is_not_settled(
    review: Review, bring: Callable[[Iterable[Any]], str]
) -> None:
    administration.advance(review)
    told = bring(captions("Wu", range(3)))
    assert told == (
        "said.csv: 3 taken, of Wu; 3 captions wait for a second reader; 1 picture has no caption yet"
    )
    assert bring(approvals(range(2))).endswith(f"of Xi; {UNREAD}")
    bring(captions("Wu", [3]))
    assert bring(approvals([2, 3])) == "said.csv: 2 taken, of Xi", "nothing is left to be done"


def test_needles_are_not_written_while_captions_are_unread(three_written_two_read: Review, run: Run) -> None:
    with pytest.raises(RunError, match=UNREAD):
        administration.finish(three_written_two_read)
    assert not (run.folder / "review" / "needles.parquet").exists()
    assert not (run.folder / "review" / "finished.json").exists(), "or `run` would go on"


@pytest.mark.parametrize(("taken", "written"), [("read", 2), ("written", 3)])
def test_who_says_which_captions_to_take_gets_them_and_is_told(
    three_written_two_read: Review, run: Run, taken: Any, written: int
) -> None:
    assert administration.finish(three_written_two_read, taken) == NUM
    assert sources(run) == {"writer": written, "alt_text": NUM - written}
    left = left_by_finish(run.folder)
    assert left == Unsettled(unread=1, unwritten=1).became(taken)
    assert any(left in line for line in came_to(run.folder, "review"))
    assert left in (run.folder / "log.txt").read_text(encoding="utf-8")
    chapter = tell_decision(run)
    assert chapter is not None and chapter["captions_left"] == left

    before = read_json(run.folder / "review" / "finished.json")
    review_stage(three_written_two_read.config, run, seed=7)  # as `run` does, by what --finish was told
    assert sources(run) == {"writer": written, "alt_text": NUM - written}
    assert read_json(run.folder / "review" / "finished.json") == before


def test_what_becomes_of_captions_is_counted() -> None:
    both = Unsettled(unread=1200, unwritten=3)
    assert both.became("read") == (
        "captions that no second reader has read and that are left out: 1,200;"
        " needles for which nobody has written one: 3; needles with the alternative text instead: 1,203"
    )
    assert both.became("written") == (
        "captions that no second reader has read and that are taken all the same: 1,200;"
        " needles for which nobody has written one: 3; needles with the alternative text instead: 3"
    )
    assert Unsettled().became("read") == Unsettled().words == ""


def test_a_round_of_captions_that_has_not_begun_is_not_forgotten(review: Review, run: Run) -> None:
    with pytest.raises(RunError, match="4 pictures have no caption yet"):
        administration.finish(review)
    assert administration.finish(review, "read") == NUM
    assert sources(run) == {"alt_text": NUM}


def test_without_a_second_reader_a_written_caption_is_settled(
    run: Run, haystack: Callable[..., list[str]], tmp_path: Path
) -> None:
    review = begun(run, haystack, second_reader=False)
    administration.advance(review)
    told = administration.take(review, write(tmp_path / "said.csv", captions("Wu", range(NUM))))
    assert told == "said.csv: 4 taken, of Wu"
    assert administration.finish(review) == NUM
    assert sources(run) == {"writer": NUM}
    assert "captions" not in read_json(run.folder / "review" / "finished.json")


def test_what_was_settled_at_the_finish_and_is_not_any_more_stops_the_road(
    three_written_two_read: Review, run: Run, bring: Callable[[Iterable[Any]], str]
) -> None:
    bring(captions("Wu", [3]))
    bring(approvals([2, 3]))
    administration.finish(three_written_two_read)
    bring(captions("Yu", [0], caption="Another word"))
    with pytest.raises(RunError, match="1 caption waits"):
        review_stage(three_written_two_read.config, run, seed=7)


def test_a_picture_that_was_taken_out_for_good_holds_nobody_up(
    three_written_two_read: Review, run: Run, bring: Callable[[Iterable[Any]], str]
) -> None:
    bring(approvals([2]))
    with pytest.raises(RunError, match=r": 1 picture has no caption yet"):
        administration.finish(three_written_two_read)
    rows = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()
    gone = next(row for row in rows if row["key"] == "sticker-3")
    stone = f'{{"sample_id": "{gone["sample_id"]}", "uid": null, "when": "2026-11-29T00:00:00Z"}}\n'
    (run.folder / FILE).write_text(stone, encoding="utf-8")
    assert administration.finish(three_written_two_read) == NUM - 1


def test_the_needles_of_another_way_of_deciding_know_of_no_captions(
    three_written_two_read: Review, run: Run
) -> None:
    administration.finish(three_written_two_read, "read")
    review_stage(ReviewConfig(decisions="auto", num_needles=2), run, seed=0)
    assert left_by_finish(run.folder) == ""


def test_the_last_round_cannot_be_left_for_another_and_says_what_is_to_be_done(
    three_written_two_read: Review,
) -> None:
    with pytest.raises(RunError, match=UNREAD):
        administration.advance(three_written_two_read)


def test_the_lead_is_told_and_asked(three_written_two_read: Review, run: Run) -> None:
    lead = Desk(three_written_two_read).person("Lea", "lead")
    queue = lead.get("/api/queues").json()["queues"][-1]["id"]
    told = lead.get(f"/api/queues/{queue}/progress").json()
    assert told["captions"] == {"unread": 1, "unwritten": 1}
    assert lead.get("/api/needles").json() == {"unread": 1, "unwritten": 1, "words": UNREAD}
    refused = lead.post("/api/needles")
    assert refused.status_code == 409 and UNREAD in refused.json()["error"]
    assert lead.post("/api/needles", json={"captions": "all"}).status_code == 422
    answer = lead.post("/api/needles", json={"captions": "written"}).json()
    assert answer == {"num_needles": NUM, "captions": Unsettled(1, 1).became("written")}
    assert sources(run)["writer"] == 3
    entry = lead.get("/api/audit").json()["entries"][0]
    assert (entry["action"], entry["body"]["captions"]) == ("needles", answer["captions"])


def test_captions_of_an_export_that_nobody_approved_are_told(
    three_written_two_read: Review, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.csv"
    administration.export(three_written_two_read, path)
    review_stage(ReviewConfig(decisions=path), run, seed=0)
    assert sources(run) == {"writer": 2, "alt_text": 2}
    said = " ".join(capsys.readouterr().err.split())
    assert "captions of all.csv left out, for no second reader has approved them as others: 1;" in said
    assert "no second reader has approved" in (run.folder / "log.txt").read_text(encoding="utf-8")


def test_the_commands_say_it(three_written_two_read: Review, run: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    rounds = [one.model_dump(mode="json") for one in three_written_two_read.config.rounds]
    recipe.write_text(
        yaml.safe_dump({"name": "mine", "review": {"decisions": "people", "rounds": rounds}}),
        encoding="utf-8",
    )

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, [arguments[0], str(recipe), "--run", str(run.folder), *arguments[1:]])

    assert f"Captions are not settled: {UNREAD}." in call("status").stdout
    refused = call("review", "--finish")
    assert refused.exit_code == 2 and UNREAD in refused.output and "--captions written" in refused.output
    assert "Add --finish" in call("review", "--captions", "read").output
    assert call("review", "--finish", "--captions", "read").exit_code == 0
    left = Unsettled(1, 1).became("read")
    assert f"Captions of the needles: {left}." in call("status").stdout
    assert left in write_story(load_recipe(recipe), run).read_text(encoding="utf-8")
    again = call("review", "--finish", "--captions", "read")
    assert f"review: {left}" in again.stdout, "also where nothing is to be done"
    assert pq.read_metadata(run.folder / "review" / "needles.parquet").num_rows == NUM

    finished = run.folder / "review" / "finished.json"
    finished.write_text('{"events": 9, "needles": 4}', encoding="utf-8")  # as it was once written
    assert f"Captions are not settled: {UNREAD}." in call("status").stdout


def test_finish_writes_nothing_where_its_candidates_are_not_decided(
    three_written_two_read: Review, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    recipe = tmp_path / "mine.yaml"
    rounds = [one.model_dump(mode="json") for one in three_written_two_read.config.rounds]
    sections = {"pool": {"sources": {"all": {"path": str(tmp_path / "pictures")}}}, "curate": {}}
    review = {"decisions": "people", "rounds": rounds}
    recipe.write_text(yaml.safe_dump({"name": "mine", **sections, "review": review}), encoding="utf-8")
    command = ["review", str(recipe), "--run", str(run.folder), "--finish", "--captions", "written"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2 and "`review` reads what `pool` and `curate` writes" in refused.output
    assert not (run.folder / "review" / "needles.parquet").exists()
