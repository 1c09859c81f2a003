"""Models that a finished tuning passed by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import denoiser_of
from photogenic.train.config import GateConfig, LoopConfig, OptimizerConfig, TuneConfig
from photogenic.train.remade import remake
from photogenic.train.tune import tune

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny


def config(**changes: Any) -> TuneConfig:
    return TuneConfig(
        **changes,
        loop=LoopConfig(
            max_steps=4,
            batch_size=4,
            checkpoint_every=2,
            log_every=1,
            optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=1),
        ),
        num_validation=2,
        gate=GateConfig(num_images=2, num_inference_steps=2),
    )


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in denoiser_of(load_pipeline(model)).float().named_parameters()}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_pipeline(tiny.emu(), tmp_path / "base")
    return tmp_path / "base"


def test_a_checkpoint_is_what_the_gate_saw_then(shapes_run: Run, base: Path, tmp_path: Path) -> None:
    tune(config(), shapes_run, base=base, seed=0)
    before = sorted(path.name for path in (shapes_run.folder / "tune" / "checkpoints").iterdir())
    model = remake(
        config(), shapes_run, base=base, seed=0, global_step=2, sigma_rel=None, folder=tmp_path / "two"
    )
    (kept,) = (shapes_run.folder / "tune" / "checkpoints").glob("gate-*/0000002.safetensors")
    stored, weights = load_file(kept), weights_of(model)
    start = weights_of(base)
    assert any(not torch.allclose(weights[name], start[name], atol=1e-3) for name in weights)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, stored[name], rtol=1e-3, atol=1e-4)  # stored in half precision
    assert sorted(path.name for path in (shapes_run.folder / "tune" / "checkpoints").iterdir()) == before

    with pytest.raises(RunError, match=r"no checkpoint of step 3; there are: 0, 2, 4"):
        remake(config(), shapes_run, base=base, seed=0, global_step=3, sigma_rel=None, folder=tmp_path / "x")
    with pytest.raises(RecipeError, match="stored none"):
        remake(config(), shapes_run, base=base, seed=0, global_step=2, sigma_rel=0.2, folder=tmp_path / "x")


def test_an_average_of_another_length_comes_from_the_same_tuning(
    shapes_run: Run, base: Path, tmp_path: Path
) -> None:
    averaging = config(ema={"post_hoc": {"lengths": [0.1], "every": 1}})
    tune(averaging, shapes_run, base=base, seed=0)

    def moved(sigma_rel: float | None) -> float:
        """How far the average of that length is from the start."""
        model = remake(
            averaging,
            shapes_run,
            base=base,
            seed=0,
            global_step=4,
            sigma_rel=sigma_rel,
            folder=tmp_path / str(sigma_rel),
        )
        start = weights_of(base)
        return sum(float((w - start[name]).square().sum()) for name, w in weights_of(model).items()) ** 0.5

    assert moved(0.1) == pytest.approx(moved(None), rel=1e-6)  # the length that the gate saw
    assert moved(0.25) < moved(0.1) < moved(0.05)  # a longer average stays nearer to the start
