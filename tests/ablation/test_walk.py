"""Three variants of a tiny tuning, compared: from a run that has its needles to the table."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import tiny

from photogenic.ablation.choose import choose
from photogenic.ablation.config import Ablations, Chosen
from photogenic.cli import app
from photogenic.core.config import load_config
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.models.checkpoint import save_pipeline
from photogenic.recipe import load_recipe

RECIPE = """
name: road
pool: {sources: {stickers: haystack}}
curate:
  domain: stickers
  steps:
    size: {min_side_px: 100}
    appeal: {min_quantile: 0.3}
review: {num_needles: 12}
pretrain: {weights: base}
tune:
  fit: pad
  num_validation: 2
  loop: {max_steps: 4, batch_size: 4, checkpoint_every: 2, log_every: 1}
  gate: {num_images: 2, num_inference_steps: 2}
generate: {prompts: [a red apple, a cat, a house], num_images_per_prompt: 1, num_inference_steps: 2}
evaluate: {clip: null, num_resamples: 200}
"""
ABLATIONS = """
name: ablations
recipe: road.yaml
variants:
  needles-8: {pictures: {num: 8}}
  random-8: {pictures: {take: random, num: 8}}
  no-offset: {pictures: {take: worst, num: 8}, set: [tune.loss.noise_offset=0]}
"""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    write_haystack(folder / "haystack", DEMO_SOURCES, num_samples=60, workers=1)
    save_pipeline(tiny.emu(), folder / "base")
    (folder / "road.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "ablations.yaml").write_text(ABLATIONS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("pool", "curate", "review"):
            assert CliRunner().invoke(app, [command, "road.yaml", "--workers", "1"]).exit_code == 0
        done = CliRunner().invoke(app, ["ablate", "ablations.yaml", "--workers", "1"])
        assert done.exit_code == 0, done.output
    return folder


def ids(folder: Path, variant: str) -> set[str]:
    path = folder / "runs" / "ablations" / variant / "review" / "needles.parquet"
    return set(read_table(path)["sample_id"].to_pylist())


def test_every_variant_is_tuned_on_its_own_pictures(walked: Path) -> None:
    needles = read_table(walked / "runs" / "road" / "review" / "needles.parquet")
    assert ids(walked, "needles-8") < set(needles["sample_id"].to_pylist())
    chosen = {name: ids(walked, name) for name in ("needles-8", "random-8", "no-offset")}
    assert all(len(one) == 8 for one in chosen.values())
    assert not chosen["needles-8"] & chosen["no-offset"]


def test_the_worst_are_those_that_measured_least(walked: Path) -> None:
    table = choose(Chosen(take="worst", num=3), "appeal_score", Run(walked / "runs" / "road"), 0)
    scores: dict[str, float] = {}
    for path in (walked / "runs" / "road" / "curate" / "scores").rglob("*.parquet"):
        columns = read_table(path)
        if "appeal_score" in columns.column_names:
            pairs = zip(columns["sample_id"].to_pylist(), columns["appeal_score"].to_pylist(), strict=True)
            scores |= {sample_id: score for sample_id, score in pairs if score is not None}
    worst = sorted(scores, key=lambda one: (scores[one], one))[:3]
    assert table["sample_id"].to_pylist() == worst


def test_the_table_has_differences_with_intervals(walked: Path) -> None:
    run = walked / "runs" / "ablations"
    table = json.loads((run / "table.json").read_text())
    assert [row["variant"] for row in table["rows"]] == ["needles-8", "random-8", "no-offset"]
    for row in table["rows"]:
        appeal = row["against_base"]["appeal_score"]
        assert appeal["low"] <= appeal["mean"] <= appeal["high"]
        assert appeal["num_prompts"] == 3
    assert "appeal_score" not in table["rows"][0]["against_reference"]  # it is the reference itself
    assert "appeal_score" in table["rows"][1]["against_reference"]
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "No person has judged these pictures." in html and "tune.loss.noise_offset=0" in html


def test_again_nothing_is_tuned_anew(walked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(walked)
    weights = walked / "runs" / "ablations" / "random-8" / "tune" / "model" / "model_index.json"
    before = weights.stat().st_mtime_ns
    assert CliRunner().invoke(app, ["ablate", "ablations.yaml", "--workers", "1"]).exit_code == 0
    assert weights.stat().st_mtime_ns == before


def test_writers_captions_travel_along(walked: Path) -> None:
    with (walked / "runs" / "ablations" / "needles-8" / "decisions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["caption"] for row in rows} == {""}  # nobody wrote one: the alt text serves
    assert {row["decided_by"] for row in rows} == {"ablation: needles"}


def test_more_than_there_are_is_refused(walked: Path) -> None:
    with pytest.raises(RunError, match="1000 pictures are asked for"):
        choose(Chosen(take="random", num=1000), "appeal_score", Run(walked / "runs" / "road"), 0)


def test_the_file_that_comes_along_varies_a_recipe_that_comes_along() -> None:
    root = Path(__file__).parents[2]
    config = load_config(root / "recipes" / "ablations.yaml", Ablations, ())
    for variant in config.variants.values():
        load_recipe(root / config.recipe, variant.set)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a: {set: [curate.steps.size.min_side_px=1]}", "begin with `tune.`"),
        ("base: {}", "cannot name a variant"),
        ("a: {pictures: {take: best}}", "needles"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nrecipe: road.yaml\nvariants:\n  {line}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence):
        load_config(path, Ablations, ())
