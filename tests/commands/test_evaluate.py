"""`photogenic evaluate` on folders made elsewhere: ballots go out, answers come back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from photogenic.cli import app
from photogenic.commands.evaluate import PORT
from photogenic.evaluate.votes import read_votes
from photogenic.web import serve as serving

PROMPTS = [f"prompt {number}" for number in range(20)]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for shade, name in ((90, "ours"), (160, "theirs")):
        Path(name).mkdir()
        for number in range(len(PROMPTS)):
            Image.new("RGB", (40, 40), (shade, 9 * number, 50)).save(f"{name}/{number:03d}.png")
    Path("prompts.txt").write_text("\n".join(PROMPTS))
    return tmp_path


def call(*arguments: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == (2 if fails else 0), result.output
    return result.output


def answer_left(folder: Path) -> None:
    for path in folder.glob("*/*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row | {"answer": "left"} for row in rows)


def test_ballots_of_two_folders_become_votes(folders: Path) -> None:
    told = call(
        *("ours", "theirs", "--prompts", "prompts.txt", "--ballots", "out", "--rater-kind", "model"),
        *("--rater", "ann", "--rater", "bo", "--set", "evaluate.voting.max_pairs=10"),
    )
    # Two raters, two questions: 10 pairs each, with one attention check; 5 % of 10 pairs round to no repeat.
    assert "44 ballots for 2 raters: out" in told and "judged/evaluate/voting/ballots.parquet" in told
    answer_left(Path("out"))
    Path("ours").rename("elsewhere")  # the run folder has all that is needed
    told = call("judged", "--answers", "out")
    assert "44 answers, 0 ballots without one." in told
    assert "Visual appeal, theirs against ours: models that voted" in told
    assert "The verdict: judged/evaluate/verdict.html" in told
    votes = read_votes(Path("judged/evaluate/voting/votes.parquet"))
    assert len(votes) == 44 and {(vote.answer, vote.rater_kind) for vote in votes} == {("left", "model")}
    assert 'href="verdict.html"' in Path("judged/evaluate/report.html").read_text()
    assert 'href="report.html"' in Path("judged/evaluate/verdict.html").read_text()
    # As in a run whose story has been told already: it is told again, with the votes.
    Path("judged/recipe.resolved.yaml").write_text("name: own\n")
    Path("judged/report.html").write_text("told before")
    assert call("judged", "--finish").splitlines()[-1] == told.splitlines()[-1]
    assert 'href="evaluate/verdict.html"' in Path("judged/report.html").read_text()
    assert "2 models voted on these pictures." in Path("judged/evaluate/report.html").read_text()
    # Drawn anew after the vote: counted once more, the votes are not about what is there now.
    for picture in Path("judged/generate/theirs").glob("*.png"):
        picture.unlink()
        Image.new("RGB", (40, 40), "white").save(picture)
    assert call("judged", "--finish").splitlines()[-1] == told.splitlines()[-1]
    report = Path("judged/evaluate/report.html").read_text()
    assert "2 models voted on earlier pictures of this run, not these." in report


def test_mistakes_are_said(folders: Path) -> None:
    named = ("ours", "theirs", "--prompts", "prompts.txt", "--ballots", "out")
    assert "Nobody is named" in call(*named, fails=True)
    assert "robot" in call(*named, "--rater", "ann", "--rater-kind", "robot", fails=True)
    assert "max_pairs" in call(*named, "--rater", "ann", "--set", "evaluate.voting.max_pair=10", fails=True)
    assert "There are no answers" in call("judged", "--answers", "nowhere", fails=True)


def test_the_vote_is_served_on_the_same_port_at_every_start(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(serving, "serve", lambda *_, **where: asked.append(where))
    call("ours", "theirs", "--prompts", "prompts.txt")
    call("judged", "--port", "9000")
    assert "votes.jsonl: " in call("judged", "--backup", "votes.jsonl")  # serves nothing
    Path("judged/evaluate/voting/votes.sqlite").rename("lost.sqlite")
    assert " rows from votes.jsonl" in call("judged", "--restore", "votes.jsonl")
    assert "not empty" in call("judged", "--restore", "votes.jsonl", fails=True)
    assert [(where["port"], where["usual_port"]) for where in asked] == [(None, PORT), (9000, PORT)]
