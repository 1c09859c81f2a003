"""`photogenic copies` over a small haystack, with a model that has learnt nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import tiny

from photogenic.cli import app
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.models.checkpoint import save_pipeline

RECIPE = """
name: pretraining
pool: {sources: {stickers: haystack}}
pretrain:
  size_px: 64
  held_out_ratio: 0.3
  clip: {loop: {max_steps: 1, batch_size: 1}}
  autoencoder: {loop: {max_steps: 1, batch_size: 1}}
  diffusion: {loop: {max_steps: 1, batch_size: 1}}
"""


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copies")
    write_haystack(folder / "haystack", DEMO_SOURCES, num_samples=60, workers=1)
    save_pipeline(tiny.emu(), folder / "model")
    (folder / "pretraining.yaml").write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call("pool", "pretraining.yaml").exit_code == 0
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


LOOK = ("copies", "pretraining.yaml", "--model", "model", "--names", "6", "-n", "2")


def test_the_report_holds_drawings_against_training_and_held_out_pictures(here: Path) -> None:
    done = call(*LOOK)
    assert done.exit_code == 0, done.output
    assert "of 12 drawings are near-copies of a training picture" in done.output.replace("\n", " ")
    folder = here / "runs" / "pretraining" / "copies"
    told = json.loads((folder / "copies.json").read_text(encoding="utf-8"))
    assert told["num_names"] == 6 and told["groups"]["drawn"]["num"] == 12
    assert told["num_training"] > told["num_held_out"] > 5
    assert list(told["rulers"]) == ["clip", "pixels"] and "emu-tiny CLIP" in told["rulers"]["clip"]["words"]
    assert told["groups"]["drawn"]["near_copies"]["mean"] == 0.0  # it draws noise
    for ruler in told["rulers"].values():
        odds = ruler["nearer_to_training"]
        assert 0 <= odds["by_chance"][0] < odds["by_chance"][1] <= 1 and 0 <= odds["of_all"] <= 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "The nearest of all, by emu-tiny CLIP" in page and page.count('alt="drawn: ') == 2 * 12 + 12

    drawn = sorted((folder / "generate" / "base").glob("*-*.png"))
    before = [path.stat().st_mtime_ns for path in drawn], (folder / "copies.json").read_bytes()
    assert len(drawn) == 12
    again = call("copies", "runs/pretraining", *LOOK[2:])
    assert again.exit_code == 0, again.output
    assert ([path.stat().st_mtime_ns for path in drawn], (folder / "copies.json").read_bytes()) == before
    assert (folder / "report.html").read_text(encoding="utf-8") == page


def test_without_a_clip_that_fits_pixels_and_hashes_serve(here: Path) -> None:
    done = call(*LOOK, "--clip", "no-such-clip", "--run", "runs/pretraining")
    assert done.exit_code == 0, done.output
    folder = here / "runs" / "pretraining" / "copies"
    assert list(json.loads((folder / "copies.json").read_text())["rulers"]) == ["pixels"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Near-copies are told by hashes, and distances by pixels alone: There is no model" in page


def test_what_cannot_be_compared_is_refused(here: Path) -> None:
    (here / "ready.yaml").write_text("name: ready\npretrain: {weights: model}\n", encoding="utf-8")
    done = call("copies", "ready.yaml")
    assert done.exit_code and "trains no base model" in done.output
    done = call(*LOOK, "--set", "pretrain.held_out_ratio=0.000001")
    assert done.exit_code and "none is held out" in done.output
    done = call(*LOOK, "--run", "runs/other")
    assert done.exit_code and "has no indexed pool" in done.output
