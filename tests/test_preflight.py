"""What a run needs is told before it is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic import preflight as preflight_module
from photogenic.core.run import Run
from photogenic.machine import available_memory, parse_gpu
from photogenic.preflight import (
    CHECKPOINT_BYTES,
    NUM_CHECKPOINTS,
    Check,
    gpu_warning,
    preflight,
    tuning_check,
)
from photogenic.recipe import find_recipe, load_recipe
from photogenic.road import Road
from photogenic.sizes import model_sizes, num_parameters, planned_sizes
from photogenic.train.config import TuneConfig
from photogenic.train.footprint import Trained

RECIPE = """
name: own
review: {{decisions: {needles}}}
pretrain: {{weights: {model}}}
tune: {{loop: {{max_steps: 1}}}}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder like a pipeline's: a U-Net of 3,012 values, an autoencoder of 100."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    for part, shapes in {"unet": [(30, 100), (12,)], "vae": [(10, 10)]}.items():
        folder = tmp_path / "model" / part
        folder.mkdir(parents=True)
        tensors = {f"weight.{index}": np.zeros(shape, np.float16) for index, shape in enumerate(shapes)}
        save_file(tensors, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    return tmp_path / "model"


def checks(folder: Path, model: Path, stages: list[str]) -> dict[str, Check]:
    needles = folder / "needles"
    needles.mkdir()
    Image.new("RGB", (64, 64)).save(needles / "a.png")
    path = folder / "own.yaml"
    path.write_text(RECIPE.format(needles=needles, model=model), encoding="utf-8")
    found = preflight(Road(load_recipe(path), Run(folder / "run")), stages)
    return {check.what.partition(" ")[0]: check for check in found}


def test_a_missing_clip_is_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    path = tmp_path / "own.yaml"
    path.write_text(
        f"name: own\npool: {{sources: {{mine: {tmp_path / 'photos'}}}}}\n"
        "curate: {steps: {clip_score: {model: no-such-clip, min: 0}}}\n",
        encoding="utf-8",
    )
    found = {
        check.what: check for check in preflight(Road(load_recipe(path), Run(tmp_path / "run")), ["curate"])
    }
    assert found["CLIP of curate"].fits == "no" and "no-such-clip" in found["CLIP of curate"].has


def test_decisions_that_are_not_there_yet_stop_nothing_and_are_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    path, table = tmp_path / "own.yaml", tmp_path / "decisions.csv"
    path.write_text(
        f"name: own\npool: {{sources: {{mine: {tmp_path / 'photos'}}}}}\nreview: {{decisions: {table}}}\n",
        encoding="utf-8",
    )

    def told() -> Check:
        found = preflight(Road(load_recipe(path), Run(tmp_path / "run")), ["pool", "review"])
        return next(check for check in found if check.what == "decisions")

    assert told().fits == "unknown" and f"{table} is not there yet" in told().has
    table.write_text("key,keep\n", encoding="utf-8")
    assert told().fits == "yes"


def test_files_that_a_recipe_names_and_nobody_has_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a recipe's paths may be relative where the run folder's is not
    (tmp_path / "photos").mkdir()
    path, taste, prompts = tmp_path / "own.yaml", tmp_path / "taste.json", tmp_path / "prompts.txt"
    path.write_text(
        f"name: own\npool: {{sources: {{mine: {tmp_path / 'photos'}}}}}\n"
        f"curate: {{steps: {{taste: {{path: {taste}, min: 0.5}}, held_out: {{prompts: {prompts}}}}}}}\n"
        "review: {decisions: auto, num_needles: 2}\npretrain: {weights: emu-tiny}\n"
        f"tune: {{loop: {{max_steps: 4}}, gate: {{taste: run/review/taste.json}}}}\n"
        f"generate: {{prompts: {prompts}}}\n",
        encoding="utf-8",
    )
    stages = ["curate", "tune", "generate"]

    def told() -> dict[str, Check]:
        found = preflight(Road(load_recipe(path), Run(tmp_path / "run")), stages)
        return {check.what: check for check in found if check.needs == "a file"}

    assert {what: check.fits for what, check in told().items()} == {
        "taste of curate": "no",
        "prompts held out": "no",
        "taste of tune.gate": "unknown",
        "prompts of generate": "no",
    }
    assert f"{taste} is not there" in told()["taste of curate"].has
    assert "--learn" in told()["taste of curate"].cure
    prompts.write_text("a cat\n", encoding="utf-8")
    assert told()["prompts of generate"].fits == told()["prompts held out"].fits == "yes"


def test_parameters_are_counted_from_headers(model: Path) -> None:
    assert num_parameters(model / "unet" / "diffusion_pytorch_model.safetensors") == 3012
    sizes = model_sizes(model)
    assert (sizes.num_parameters, sizes.num_trained) == (3112, 3012)
    assert sizes.num_bytes > 2 * 3112


def test_a_run_that_fits(tmp_path: Path, model: Path) -> None:
    found = checks(tmp_path, model, ["review", "pretrain", "tune"])
    assert all(check.fits == "yes" for check in found.values()), found
    assert found["base"].has == str(model)
    assert found["disk"].needs == "1 MiB"  # three checkpoints of 48 KB, and two for the gate
    assert NUM_CHECKPOINTS * CHECKPOINT_BYTES * 3012 < 2**20


def test_a_missing_model_is_told_and_sizes_are_unknown(tmp_path: Path) -> None:
    found = checks(tmp_path, tmp_path / "absent", ["pretrain", "tune"])
    assert found["base"].fits == "no" and "absent" in found["base"].has
    assert found["memory"].fits == "unknown" and found["disk"].needs == "unknown"


def test_nothing_is_written(tmp_path: Path, model: Path) -> None:
    checks(tmp_path, model, ["review", "pretrain", "tune"])
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_memory_is_told() -> None:
    memory = available_memory()
    assert memory is not None and 2**26 < memory < 2**46


def test_the_drivers_answer_is_read() -> None:
    assert parse_gpu("NVIDIA H100 80GB HBM3, 81559\nNVIDIA T4, 15360\n") == (
        "NVIDIA H100 80GB HBM3",
        81559 * 2**20,
    )
    assert parse_gpu("") is None
    assert parse_gpu("No devices were found\n") is None


def test_the_paper_s_u_net_has_its_2_8_billion_parameters() -> None:
    pytest.importorskip("torch")
    config = load_recipe(find_recipe("emu")).pretrain
    assert config is not None
    sizes = planned_sizes(config)
    assert sizes is not None
    num_frozen = 123_650_304 + 4_762_107_904  # CLIP ViT-L's text tower, T5-XXL's encoder without norms
    assert (sizes.num_trained, sizes.num_parameters) == (2_789_421_392, 2_789_421_392 + num_frozen)


def test_a_gpu_that_is_too_small_is_told_with_what_to_switch() -> None:
    config = TuneConfig.model_validate({"loop": {"max_steps": 1}})
    trained = Trained(learning=2_789_421_392, frozen=4_900_000_000, activation_bytes=7 * 2**30)
    large = tuning_check("GPU", trained, config, 80 * 2**30)
    assert large.fits == "yes" and "moments 20.8" in large.needs
    small = tuning_check("GPU", trained, config, 58 * 2**30)
    assert small.fits == "no"
    assert "with tune.loop.offload_ema=true, tune.loop.activation_checkpoints=true it would need" in small.has
    assert "no switch would make it fit" in tuning_check("GPU", trained, config, 2**30).has


def test_tuning_on_a_gpu_is_counted_from_the_base_s_configuration(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    unet = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 8,
        "block_out_channels": [32],
        "layers_per_block": 1,
        "down_block_types": ["CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D"],
        "cross_attention_dim": 16,
        "attention_head_dim": 2,
    }
    (model / "unet" / "config.json").write_text(json.dumps(unet))
    monkeypatch.setattr(preflight_module, "gpu_memory", lambda: ("Tiny", 3 * 2**30))
    found = checks(tmp_path, model, ["review", "pretrain", "tune"])
    assert found["GPU"].fits == "yes" and "activations" in found["GPU"].needs
    road = Road(load_recipe(tmp_path / "own.yaml"), Run(tmp_path / "run"))
    assert not gpu_warning(road, ["review", "pretrain", "tune"])
    monkeypatch.setattr(preflight_module, "gpu_memory", lambda: ("Tiny", 2**20))
    warning = gpu_warning(road, ["review", "pretrain", "tune"])
    assert warning is not None
    assert warning.startswith("Tuning may not fit on GPU Tiny: it needs ")
    assert "1 MiB; with tune.loop." in warning or "no switch would make it fit" in warning
    assert gpu_warning(road, ["generate"]) is None


def test_ready_made_text_encoders_are_looked_for_and_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "t5").mkdir()
    ours = {"clip": "nobody/no-such-clip", "t5": str(tmp_path / "t5")}
    overrides = [f"pretrain.text_encoders.{kind}={name}" for kind, name in ours.items()]

    def found() -> dict[str, Check]:
        road = Road(load_recipe(find_recipe("emu"), overrides), Run(tmp_path / "run"))
        return {check.what: check for check in preflight(road, ["pretrain"])}

    clip, t5 = found()["CLIP of pretrain"], found()["T5 of pretrain"]
    assert clip.fits == "unknown" and "fetched from the hub" in clip.has
    assert t5.fits == "no" and "no model of transformers" in t5.has
    (tmp_path / "t5").rmdir()
    assert found()["T5 of pretrain"].has == f"there is no folder {tmp_path / 't5'}"


def test_missing_weights_of_the_perceptual_loss_are_told(tmp_path: Path) -> None:
    override = f"pretrain.autoencoder.perceptual.weights={tmp_path}/w"
    recipe = load_recipe(find_recipe("emu"), [override])
    road = Road(recipe, Run(tmp_path / "run"))
    (check,) = [check for check in preflight(road, ["pretrain"]) if check.what.startswith("LPIPS")]
    assert check.fits == "no" and "docs/train.md" in check.has
    (tmp_path / "w").touch()
    (check,) = [check for check in preflight(road, ["pretrain"]) if check.what.startswith("LPIPS")]
    assert check.fits == "yes"
