"""The stage with real models: what it writes, what it does not draw again, and what it takes away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.generate.batch import generate
from photogenic.generate.config import GenerateConfig
from photogenic.generate.on_demand import find_model, generate_from_command
from photogenic.generate.pictures import read_parameters

PROMPTS = ("red apple", "a cat, with a hat", "red apple")
CONFIG = GenerateConfig(prompts=PROMPTS, num_images_per_prompt=2, num_inference_steps=2, device="cpu")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[dict[str, Any]]:
    table = read_table(folder / "manifest.parquet")
    assert table.schema == IMAGES_SCHEMA
    return list(table.to_pylist())


@pytest.fixture
def done(tmp_path: Path, weights: dict[str, Path]) -> Run:
    run = Run(tmp_path / "run")
    generate(CONFIG, run, models=weights, seed=3)
    return run


def test_every_model_draws_the_same_prompts_from_the_same_seeds(done: Run) -> None:
    base, tuned = (rows(done.folder / "generate" / name) for name in ("base", "tuned"))
    assert len(base) == len(tuned) == 6
    for row in base:
        assert row["model"] == "base" and row["image_id"] == f"base/{Path(row['file']).stem}"
        assert (row["width_px"], row["height_px"]) == (32, 32)
        with Image.open(done.folder / "generate" / "base" / row["file"]) as image:
            assert image.size == (32, 32) and image.mode == "RGB"
    same = ("prompt_id", "prompt", "seed", "file", "guidance_scale", "num_inference_steps")
    assert [[row[name] for name in same] for row in base] == [[row[name] for name in same] for row in tuned]
    assert len({row["seed"] for row in base}) == 6 and len({row["prompt_id"] for row in base}) == 3
    first = base[0]["file"]
    pictures = [np.asarray(Image.open(done.folder / "generate" / name / first)) for name in ("base", "tuned")]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 1
    assert (done.folder / "generate" / "base" / "grid.png").exists()


def test_a_second_time_nothing_is_drawn_and_nothing_differs(done: Run, weights: dict[str, Path]) -> None:
    folder = done.folder / "generate"
    before = contents(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*/*-*.png")}
    generate(CONFIG, done, models=weights, seed=3)
    assert contents(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*-*.png")} == times


def test_missing_and_broken_pictures_come_back_to_the_bit(done: Run, weights: dict[str, Path]) -> None:
    folder = done.folder / "generate"
    before = contents(folder)
    pictures = sorted(folder.glob("base/*-*.png"))
    pictures[0].unlink()
    os.truncate(pictures[3], 200)
    (folder / "base" / ".red-apple.png.123.tmp").write_bytes(b"left behind by a kill")
    untouched = pictures[1].stat().st_mtime_ns
    generate(CONFIG, done, models=weights, seed=3)
    assert contents(folder) == before
    assert pictures[1].stat().st_mtime_ns == untouched


def test_a_picture_alone_is_the_picture_among_others(
    done: Run, weights: dict[str, Path], tmp_path: Path
) -> None:
    row = rows(done.folder / "generate" / "base")[3]
    generate_from_command(
        str(weights["base"]), [row["prompt"]], 1, row["seed"], tmp_path / "one", num_inference_steps=2
    )
    alone = tmp_path / "one" / "base" / row["file"]
    together = done.folder / "generate" / "base" / row["file"]
    np.testing.assert_array_equal(np.asarray(Image.open(alone)), np.asarray(Image.open(together)))


def test_other_prompts_take_the_place_of_the_old(done: Run, weights: dict[str, Path]) -> None:
    folder = done.folder / "generate" / "base"
    kept = rows(folder)[0]["file"]
    before = (folder / kept).stat().st_mtime_ns
    config = CONFIG.model_copy(update={"prompts": ("a dog", "red apple")})
    generate(config, done, models={"base": weights["base"]}, seed=3)
    files = [row["file"] for row in rows(folder)]
    assert {path.name for path in folder.glob("*.png")} == {*files, "grid.png"}
    assert kept in files and (folder / kept).stat().st_mtime_ns == before
    assert not (done.folder / "generate" / "tuned" / "manifest.parquet").exists()


def test_changed_settings_or_weights_draw_again(done: Run, weights: dict[str, Path], tmp_path: Path) -> None:
    folder = done.folder / "generate" / "base"
    before = contents(folder)
    generate(CONFIG.model_copy(update={"guidance_scale": 7.0}), done, models=weights, seed=3)
    assert all(contents(folder)[name] != content for name, content in before.items())
    generate(CONFIG, done, models={"base": weights["tuned"]}, seed=3)
    told = read_parameters(folder / rows(folder)[0]["file"])
    tuned_told = read_parameters(done.folder / "generate" / "tuned" / rows(folder)[0]["file"])
    assert told is not None and tuned_told is not None and told["weights"] == tuned_told["weights"]


def test_models_named_in_the_recipe_are_drawn_instead(tmp_path: Path, weights: dict[str, Path]) -> None:
    run = Run(tmp_path / "run")
    config = CONFIG.model_copy(update={"prompts": ("a cat",), "models": {"mine": str(weights["tuned"])}})
    generate(config, run, models={"base": weights["base"]}, seed=0)
    assert [path.name for path in sorted((run.folder / "generate").iterdir())] == ["mine"]
    missing = config.model_copy(update={"models": {"mine": str(tmp_path / "absent")}})
    with pytest.raises(MissingModelError):
        generate(missing, run, models={}, seed=0)


def test_categories_reach_the_manifest(tmp_path: Path, weights: dict[str, Path]) -> None:
    path = tmp_path / "parti.tsv"
    path.write_text("Prompt\tCategory\tChallenge\tNote\nbond\tAbstract\tBasic\t\n")
    out = tmp_path / "out" / "base"
    grid = generate_from_command(str(weights["base"]), path, 1, 0, out.parent, num_inference_steps=1)
    assert grid == out / "grid.png" and grid.exists()
    assert [(row["category"], row["challenge"]) for row in rows(out)] == [("Abstract", "Basic")]


def test_the_command_counts_seeds_up_and_leaves_alone_what_is_there(
    tmp_path: Path, weights: dict[str, Path]
) -> None:
    out = tmp_path / "out" / "base"
    out.mkdir(parents=True)
    (out / "holiday.png").write_bytes(b"not ours")
    generate_from_command(str(weights["base"]), ["a red fox"], 3, 5, out.parent, num_inference_steps=1)
    assert [row["seed"] for row in rows(out)] == [5, 6, 7]
    generate_from_command(str(weights["base"]), ["a blue fox"], 1, 5, out.parent, num_inference_steps=1)
    assert [row["prompt"] for row in rows(out)] == ["a red fox"] * 3 + ["a blue fox"]
    assert (out / "holiday.png").read_bytes() == b"not ours"
    assert Image.open(out / "grid.png").size == (32, 32)
    with pytest.raises(RecipeError, match="guidance_scale"):
        generate_from_command(str(weights["base"]), ["x"], 1, 0, out, guidance_scale=0.0)


def test_two_models_do_not_draw_over_each_other(tmp_path: Path, weights: dict[str, Path]) -> None:
    for name in ("base", "tuned"):
        generate_from_command(str(weights[name]), ["a fox"], 1, 0, tmp_path, num_inference_steps=1)
    base, tuned = (next((tmp_path / name).glob("a-fox-*.png")) for name in ("base", "tuned"))
    assert base.name == tuned.name and base.read_bytes() != tuned.read_bytes()


def test_a_run_stands_for_its_tuned_model(tmp_path: Path, weights: dict[str, Path]) -> None:
    tuned = tmp_path / "runs" / "mine" / "tune" / "model"
    shutil.copytree(weights["tuned"], tuned)
    for name in (tuned, tuned.parent, tuned.parent.parent):
        assert find_model(name) == tuned.resolve()
    grid = generate_from_command(
        str(tmp_path / "runs" / "mine"), ["x"], 1, 0, tmp_path, num_inference_steps=1
    )
    assert grid == tmp_path / "mine-tune" / "grid.png"
    with pytest.raises(MissingModelError):
        find_model(tmp_path / "runs" / "other")


def test_killed_in_the_middle_and_run_again(tmp_path: Path, weights: dict[str, Path]) -> None:
    """SIGKILL after the first pictures; the same command then ends as if nothing had happened."""
    out, prompts = tmp_path / "out" / "base", [f"prompt {number}" for number in range(16)]
    script = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from photogenic.generate.on_demand import generate_from_command\n"
        "torch.set_num_threads(1)\n"
        "generate_from_command(sys.argv[1], sys.argv[3:], 2, 0, Path(sys.argv[2]), num_inference_steps=2,"
        " batch_size=1)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(weights["base"]), str(out.parent), *prompts]
    )
    deadline = time.monotonic() + 400
    while len(list(out.glob("*-*.png"))) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    drawn = {path.name: path.stat().st_mtime_ns for path in out.glob("*-*.png")}
    assert 3 <= len(drawn) < 32 and not (out / "manifest.parquet").exists()

    settings = {"num_inference_steps": 2, "batch_size": 1}
    generate_from_command(str(weights["base"]), prompts, 2, 0, out.parent, **settings)
    assert {name: (out / name).stat().st_mtime_ns for name in drawn} == drawn
    undisturbed = tmp_path / "undisturbed"
    generate_from_command(str(weights["base"]), prompts, 2, 0, undisturbed, **settings)
    assert contents(out) == contents(undisturbed / "base")
