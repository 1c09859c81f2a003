"""Quality-tuning from needles to a model folder, for each family, interrupted and not."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from nursery import Nursery, Process
from safetensors.torch import load_file

from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import MetricsLog, Run
from photogenic.core.shards import fingerprint, read_json, read_table, write_json, write_table
from photogenic.core.weights import folder_fingerprint
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import denoiser_of, training_scheduler
from photogenic.models.lora import merge_lora
from photogenic.models.sampling import draw
from photogenic.train.config import DiffusionLossConfig, GateConfig, LoopConfig, OptimizerConfig, TuneConfig
from photogenic.train.noise import process_of
from photogenic.train.objectives.diffusion import DiffusionObjective
from photogenic.train.text import CachedText
from photogenic.train.tune import load_frozen, load_needles, open_tuning, tune

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

FAMILIES: dict[str, Callable[[], Any]] = {"emu": tiny.emu, "sd": tiny.sd, "sdxl": tiny.sdxl, "sd3": tiny.sd3}


def config(max_steps: int = 6, changes: dict[str, Any] | None = None, **loop: Any) -> TuneConfig:
    return TuneConfig(
        **(changes or {}),
        loop=LoopConfig(
            max_steps=max_steps,
            batch_size=8,
            micro_batch_size=4,
            checkpoint_every=3,
            log_every=1,
            optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=2),
            **loop,
        ),
        num_validation=2,
        gate=GateConfig(num_images=2, num_inference_steps=2),
    )


def loss_of(family: str) -> dict[str, Any]:
    """Min-SNR weights do not go with flow matching, and are refused there."""
    return {"loss": {"snr_gamma": None}} if family == "sd3" else {}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_pipeline(tiny.emu(), tmp_path / "base")
    return tmp_path / "base"


def test_paper_values_are_the_defaults() -> None:
    assert config().loss.noise_offset == 0.1
    # A recipe that changes one key of the loss keeps the others.
    opened = TuneConfig.model_validate({"loop": {"max_steps": 1}, "loss": {"caption_dropout": 0.0}})
    assert opened.loss == DiffusionLossConfig(noise_offset=0.1, caption_dropout=0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_tuned_and_loads_in_plain_diffusers(
    family: str, shapes_run: Run, tmp_path: Path
) -> None:
    save_pipeline(FAMILIES[family](), tmp_path / "base")
    model = tune(config(changes=loss_of(family)), shapes_run, base=tmp_path / "base", seed=0)
    gate = read_json(shapes_run.folder / "tune" / "gate.json")
    assert [row["global_step"] for row in gate["rows"]] == [0, 3, 6]
    assert "generality was not measured" in gate["sentence"] or gate["chosen_step"] == 0
    loaded = load_pipeline(model) if family == "emu" else DiffusionPipeline.from_pretrained(model)
    kept = load_file(_gate_file(shapes_run, gate["chosen_step"]))
    for name, weight in denoiser_of(loaded).float().named_parameters():
        torch.testing.assert_close(weight, kept[name], rtol=1e-3, atol=1e-4)  # stored in half precision
    rows = MetricsLog(shapes_run.folder / "tune" / "metrics.jsonl").rows()
    assert {"loss", "validation_loss", "quality"} <= {name for row in rows for name in row}


def test_another_choice_trains_nothing_again(shapes_run: Run, base: Path) -> None:
    folder = shapes_run.folder / "tune"

    def chosen(within_errors: float) -> int:
        gate = GateConfig(num_images=4, num_inference_steps=2, within_errors=within_errors)
        tune(config().model_copy(update={"gate": gate}), shapes_run, base=base, seed=0)
        return int(read_json(folder / "gate.json")["chosen_step"])

    chosen(0)
    for row in read_json(folder / "gate.json")["rows"]:
        assert len(row["qualities"]) == 4 and np.mean(row["qualities"]) == pytest.approx(row["quality"])
    for path in folder.glob("checkpoints/gate-*/*.json"):  # a model of this size learns nothing to choose by
        step = int(path.stem)
        qualities = [9 + step / 100, 9 - step / 150, 9.0, 9.0] if step else [1.0] * 4
        write_json(path, read_json(path) | {"quality": float(np.mean(qualities)), "qualities": qualities})
    before = (folder / "metrics.jsonl").read_bytes()
    assert (chosen(0), chosen(1), chosen(0)) == (6, 3, 6)
    assert (folder / "metrics.jsonl").read_bytes() == before


def _gate_file(run: Run, global_step: int) -> Path:
    (path,) = (run.folder / "tune" / "checkpoints").glob(f"gate-*/{global_step:07d}.safetensors")
    return path


def test_only_the_unet_changes(shapes_run: Run, base: Path) -> None:
    tune(config(), shapes_run, base=base, seed=0)
    before, after = load_pipeline(base), load_pipeline(shapes_run.folder / "tune" / "model")
    for name in ("vae", "text_encoder", "text_encoder_2", "joiner"):
        for a, b in zip(getattr(before, name).parameters(), getattr(after, name).parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)  # stored in half precision


def test_the_loss_falls_on_what_it_learns(shapes_run: Run, base: Path) -> None:
    tune(config(max_steps=60), shapes_run, base=base, seed=0)
    rows = MetricsLog(shapes_run.folder / "tune" / "metrics.jsonl").rows()
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_unreadable_needles_are_named_before_the_first_step(shapes_run: Run, base: Path) -> None:
    root = shapes_run.sources().roots["shapes"]
    (root / "red-bar.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"1 of 12 needles cannot be read:\n  shapes/red-bar\.png"):
        tune(config(), shapes_run, base=base, seed=0)
    assert not (shapes_run.folder / "tune" / "metrics.jsonl").exists()


NUM_STEPS = 15  # with a checkpoint every third, metrics.jsonl has twenty lines in the end


def tuned_to_the_end(run: str, base: str) -> None:
    tune(config(max_steps=NUM_STEPS), Run(Path(run)), base=Path(base), seed=0)


def test_three_kills_and_the_same_command_give_the_same_weights(
    shapes_run: Run, base: Path, tmp_path: Path, nursery: Nursery
) -> None:
    def start(run: Run) -> Process:
        return nursery.start("test_tune:tuned_to_the_end", run.folder, base)

    metrics = shapes_run.folder / "tune" / "metrics.jsonl"
    for num_lines in (3, 8, 14):
        process = start(shapes_run)
        while process.poll() is None and (
            not metrics.exists() or len(metrics.read_text().splitlines()) < num_lines
        ):
            time.sleep(0.01)
        assert process.kill() == -signal.SIGKILL  # it was alive until then
    other = Run(tmp_path / "undisturbed")
    other.folder.mkdir()
    for stage in ("pool", "review"):
        (other.folder / stage).symlink_to(shapes_run.folder / stage)
    for run in (shapes_run, other):
        last = start(run)
        assert last.wait() == 0, last.said()
    files = [run.folder / "tune" / "model" / "unet" for run in (shapes_run, other)]
    weights, same = (load_file(folder / "diffusion_pytorch_model.safetensors") for folder in files)
    assert weights.keys() == same.keys()
    assert all(torch.equal(weights[name], same[name]) for name in weights)


LORA = {"lora": {"rank": 2, "alpha": 3.0}}


@pytest.mark.parametrize("family", ["emu", "sd3"])
def test_a_lora_is_tuned_and_the_model_has_it_merged_in(family: str, shapes_run: Run, tmp_path: Path) -> None:
    save_pipeline(FAMILIES[family](), tmp_path / "base")
    margins = {"gate": {"num_images": 1, "num_inference_steps": 1}}
    settings = config(changes={**loss_of(family), **LORA}).model_dump() | margins
    model = tune(TuneConfig.model_validate(settings), shapes_run, base=tmp_path / "base", seed=0)
    folder = shapes_run.folder / "tune"
    (kept,) = (folder / "checkpoints").glob("gate-*/0000006.safetensors")
    assert all(".lora_" in name for name in load_file(kept))  # the rest is the base's, and not stored again
    pipeline = load_pipeline(tmp_path / "base")
    pipeline.load_lora_weights(folder / "lora")
    merge_lora(pipeline)
    tuned = load_pipeline(model)
    for (name, a), (other, b) in zip(
        denoiser_of(pipeline).named_parameters(), denoiser_of(tuned).named_parameters(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-4)  # stored in half precision
    assert len(list(draw(tuned, ["a cat"], [1], num_inference_steps=1, batch_size=1))) == 1


def test_lora_names_that_do_not_exist_are_refused(shapes_run: Run, base: Path) -> None:
    with pytest.raises(RecipeError, match="ends in to_nothing"):
        tune(config(changes={"lora": {"targets": ["to_nothing"]}}), shapes_run, base=base, seed=0)


def test_min_snr_is_refused_for_flow_matching_before_step_0(shapes_run: Run, tmp_path: Path) -> None:
    save_pipeline(tiny.sd3(), tmp_path / "base")
    with pytest.raises(RecipeError, match="min-SNR weights are those of discrete diffusion"):
        tune(config(), shapes_run, base=tmp_path / "base", seed=0)
    assert not (shapes_run.folder / "tune" / "metrics.jsonl").exists()


def test_several_lengths_are_tried_at_every_checkpoint(shapes_run: Run, base: Path) -> None:
    lengths = {"ema": {"post_hoc": {"lengths": [0.03, 0.2], "every": 1}}}
    tune(config(changes=lengths), shapes_run, base=base, seed=0)
    gate = read_json(shapes_run.folder / "tune" / "gate.json")
    seen = sorted((row["global_step"], row["sigma_rel"]) for row in gate["rows"][1:] + gate["others"])
    assert seen == [(3, 0.03), (3, 0.2), (6, 0.03), (6, 0.2)]
    rows = MetricsLog(shapes_run.folder / "tune" / "metrics.jsonl").rows()
    looks = [row for row in rows if "quality" in row]
    assert all({"quality", "quality_0.03", "quality_0.2"} <= row.keys() for row in looks)
    # Of three stored pairs a short average can be made, and a long one not so well.
    assert all(0 <= row["profile_error_0.03"] < 1 and 0 < row["profile_error_0.2"] < 1 for row in looks[1:])
    (folder,) = (shapes_run.folder / "tune" / "checkpoints").glob("gate-*")
    assert len(list((folder / "averages").glob("*.safetensors"))) == 1 + 2 * 6
    assert not list(folder.glob("*.safetensors"))  # the weights are made of the averages, and not kept twice


def test_averages_that_come_after_the_first_look_at_them_are_refused() -> None:
    """With none up to the first checkpoint the gate would have stopped the training there."""
    with pytest.raises(ValueError, match=r"after 3 steps, and the first are stored after 4"):
        config(changes={"ema": {"post_hoc": {"every": 4}}})


def fewer(run: Run, num: int) -> None:
    """Only the first of the needles."""
    path = run.folder / "review" / "needles.parquet"
    write_table(path, read_table(path).slice(0, num))


def test_one_needle_is_enough(shapes_run: Run, base: Path) -> None:
    """Nothing is held out then, and no validation loss is measured."""
    fewer(shapes_run, 1)
    tune(config(max_steps=3), shapes_run, base=base, seed=0)
    rows = MetricsLog(shapes_run.folder / "tune" / "metrics.jsonl").rows()
    assert [row["global_step"] for row in rows if "loss" in row] == [1, 2, 3]
    assert not any("validation_loss" in row for row in rows)


def test_a_needle_that_comes_again_in_a_batch_is_seen_with_other_noise(shapes_run: Run, base: Path) -> None:
    """With eight times the same noise the gradient would be as rough as that of a batch of one."""
    needles = load_needles(config(), shapes_run, pipeline := load_frozen(base), base)
    loss = DiffusionLossConfig()
    objective = DiffusionObjective(
        denoiser_of(pipeline),
        denoiser_of(pipeline),
        CachedText(needles.text, pipeline.device),
        needles.data,
        *(np.arange(1), np.arange(0)),
        process_of(training_scheduler(pipeline), loss),
        loss,
        seed=0,
    )
    one = np.zeros(1, np.int64)
    with torch.no_grad():
        losses = [float(objective.losses(one, 5, one + time)["mse"]) for time in range(8)]
        both = objective.losses(np.zeros(2, np.int64), 5, np.array([0, 3]))["mse"]
    assert losses[0] == float(objective.losses(one, 5)["mse"]) and len(set(losses)) == 8
    assert float(both) == pytest.approx((losses[0] + losses[3]) / 2)


def test_only_a_batch_larger_than_the_needles_is_another_training(shapes_run: Run, base: Path) -> None:
    """The key of any other tuning has no mark of repeats, and none says which checkpoint is kept."""
    tuning = config()
    opened = open_tuning(tuning, shapes_run, base=base, seed=0)
    learnt = tuning.model_dump(mode="json", exclude={"gate": {"max_generality_loss", "within_errors"}})
    plain = ("tune", learnt, folder_fingerprint(base), opened.needles.uids, opened.needles.captions, 0)
    assert opened.key == fingerprint(*plain)
    fewer(shapes_run, 5)
    opened = open_tuning(tuning, shapes_run, base=base, seed=0)
    learnt = tuning.model_dump(mode="json", exclude={"gate": {"max_generality_loss", "within_errors"}})
    plain = ("tune", learnt, folder_fingerprint(base), opened.needles.uids, opened.needles.captions, 0)
    assert opened.key == fingerprint(*plain, "repeats")


def test_a_changed_recipe_takes_the_place_of_what_the_earlier_one_left(shapes_run: Run, base: Path) -> None:
    """Checkpoints and the gate's weights are as large as the model, and of no use under another key."""
    folder = shapes_run.folder / "tune" / "checkpoints"
    tune(config(max_steps=6), shapes_run, base=base, seed=0)
    (first,) = folder.glob("gate-*")
    tune(config(max_steps=3, changes={"loss": {"noise_offset": 0.0}}), shapes_run, base=base, seed=0)
    (second,) = folder.glob("gate-*")
    assert second != first
    assert [path.name for path in folder.glob("step-*")] == ["step-0000003.safetensors"]
