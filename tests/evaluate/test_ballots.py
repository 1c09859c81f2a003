"""Ballots: blind pairs as files for raters elsewhere, whose answers come back as votes and a verdict."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from evaluate.test_poll import CONFIG, NUM_PAIRS, poll
from photogenic.core.errors import RunError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.shards import read_table, write_table
from photogenic.evaluate.ballots import Rater, _ballot_id, read_key, share_out
from photogenic.evaluate.beside import said_by_raters
from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.pairs import build_pairs
from photogenic.evaluate.poll import Poll
from photogenic.evaluate.sheets import SHEET_WIDTH_PX, SheetPair, draw_sheet

from .test_pairs import rows

__all__ = ["poll"]  # a fixture
FIVE = [Rater(name, "model") for name in ("ann", "bo", "cy", "di", "ed")]
PER_SHEET = 6


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fill(folder: Path, rater: str, question: str) -> None:
    """Prefer the brighter picture, which is the tuned model's; of faithfulness, for some prompts, neither."""
    path = folder / rater / f"{question}.csv"
    filled = lines(path)
    for row in filled:
        left, right = (np.asarray(Image.open(path.parent / row[side])).mean() for side in ("left", "right"))
        row["answer"] = "left" if left > right else "2"  # the page's key means the same
        if question == "text_faithfulness" and row["prompt"].endswith(("3", "6", "9")):
            row["answer"] = "Neither"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, filled[0])
        writer.writeheader()
        writer.writerows(filled)


def conclude(poll: Poll) -> Any:
    room = poll.open_room()
    try:
        return poll.conclude(room)
    finally:
        room.database.close()


def test_five_models_vote_blind_on_sheets_and_the_verdict_says_that_models_voted(
    poll: Poll, tmp_path: Path
) -> None:
    out = tmp_path / "ballots"
    num_ballots = poll.hand_out(out, FIVE, per_sheet=PER_SHEET)
    assert not out.joinpath("ballots.parquet").exists()  # the key stays in the run folder
    told = [path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()]
    assert all(b"base" not in data and b"tuned" not in data for data in told)
    for rater in FIVE:
        for question in ("visual_appeal", "text_faithfulness"):
            fill(out, rater.name, question)
    returned = poll.take_in(out)
    assert len(returned.votes) == num_ballots and returned.num_blank == 0

    votes, findings = conclude(poll)
    assert len(votes) == num_ballots and {vote.rater_kind for vote in votes} == {"model"}
    appeal, faithfulness = findings.panels
    assert (appeal.rater_kind, appeal.num_raters) == ("model", 5)
    assert appeal.num_votes == 5 * NUM_PAIRS and faithfulness.num_votes == 3 * NUM_PAIRS
    [contest] = appeal.contests
    assert contest.pairs.wins == NUM_PAIRS  # the key gave each side its model back
    assert 0.25 < appeal.left_share.mean < 0.75  # 120 coins; the secret behind them is drawn anew
    assert all(rater.num_consistent == rater.num_repeats > 0 for rater in findings.raters)
    page = poll.page.read_text(encoding="utf-8")
    assert "data:image/webp" in page
    assert "No person voted." in page and "models that voted prefer tuned" in page
    assert json.loads((poll.page.parent / "verdict.json").read_text())["num_people"] == 0
    assert poll.take_in(out).votes == returned.votes  # the same answers again change nothing
    assert conclude(poll)[0] == votes


def test_what_a_ballot_tells(poll: Poll, tmp_path: Path) -> None:
    out = tmp_path / "ballots"
    poll.hand_out(out, FIVE, per_sheet=PER_SHEET)
    key = {row["vote_id"]: row for row in read_key(poll.folder)}
    sides: Counter[str] = Counter()
    for rater in FIVE:
        appeal = lines(out / rater.name / "visual_appeal.csv")
        assert "prompt" not in appeal[0] and "prompt" in lines(out / rater.name / "text_faithfulness.csv")[0]
        assert [int(row["number"]) for row in appeal] == list(range(1, len(appeal) + 1))
        for row in appeal:
            ballot = key[row["id"]]
            assert ballot["rater"] == rater.name and (out / rater.name / row["sheet"]).exists()
            if not ballot["is_attention_check"]:
                sides[ballot["left_model"]] += 1
                red = {
                    side: np.asarray(Image.open(out / rater.name / row[side]))[0, 0, 0]
                    for side in ("left", "right")
                }
                shades = {"base": 90, "tuned": 160}
                assert red == {"left": shades[ballot["left_model"]], "right": shades[ballot["right_model"]]}
        shown = [(key[row["id"]]["pair_id"], row["sheet"]) for row in appeal]
        assert len(shown) == len(set(shown))  # no repeat on the sheet of its pair
    assert 35 < sides["base"] < 95  # about 130 coins
    orders = {
        tuple(key[row["id"]]["pair_id"] for row in lines(out / r.name / "visual_appeal.csv")) for r in FIVE
    }
    assert len(orders) == len(FIVE)  # no rater has another one's order


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,answer\nfeedfeedfeed,left\n", "is the id of no ballot"),
        ("id,answer\nID,both\n", "`answer` is 'both', for visual_appeal"),
        ("id,answer\nID,left\nID,right\n", "has two answers"),
        ("id,answer,seconds\nID,left,soon\n", "`seconds` is 'soon'"),
        ("name,answer\nID,left\n", "is the id of no ballot"),
    ],
)
def test_answers_that_are_none(poll: Poll, tmp_path: Path, content: str, said: str) -> None:
    poll.hand_out(tmp_path / "ballots", FIVE[:1], per_sheet=PER_SHEET)
    ballot = next(row for row in read_key(poll.folder) if row["question"] == "visual_appeal")
    answers = tmp_path / "answers.csv"
    answers.write_text(content.replace("ID", ballot["vote_id"]))
    with pytest.raises(RunError, match=said):
        poll.take_in(answers)


def test_answers_as_json_lines_in_two_parts_and_a_changed_mind(poll: Poll, tmp_path: Path) -> None:
    poll.hand_out(tmp_path / "ballots", FIVE[:2], per_sheet=PER_SHEET)
    ids = [row["vote_id"] for row in read_key(poll.folder) if row["question"] == "visual_appeal"]
    answers = tmp_path / "answers.jsonl"
    answers.write_text(
        "".join(
            json.dumps(row) + "\n" for row in ({"id": ids[0], "answer": "0"}, {"id": ids[1], "answer": ""})
        )
    )
    returned = poll.take_in(answers)
    assert [vote.answer for vote in returned.votes] == ["tie"] and returned.num_blank == 1
    answers.write_text(json.dumps({"id": ids[1], "answer": "left", "seconds": 4}))
    assert poll.take_in(answers).votes[0].seconds == 4.0
    assert {vote.vote_id for vote in conclude(poll)[0]} == set(ids[:2])
    answers.write_text(json.dumps({"id": ids[0], "answer": "left"}))
    with pytest.raises(RunError, match="was answered tie before, and left now"):
        poll.take_in(answers)


def test_ballots_are_never_written_over_nor_mixed(poll: Poll, tmp_path: Path) -> None:
    out = tmp_path / "ballots"
    poll.hand_out(out, FIVE[:1], per_sheet=PER_SHEET)
    before = read_key(poll.folder)
    with pytest.raises(RunError, match="is not empty"):
        poll.hand_out(out, FIVE[:1], per_sheet=PER_SHEET)
    poll.hand_out(tmp_path / "again", FIVE[:1], per_sheet=PER_SHEET)
    assert read_key(poll.folder) == before  # the same raters get the same ballots
    poll.hand_out(tmp_path / "more", FIVE[1:2], per_sheet=PER_SHEET)
    assert len(read_key(poll.folder)) == 2 * len(before)
    picture = next((poll.run.folder / "generate" / "tuned").glob("*.png"))
    picture.unlink()
    Image.new("RGB", (48, 48), "white").save(picture)
    with pytest.raises(RunError, match="Other pairs are being voted on"):
        poll.hand_out(tmp_path / "other", FIVE, per_sheet=PER_SHEET)
    room = poll.open_room()
    with pytest.raises(RunError, match="Other pairs are being voted on"):
        poll.begin(room)  # nor by votes of the page on what is there now
    room.database.close()
    # Counted for the first time only now, the ballots are still about the pictures that were handed out.
    fill(out, "ann", "visual_appeal")
    poll.take_in(out)
    conclude(poll)
    said = said_by_raters(poll.run.folder)
    assert said is not None and not said.is_of_these
    assert "data:image/webp" not in poll.page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("raters", "said"),
    [
        ([], "Nobody is named"),
        ([Rater("../x", "person")], "cannot be the name"),
        ([Rater("Ann", "person"), Rater("ann", "person")], "named twice"),
    ],
)
def test_raters_without_a_folder(poll: Poll, tmp_path: Path, raters: list[Rater], said: str) -> None:
    with pytest.raises(RunError, match=said):
        poll.hand_out(tmp_path / "ballots", raters, per_sheet=PER_SHEET)


def test_pairs_are_shared_out_equally() -> None:
    pairs = build_pairs({"a": rows(50), "b": rows(50)}, VotingConfig(), seed=0)
    shares = share_out(pairs, [rater.name for rater in FIVE], 3)
    assert {len(share) for share in shares.values()} == {30}
    assert set(Counter(pair.pair_id for share in shares.values() for pair in share).values()) == {3}
    assert {
        len(share) for share in share_out(pairs, ["ann", "bo"], CONFIG.voting.appeal_raters).values()
    } == {50}


def test_raters_meet_each_other() -> None:
    pairs = build_pairs({"a": rows(60), "b": rows(60)}, VotingConfig(), seed=0)
    six = ["ann", "bo", "cy", "di", "ed", "flo"]
    shares = share_out(pairs, six, 3)
    assert {len(share) for share in shares.values()} == {30}
    together = Counter(
        two for pair in pairs for two in combinations([rater for rater in six if pair in shares[rater]], 2)
    )
    assert set(together) == set(combinations(six, 2)) and min(together.values()) >= 4  # 12 on average


@pytest.mark.parametrize(("per_sheet", "columns"), [(1, 1), (4, 2), (12, 3)])
def test_a_sheet_has_left_on_the_left_and_the_prompt_only_where_it_is_told(
    tmp_path: Path, per_sheet: int, columns: int
) -> None:
    for name, colour in (("left", "red"), ("right", "blue")):
        Image.new("RGB", (40, 20), colour).save(tmp_path / f"{name}.png")
    pairs = [SheetPair(n, tmp_path / "left.png", tmp_path / "right.png") for n in range(1, per_sheet + 1)]
    sheet = np.asarray(draw_sheet(pairs, per_sheet))
    assert sheet.shape[1] == SHEET_WIDTH_PX
    row = sheet[-40]  # through the pictures of the last row
    red, blue = (np.flatnonzero((row == colour).all(1)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert len(red) == len(blue) > 0.85 * SHEET_WIDTH_PX / 2 and red[0] < blue[0] and red[-1] < blue[-1]
    assert int((np.diff(red) > 1).sum()) + 1 == columns
    told = [SheetPair(1, tmp_path / "left.png", tmp_path / "right.png", "a long prompt " * 90)]
    assert draw_sheet(told, per_sheet).height > draw_sheet(pairs[:1], per_sheet).height


def test_no_spreadsheet_takes_a_ballot_for_a_number() -> None:
    ids = [_ballot_id(f"ballot {number}") for number in range(5000)]
    assert len(set(ids)) == 5000 and {len(one) for one in ids} == {12}
    assert not [one for one in ids if re.fullmatch(r"\d+(e\d+)?", one)]


def test_no_spreadsheet_runs_a_prompt(poll: Poll, tmp_path: Path) -> None:
    table = poll.run.folder / "generate"
    for path in table.glob("*/manifest.parquet"):
        told = [row | {"prompt": f"-{row['prompt']}"} for row in read_table(path).to_pylist()]
        write_table(path, pa.Table.from_pylist(told, IMAGES_SCHEMA))
    poll.hand_out(tmp_path / "out", FIVE[:1], per_sheet=PER_SHEET)
    prompts = [row["prompt"] for row in lines(tmp_path / "out" / "ann" / "text_faithfulness.csv")]
    assert sum(prompt.startswith("'-prompt") for prompt in prompts) >= NUM_PAIRS
    assert not [prompt for prompt in prompts if prompt.startswith("-")]
