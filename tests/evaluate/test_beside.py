"""The pages of the measures and of the raters lead to each other, and neither claims what is the other's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from photogenic.core.run import Run
from photogenic.evaluate.automatic import evaluate
from photogenic.evaluate.beside import mention_votes, note_counted, note_pictures, said_by_raters
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.verdict_report import write_verdict

from .conftest import draw_model, draw_pale, shape
from .raters_of_known_strength import cast
from .test_verdict_report import page_text

CONFIG = EvaluateConfig(clip=None, num_shown=1)


@pytest.fixture
def measured(run: Run) -> Run:
    draw_model(run, "base", draw_pale, num_prompts=2)
    draw_model(run, "tuned", shape, num_prompts=2)
    evaluate(CONFIG, run, seed=0)
    return run


def count_votes(run: Run, kind: str = "person") -> Path:
    page = write_verdict(run.folder / "evaluate", judge(cast({"base": 0.0, "tuned": 3.0}, kind=kind)))
    note_pictures(run.folder / "evaluate" / "voting", run.folder)
    note_counted(run.folder / "evaluate" / "voting", run.folder)
    mention_votes(run.folder)
    return page


def links(page: Path) -> list[str]:
    return re.findall(r'href="([^"]+)"', page.read_text(encoding="utf-8"))


def test_each_page_leads_to_the_other_once_votes_are_counted(measured: Run) -> None:
    report = measured.folder / "evaluate" / "report.html"
    assert said_by_raters(measured.folder) is None and links(report) == []
    verdict = count_votes(measured)
    assert links(report) == ["verdict.html"] and links(verdict) == ["report.html"]
    text = page_text(report)
    assert text.startswith("What the measures say 5 people have judged these pictures.")
    assert "Visual appeal, tuned against base: people prefer tuned" in text
    assert "No person has judged" not in text
    evaluate(CONFIG, measured, seed=0)  # measured once more, the votes are not forgotten
    assert page_text(report) == text
    count_votes(measured)
    assert page_text(report) == text


def test_models_that_voted_are_no_people(measured: Run) -> None:
    count_votes(measured, kind="model")
    text = page_text(measured.folder / "evaluate" / "report.html")
    assert "No person has judged these pictures. 5 models voted on these pictures." in text
    assert "models that voted prefer tuned" in text


def test_votes_on_earlier_pictures_are_told_from_votes_on_these(measured: Run) -> None:
    count_votes(measured)
    picture = next((measured.folder / "generate" / "tuned").glob("*.png"))
    Image.new("RGB", (64, 64), "white").save(picture)
    evaluate(CONFIG, measured, seed=0)
    text = page_text(measured.folder / "evaluate" / "report.html")
    assert "5 people have judged earlier pictures of this run, not these." in text
    said = said_by_raters(measured.folder)
    assert said is not None and not said.is_of_these


def test_without_a_page_of_measures_there_is_no_link(tmp_path: Path) -> None:
    page = write_verdict(tmp_path, judge(cast({"base": 0.0, "tuned": 1.0}, num_prompts=3)))
    assert links(page) == []
    mention_votes(tmp_path)  # nothing to say it in
