"""Three variants of a tiny tuning, compared: from a run that has its needles to the table."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import tiny

from photogenic.ablation.choose import Haystack, choose, write_decisions
from photogenic.ablation.config import Ablations, Chosen
from photogenic.ablation.seeing import signals_of
from photogenic.ablation.walk import Ablation
from photogenic.cli import app
from photogenic.core.config import load_config
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_json
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.models.checkpoint import save_pipeline
from photogenic.recipe import load_recipe
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review

RECIPE = """
name: road
pool: {sources: {stickers: haystack}}
curate:
  domain: stickers
  steps:
    held_out: {prompts: prompts.csv, challenge: held out}
    size: {min_side_px: 100}
    appeal: {min_quantile: 0.3}
review: {num_needles: 12}
pretrain: {weights: base}
tune:
  fit: pad
  num_validation: 2
  loop:
    max_steps: 4
    batch_size: 4
    checkpoint_every: 2
    log_every: 1
    optimizer: {learning_rate: 1.0e-2, warmup_steps: 1}
  gate: {num_images: 2, num_inference_steps: 2}
generate: {prompts: [a red apple, a cat, a house], num_images_per_prompt: 1, num_inference_steps: 2}
evaluate: {clip: null, num_resamples: 200}
"""
ABLATIONS = """
name: ablations
recipe: road.yaml
variants:
  needles-8: {pictures: {num: 8}, set: ["tune.ema.post_hoc={lengths: [0.1], every: 1}"]}
  random-8: {pictures: {take: random, num: 8}}
  no-offset: {pictures: {take: worst, num: 8}, set: [tune.loss.noise_offset=0]}
  attention-8: {pictures: {take: attention, num: 8}}
  step-2: {of: needles-8, step: 2}
  average: {of: needles-8, step: 4, ema_sigma_rel: 0.05}
questions:
  How many?: [base, needles-8]
  Which?: [needles-8, random-8, attention-8]
attention: {num_calibration: 10, num_sampled: 20}
"""
PROMPTS = "prompt,challenge\na red apple,may be chosen\nface,held out\n"
TUNED = ("needles-8", "random-8", "no-offset", "attention-8")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    write_haystack(folder / "haystack", DEMO_SOURCES, num_samples=60, workers=1)
    save_pipeline(tiny.emu(), folder / "base")
    (folder / "road.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "ablations.yaml").write_text(ABLATIONS, encoding="utf-8")
    (folder / "prompts.csv").write_text(PROMPTS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("pool", "curate", "review"):
            assert CliRunner().invoke(app, [command, "road.yaml", "--workers", "1"]).exit_code == 0
        done = CliRunner().invoke(app, ["ablate", "ablations.yaml", "--workers", "1"])
        assert done.exit_code == 0, done.output
    return folder


def haystack(folder: Path) -> Haystack:
    return Haystack(Run(folder / "runs" / "road"), None, "appeal_score", 0)


def denoiser(model: Path) -> dict[str, torch.Tensor]:
    weights = load_file(next((model / "unet").glob("*.safetensors")))
    return {name: weight.float() for name, weight in weights.items()}


def ids(folder: Path, variant: str) -> set[str]:
    path = folder / "runs" / "ablations" / variant / "review" / "needles.parquet"
    return set(read_table(path)["sample_id"].to_pylist())


def test_every_variant_is_tuned_on_its_own_pictures(walked: Path) -> None:
    needles = read_table(walked / "runs" / "road" / "review" / "needles.parquet")
    assert ids(walked, "needles-8") < set(needles["sample_id"].to_pylist())
    chosen = {name: ids(walked, name) for name in TUNED}
    assert all(len(one) == 8 for one in chosen.values())
    assert not chosen["needles-8"] & chosen["no-offset"]


def test_the_worst_are_those_that_measured_least(walked: Path) -> None:
    table = choose(Chosen(take="worst", num=3), haystack(walked))
    scores: dict[str, float] = {}
    for path in (walked / "runs" / "road" / "curate" / "scores").rglob("*.parquet"):
        columns = read_table(path)
        if "appeal_score" in columns.column_names:
            pairs = zip(columns["sample_id"].to_pylist(), columns["appeal_score"].to_pylist(), strict=True)
            scores |= {sample_id: score for sample_id, score in pairs if score is not None}
    worst = sorted(scores, key=lambda one: (scores[one], one))[:3]
    assert table["sample_id"].to_pylist() == worst


def test_captions_of_review_or_the_alternative_texts(walked: Path) -> None:
    whole = haystack(walked)
    needles = whole.needles
    captions = pa.array(["a caption of a writer"] * needles.num_rows)
    place = needles.column_names.index("caption")
    told = needles.set_column(place, "caption", captions)
    place = needles.column_names.index("caption_source")
    told = told.set_column(place, "caption_source", pa.array(["writer"] * needles.num_rows))
    vars(whole)["needles"] = told  # where it is kept once it was read
    assert set(choose(Chosen(num=3), whole)["caption"].to_pylist()) == {"a caption of a writer"}
    bare = choose(Chosen(num=3, captions="alt_text"), whole)
    assert set(bare["caption"].to_pylist()) == set(bare["caption_source"].to_pylist()) == {""}
    assert bare["sample_id"] == choose(Chosen(num=3), whole)["sample_id"]


def test_the_best_are_candidates_that_measured_most(walked: Path) -> None:
    whole = haystack(walked)
    table = choose(Chosen(take="best", num=3), whole)
    most = sorted(whole.candidates, key=lambda one: (-whole.measured[one], one))[:3]
    assert table["sample_id"].to_pylist() == most


def test_nothing_that_is_held_out_is_tuned_on(walked: Path) -> None:
    pool = read_table(walked / "runs" / "road" / "pool" / "manifest", ["sample_id", "alt_text"])
    texts = dict(zip(pool["sample_id"].to_pylist(), pool["alt_text"].to_pylist(), strict=True))
    named = {one for one, text in texts.items() if "face" in text.lower().replace(":", " ").split()}
    assert len(named) > 3  # so that a random choice of eight would most likely have shown one
    assert not named & set().union(*(ids(walked, name) for name in TUNED))
    assert named & set(haystack(walked).shuffled())  # it is the funnel's step that holds them out


def test_attention_ranks_the_candidates_without_the_needles(walked: Path) -> None:
    folder = walked / "runs" / "ablations" / "attention"
    scores = read_table(folder / "scores.parquet")
    of = dict(zip(scores["sample_id"].to_pylist(), scores["attention_score"].to_pylist(), strict=True))
    best = sorted(haystack(walked).candidates, key=lambda one: (-of[one], one))[:8]
    assert ids(walked, "attention-8") == set(best)
    told = json.loads((folder / "listener.json").read_text())
    assert 0 < len(told["signals"]) <= 16 and told["num_layers"] == 4
    found = json.loads((folder / "rankings.json").read_text())
    assert found["chosen_by"] == "score"
    field = found["fields"]["candidates"]
    assert field["num_needles"] == 12
    # The needles are the twelve best by appeal: the funnel's own score finds all, and the page says why.
    assert field["rankings"]["appeal_score"]["auc"]["value"] == 1.0
    assert field["rankings"]["appeal_score"]["first"][0] | {"interval": None} == {
        "k": 12,
        "hits": 12,
        "expected": pytest.approx(144 / field["num_pictures"]),
        "precision": 1.0,
        "interval": None,
    }
    html = (walked / "runs" / "ablations" / "report.html").read_text(encoding="utf-8")
    assert "No person chose these needles" in html


def test_a_pictures_signals_are_kept_and_do_not_depend_on_others(walked: Path, tmp_path: Path) -> None:
    config = load_config(walked / "ablations.yaml", Ablations, ()).attention
    run, base = Run(walked / "runs" / "road"), walked / "base"
    ids = haystack(walked).candidates[:3]
    kept = walked / "runs" / "ablations" / "attention" / "signals"
    files = {path: path.stat().st_mtime_ns for path in kept.rglob("*.npz")}
    together = signals_of(config, run, base, kept, ids, 0)
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.npz")} == files  # none was seen anew
    alone = signals_of(config, run, base, tmp_path, ids[1:2], 0)
    np.testing.assert_allclose(alone[ids[1]], together[ids[1]], rtol=1e-4, atol=1e-6)
    assert np.abs(together[ids[0]] - together[ids[1]]).max() > 1e-3


def test_models_of_another_variant_come_without_training(walked: Path) -> None:
    run = walked / "runs" / "ablations"
    assert not (run / "step-2" / "tune").exists() and not (run / "average" / "tune").exists()
    weights = {name: denoiser(run / name / "model") for name in ("step-2", "average")}
    start, stored = denoiser(walked / "base"), run / "needles-8" / "tune" / "checkpoints"
    name = "conv_out.bias"
    with safe_open(next(stored.glob("gate-*/averages/0000002-0.1.safetensors")), "pt") as file:
        scale = file.get_tensor("scales")[sorted(start).index(name)]
        moved = file.get_tensor(name).float() * scale
    rounding = 2e-3 * float(start[name].abs().max())  # the model is stored in half precision
    assert moved.abs().max() > 10 * rounding
    assert torch.allclose(weights["step-2"][name], start[name] + moved, atol=rounding)
    assert not torch.equal(weights["step-2"][name], weights["average"][name])


def test_encoded_pictures_are_shared(walked: Path) -> None:
    run = walked / "runs" / "ablations"
    assert len({(run / name / "tune" / "encoded").resolve() for name in TUNED}) == 1
    assert any((run / "encoded").glob("*.safetensors"))


def test_the_table_has_differences_with_intervals(walked: Path) -> None:
    run = walked / "runs" / "ablations"
    table = json.loads((run / "table.json").read_text())
    assert [row["variant"] for row in table["rows"]] == [*TUNED, "step-2", "average"]
    for row in table["rows"]:
        appeal = row["against_base"]["appeal_score"]
        assert appeal["low"] <= appeal["mean"] <= appeal["high"]
        assert appeal["num_prompts"] == 3
    assert "appeal_score" not in table["rows"][0]["against_reference"]  # it is the reference itself
    assert "appeal_score" in table["rows"][1]["against_reference"]
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "No person has judged these pictures." in html and "tune.loss.noise_offset=0" in html
    for row in table["rows"]:
        copies = row["own_copies"]
        assert 0 <= copies["low"] <= copies["mean"] <= copies["high"] <= 1 and copies["num_drawn"] == 3
        assert 0 <= copies["base"]["mean"] <= 1
    assert "of its own pictures" in html and "There are no needles in this run" not in html
    steps = {row["variant"]: row["global_step"] for row in table["rows"]}
    assert steps["step-2"] == 2 and steps["average"] == 4
    assert steps["random-8"] == table["rows"][1]["chosen_step"]  # by its own gate: `at` is not set


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


def test_captions_of_a_model_travel_along_as_such(walked: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "road")
    shutil.copytree(walked / "runs" / "road", run.folder, dirs_exist_ok=True)
    path = run.folder / "review" / "needles.parquet"
    needles = read_table(path)
    written = needles.slice(0, 1)
    for name, value in (("caption", "a red apple on white"), ("caption_source", "model")):
        index = written.schema.get_field_index(name)
        written = written.set_column(index, name, pa.array([value], written.schema.field(name).type))
    pq.write_table(pa.concat_tables([written, needles.slice(1)]), path)
    table = choose(Chosen(), Haystack(run, None, "appeal_score", 0))
    [said] = [row for row in table.to_pylist() if row["caption"]]
    assert said == {
        "sample_id": written["sample_id"][0].as_py(),
        "caption": "a red apple on white",
        "caption_source": "model",
    }
    write_decisions(tmp_path / "decisions.csv", table, "ablation: needles")
    with (tmp_path / "decisions.csv").open(encoding="utf-8") as file:
        assert {row["caption_source"] for row in csv.DictReader(file)} == {"", "model"}
    review(ReviewConfig(decisions=tmp_path / "decisions.csv"), run, seed=0)  # as the variant's own road does
    tuned_on = {row["sample_id"]: row for row in read_table(path).to_pylist()}
    assert {(row["caption_source"], one == said["sample_id"]) for one, row in tuned_on.items()} == {
        ("model", True),
        ("alt_text", False),
    }
    assert tuned_on[said["sample_id"]]["caption"] == "a red apple on white"


def test_a_column_that_was_not_measured_is_told_before_anything_is_tuned(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(walked)
    config = load_config(walked / "ablations.yaml", Ablations, ("by=beauty",))
    with pytest.raises(RunError, match="No step of the funnel has measured `beauty`"):
        Ablation(config, Run(tmp_path)).walk()
    assert not list(tmp_path.iterdir())


def test_more_than_there_are_is_refused(walked: Path) -> None:
    with pytest.raises(RunError, match="1000 pictures are asked for"):
        choose(Chosen(take="random", num=1000), haystack(walked))


@pytest.mark.parametrize(
    ("at", "reference_kept", "steps"),
    [
        ("gate", 40, {"a": 40, "b": 20, "c": 10, "d": 20}),
        ("reference", 40, {"a": 40, "b": 40, "c": 10, "d": 40}),
        ("reference", 0, {"a": 0, "b": 20, "c": 10, "d": 20}),  # it kept its base: each by its own gate
    ],
)
def test_after_how_many_steps_each_is_taken(
    at: str, reference_kept: int, steps: dict[str, int], tmp_path: Path
) -> None:
    config = Ablations.model_validate(
        {
            "name": "x",
            "recipe": "road.yaml",
            "at": at,
            "variants": {
                "a": {},
                "b": {},
                "c": {"of": "b", "step": 10},
                "d": {"of": "b", "ema_sigma_rel": 0.2},
            },
        }
    )
    for name, kept in (("a", reference_kept), ("b", 20)):
        write_json(tmp_path / name / "tune" / "gate.json", {"chosen_step": kept})
    ablation = Ablation(config, Run(tmp_path))
    assert {name: ablation.step_of(name) for name in config.variants} == steps


def test_a_part_of_the_file_can_be_run() -> None:
    root = Path(__file__).parents[2]
    config = load_config(root / "recipes" / "ablations.yaml", Ablations, ())
    part = config.only(("needles-300", "random-300"))
    assert list(part.variants) == ["needles-300", "random-300"]
    assert part.questions["Which pictures?"] == ("needles-300", "random-300")
    with pytest.raises(ValueError, match="'needles-300' has to be among them"):
        config.only(("step-40",))
    with pytest.raises(ValueError, match="'neddles' is no variant"):
        config.only(("neddles",))


def test_the_file_that_comes_along_varies_a_recipe_that_comes_along() -> None:
    root = Path(__file__).parents[2]
    config = load_config(root / "recipes" / "ablations.yaml", Ablations, ())
    for variant in config.variants.values():
        load_recipe(root / config.recipe, (*config.set, *variant.set))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a: {set: [curate.steps.size.min_side_px=1]}", "begin with `tune.`"),
        ("base: {}", "cannot name a variant"),
        ("a: {pictures: {take: finest}}", "needles"),
        ("a: {step: 3}", "give `of`"),
        ("a: {}\n  b: {of: a, set: [tune.loss.noise_offset=0]}", "is not tuned"),
        ("a: {}\n  b: {of: c, step: 3}", "no variant that is tuned"),
        ("a: {}\nquestions: {why: [a, c]}", "no variant"),
        ("a: {}\nset: [pretrain.weights=other]", "begin with tune., generate., evaluate."),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nrecipe: road.yaml\nvariants:\n  {line}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence):
        load_config(path, Ablations, ())
