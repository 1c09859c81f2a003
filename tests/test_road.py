"""Stages are skipped when done, and done again when anything that could change them has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from photogenic.core.errors import PhotogenicError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import file_fingerprint, fingerprint, read_json, read_table, write_table
from photogenic.core.weights import PACKAGED
from photogenic.evaluate.config import EvaluateConfig
from photogenic.recipe import load_recipe
from photogenic.road import STAGES, Road, run_lock
from photogenic.train.config import TuneConfig

RECIPE = """
name: little
pool: {{sources: {{mine: {photos}}}}}
curate:
  steps:
    size: {{min_side_px: 40}}
    aspect: {{max_ratio: 2}}
review: {{num_needles: 3}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe over six pictures, of which one is too small and one too long."""
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for index, size in enumerate([(64, 64), (64, 48), (48, 64), (20, 20), (200, 50), (80, 80)]):
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{index}.png")
        (photos / f"{index}.txt").write_text(f"picture {index}", encoding="utf-8")
    path = tmp_path / "little.yaml"
    path.write_text(RECIPE.format(photos=photos), encoding="utf-8")
    return path


def road(recipe: Path, *overrides: str) -> Road:
    return Road(load_recipe(recipe, overrides), Run(recipe.parent / "run"))


def states(road: Road) -> list[str]:
    return [road.state(stage.name) for stage in road.stages()]


def test_the_road_is_walked_once(recipe: Path) -> None:
    assert states(road(recipe)) == ["not begun"] * 3
    assert road(recipe).travel()
    assert states(road(recipe)) == ["done"] * 3
    run = recipe.parent / "run"
    assert read_table(run / "curate" / "candidates.parquet").num_rows == 4
    assert read_table(run / "review" / "needles.parquet").num_rows == 3
    written = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    assert not road(recipe).travel()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")} == written


def test_the_report_tells_the_counts(recipe: Path) -> None:
    road(recipe).travel()
    html = (recipe.parent / "run" / "report.html").read_text(encoding="utf-8")
    assert "6 pictures went in, 4 came" in " ".join(html.split())
    assert "No person looked" in html


def test_a_change_redoes_what_follows_and_nothing_else(recipe: Path) -> None:
    road(recipe).travel()
    assert states(road(recipe, "review.num_needles=2")) == ["done", "done", "out of date"]
    assert states(road(recipe, "curate.steps.size.min_side_px=10")) == ["done", "out of date", "out of date"]
    assert states(road(recipe, "seed=1"))[:2] == ["done", "done"]
    assert states(road(recipe, "name=other")) == ["done", "done", "done"]
    road(recipe, "curate.steps.size.min_side_px=10").travel()
    assert read_table(recipe.parent / "run" / "curate" / "candidates.parquet").num_rows == 5


OF_TRANSFORMERS = ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json")
OF_OURS = ("clip.json", "clip-image.onnx", "clip-text.onnx", "tokenizer/tokenizer.json")
BESIDE_OURS = ("README.md", "unet/config.json", "unet/diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize(
    ("read", "beside"),
    [
        ((*OF_TRANSFORMERS, "onnx/text_model.onnx"), ("README.md", "pytorch_model.bin")),
        (OF_OURS, BESIDE_OURS),
    ],
)
@pytest.mark.parametrize("stage", ["tune", "evaluate"])
def test_a_clip_that_changes_redoes_what_it_measured(
    recipe: Path, stage: str, read: tuple[str, ...], beside: tuple[str, ...]
) -> None:
    """Whatever is read of it counts, and nothing else that lies in its folder."""
    folder = recipe.parent / "clip"
    for name in (*read, *beside):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("as it was", encoding="utf-8")
    before = inputs_with_clip(stage, str(folder), recipe)
    for name in read:
        (folder / name).write_text("another", encoding="utf-8")
        assert inputs_with_clip(stage, str(folder), recipe) != before, name
        (folder / name).write_text("as it was", encoding="utf-8")
    for name in beside:
        (folder / name).write_text("another", encoding="utf-8")
    assert inputs_with_clip(stage, str(folder), recipe) == before


@pytest.mark.parametrize("stage", ["tune", "evaluate"])
def test_a_packaged_clip_keeps_the_fingerprint_that_finished_runs_hold(recipe: Path, stage: str) -> None:
    files = [PACKAGED / "emu-tiny" / name for name in ("clip-image.onnx", "clip-text.onnx", "clip.json")]
    held = fingerprint([[file.name, file.stat().st_size, file_fingerprint(file)] for file in files])
    assert inputs_with_clip(stage, "emu-tiny", recipe) == [0, held]
    assert inputs_with_clip(stage, "no-such-clip", recipe) == [0, None]


def inputs_with_clip(stage: str, clip: str, recipe: Path) -> object:
    """What the stage takes from outside where its section names this CLIP."""
    sections = {
        "tune": TuneConfig.model_validate({"loop": {"max_steps": 1}, "gate": {"clip_model": clip}}),
        "evaluate": EvaluateConfig(clip=clip),
    }
    return STAGES[stage].inputs(sections[stage], road(recipe))


def test_the_order_of_steps_counts(recipe: Path) -> None:
    before = road(recipe).key("curate")
    text = recipe.read_text(encoding="utf-8")
    size, aspect = "    size: {min_side_px: 40}\n", "    aspect: {max_ratio: 2}\n"
    recipe.write_text(text.replace(size + aspect, aspect + size), encoding="utf-8")
    assert road(recipe).key("curate") != before


def test_a_changed_picture_redoes_all(recipe: Path) -> None:
    road(recipe).travel()
    Image.new("RGB", (70, 70), "red").save(recipe.parent / "photos" / "6.png")
    assert states(road(recipe)) == ["out of date"] * 3
    road(recipe).travel()
    assert read_table(recipe.parent / "run" / "curate" / "verdicts.parquet").num_rows == 7


def test_a_stage_that_fails_is_not_taken_for_done(recipe: Path) -> None:
    road(recipe).travel()
    with pytest.raises(PhotogenicError, match="no_such_score"):
        road(recipe, "review.by=no_such_score").travel()
    assert states(road(recipe)) == ["done", "done", "begun"]  # its old marker no longer vouches for it
    road(recipe).travel()
    assert states(road(recipe)) == ["done"] * 3


def test_failed_pictures_are_tried_again(recipe: Path) -> None:
    road(recipe).travel()
    path = recipe.parent / "run" / "curate" / "verdicts.parquet"
    verdicts = read_table(path)
    failed = pa.array(["failed", *verdicts["verdict"].to_pylist()[1:]])
    write_table(path, verdicts.set_column(verdicts.schema.get_field_index("verdict"), "verdict", failed))
    assert states(road(recipe)) == ["done", "done but for failures", "out of date"]
    road(recipe).travel()
    assert states(road(recipe)) == ["done"] * 3
    assert read_table(path) == verdicts


def fail_the_first(run: Path) -> None:
    """As if the storage had not answered for one picture: no score of it, and its verdict `failed`."""
    path = run / "curate" / "verdicts.parquet"
    verdicts = read_table(path)
    failed = pa.array(["failed", *verdicts["verdict"].to_pylist()[1:]])
    write_table(path, verdicts.set_column(verdicts.schema.get_field_index("verdict"), "verdict", failed))
    for scores in (run / "curate" / "scores").glob("*/00000.parquet"):
        write_table(scores, read_table(scores).slice(1))


def test_retry_failed_does_what_failed_and_nothing_else(recipe: Path) -> None:
    with pytest.raises(RunError, match="`pool` is not begun"):
        road(recipe).retry_failed()
    road(recipe).travel()
    assert not road(recipe).retry_failed()
    run = recipe.parent / "run"
    verdicts = read_table(run / "curate" / "verdicts.parquet")
    manifest = (run / "pool" / "manifest" / "00000.parquet").stat().st_mtime_ns
    fail_the_first(run)
    before = read_json(run / "curate" / "scores" / "times.json")
    assert road(recipe).retry_failed()
    after = read_json(run / "curate" / "scores" / "times.json")
    assert {name: after[name]["num"] - before[name]["num"] for name in after} == {"read": 1, "pixel": 1}
    assert read_table(run / "curate" / "verdicts.parquet") == verdicts
    assert (run / "pool" / "manifest" / "00000.parquet").stat().st_mtime_ns == manifest
    fail_the_first(run)
    Image.new("RGB", (70, 70), "red").save(recipe.parent / "photos" / "6.png")
    with pytest.raises(RunError, match="`pool` is out of date"):
        road(recipe).retry_failed()


def test_slices_and_a_last_walk(recipe: Path) -> None:
    with pytest.raises(RunError, match="no indexed pool"):
        road(recipe).score_slice("1/2")
    road(recipe).only("pool")
    run = recipe.parent / "run"
    with run_lock(run, shared=True):  # the other slice at work
        road(recipe).score_slice("1/2")
        with pytest.raises(RunError, match="of a slice"):
            road(recipe).travel()
    road(recipe).score_slice("2/2")
    assert not (run / "curate" / "scores").exists()
    road(recipe).travel()
    assert not (run / "curate" / "scores" / "times.json").exists()  # nothing was left to score
    assert read_table(run / "curate" / "candidates.parquet").num_rows == 4


def test_a_single_stage_says_what_it_lacks(recipe: Path) -> None:
    with pytest.raises(RunError) as caught:
        road(recipe).only("review")
    assert "`pool` and `curate`" in caught.value.what and "`not begun`" in caught.value.what
    assert "photogenic pool RECIPE" in caught.value.fix
    for name in ("pool", "curate", "review"):
        assert road(recipe).only(name)
    assert not road(recipe).only("review")


def test_a_run_among_the_pictures_is_refused_and_leaves_nothing_there(recipe: Path) -> None:
    inside = recipe.parent / "photos" / "runs" / "little"
    walk = Road(load_recipe(recipe), Run(inside))
    for begin in (walk.travel, lambda: walk.only("pool")):
        with pytest.raises(RunError, match="lies inside the pool's source 'mine'"):
            begin()
    assert not inside.parent.exists()


def test_another_recipe_s_run_is_not_overwritten(recipe: Path) -> None:
    road(recipe).travel()
    candidates = (recipe.parent / "run" / "curate" / "candidates.parquet").read_bytes()
    other = road(recipe, "name=other", "curate.steps.size.min_side_px=70")
    for walk in (other.travel, lambda: other.only("pool")):
        with pytest.raises(RunError, match="another recipe, `little`; this one is `other`"):
            walk()
    assert states(road(recipe)) == ["done"] * 3
    assert (recipe.parent / "run" / "curate" / "candidates.parquet").read_bytes() == candidates


def test_one_process_at_a_time(recipe: Path) -> None:
    one = road(recipe)
    with run_lock(one.run.folder), pytest.raises(RunError, match=f"process {os.getpid()}"):
        road(recipe).travel()
    assert one.travel()


def test_nothing_heavy_is_imported_when_all_is_done(recipe: Path) -> None:
    road(recipe).travel()
    script = (
        "import sys; from pathlib import Path; from photogenic.core.run import Run;"
        "from photogenic.recipe import load_recipe; from photogenic.road import Road;"
        "fresh = Road(load_recipe(Path(sys.argv[1])), Run(Path(sys.argv[2]))).travel();"
        "heavy = {'torch', 'diffusers', 'transformers', 'onnxruntime', 'cv2'} & set(sys.modules);"
        "print(fresh, sorted(heavy))"
    )
    command = [sys.executable, "-c", script, str(recipe), str(recipe.parent / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False []"
