"""Everything split over two processes (FSDP2) against one process that has all of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nursery import Nursery
from safetensors.torch import load_file
from test_loop import Killed
from torch import nn
from torch.distributed.tensor import DTensor

from photogenic.core.run import MetricsLog, Run, seed_for
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import denoiser_of, encode_texts, joined, predict
from photogenic.train.config import AutoencoderConfig, LoopConfig, OptimizerConfig
from photogenic.train.loop import train
from photogenic.train.sharding import gathered, is_sharded
from photogenic.train.tune import tune

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

LOOP = LoopConfig(
    max_steps=4,
    batch_size=5,  # the shares are not equal, and so neither are the numbers of micro-batches
    micro_batch_size=2,
    checkpoint_every=2,
    log_every=1,
    sharded=True,
    optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=2),
)


class Denoising:
    """A tiny U-Net predicts noise that belongs to (sample, step)."""

    def __init__(self, on_step: Callable[[int, nn.Module], None] = lambda step, module: None) -> None:
        pipeline = tiny.sdxl()
        self.module = denoiser_of(pipeline).requires_grad_(True).train()
        self.latents = torch.randn(7, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        self.text = joined([encode_texts(pipeline, [letter]) for letter in "abcdefg"])
        self.num_samples = 7
        self.groups: np.ndarray | None = None
        self.on_step = on_step

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        self.on_step(global_step, self.module)
        return {"loss": self._error(indices, global_step)}

    def _error(self, indices: np.ndarray, step: int) -> torch.Tensor:
        generators = [torch.Generator().manual_seed(seed_for(int(i), step)) for i in indices]
        noise = torch.stack([torch.randn(4, 8, 8, generator=g) for g in generators])
        rows, ids = torch.from_numpy(indices), torch.full((len(indices), 6), 16.0)
        timesteps = torch.full((len(indices),), 300)
        pred = predict(self.module, self.latents[rows] + noise, timesteps, self.text.rows(rows), ids)
        return (pred - noise).square().mean()

    def sample_names(self, indices: np.ndarray) -> list[str]:
        return [f"sample {i}" for i in indices]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        return {"validation_loss": float(self._error(np.arange(7), -1))}


def fit(folder: Path, objective: Denoising | None = None) -> Denoising:
    objective = objective or Denoising()
    train(objective, LOOP, folder, key="k", seed=0, description="test")
    return objective


def split(words: str) -> None:
    """In two processes: train, killed once on the way, and without; compare what each process holds."""
    folder = Path(words)

    def killed_at_3(step: int, module: nn.Module) -> None:
        assert is_sharded(module)
        if step == 3:
            raise Killed

    undisturbed = fit(folder / "undisturbed").module
    with pytest.raises(Killed):
        fit(folder / "cut", Denoising(killed_at_3))
    torch.distributed.barrier()
    resumed = fit(folder / "cut").module
    for a, b in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert isinstance(a, DTensor) and isinstance(b, DTensor)
        assert torch.equal(a.to_local(), b.to_local())
        assert a.to_local().numel() <= -(-a.shape[0] // 2) * a[0].numel()
    copy = gathered(undisturbed)
    assert type(copy).__name__ == "UNet2DConditionModel" and not is_sharded(copy)
    if torch.distributed.get_rank() == 0:
        torch.save(copy.state_dict(), folder / "weights.pt")


def tuned(run: str, base: str) -> None:
    """In two processes: a whole quality-tuning."""
    from test_tune import config

    tune(config(sharded=True), Run(Path(run)), base=Path(base), seed=0)


def losses(folder: Path, name: str = "loss") -> list[float]:
    return [row[name] for row in MetricsLog(folder / "metrics.jsonl").rows() if name in row]


def test_two_processes_that_share_everything_agree_with_one(tmp_path: Path, nursery: Nursery) -> None:
    one = fit(tmp_path / "one")
    nursery.together(2, "test_sharding:split", tmp_path / "two")
    for name in ("loss", "validation_loss", "grad_norm"):
        whole = losses(tmp_path / "one", name)
        assert len(whole) in (2, 4)
        assert losses(tmp_path / "two" / "undisturbed", name) == pytest.approx(whole, rel=1e-4)
        assert losses(tmp_path / "two" / "cut", name) == pytest.approx(whole, rel=1e-4)
    weights = torch.load(tmp_path / "two" / "weights.pt", weights_only=True)
    # Where a gradient is all but nothing AdamW follows the sign of its rounding: few weights differ by more.
    now, before = one.module.state_dict(), Denoising().module.state_dict()
    apart, moved = (
        torch.cat([(weight - other[name]).flatten().abs() for name, weight in now.items()])
        for other in (weights, before)
    )
    assert float(apart.median()) < 1e-4 * float(moved.median())
    assert float(apart.norm()) < 0.03 * float(moved.norm())

    # A checkpoint is a folder with a file of each process, no pickle among them; two are kept.
    checkpoints = sorted((tmp_path / "two" / "cut" / "checkpoints").iterdir())
    assert [path.name for path in checkpoints] == ["step-0000002", "step-0000004"]
    files = sorted(path.name for path in checkpoints[-1].iterdir())
    assert files[0] == "checkpoint.json" and len(files) == 3
    shards = [load_file(path) for path in checkpoints[-1].glob("*.safetensors")]
    name = "mid_block.resnets.0.conv1.weight"
    for kind in ("weights", "ema", "optimizer/exp_avg"):  # the average is stored as it is kept: in two halves
        halves = [shard[f"{kind}/{name}"].shape[0] for shard in shards]
        assert halves == [16, 16]

    # Three processes go on from what two have written, one from that, whole, and two from its file.
    longer(str(tmp_path / "one"), "4", "7")
    folder = tmp_path / "two" / "cut"
    nursery.together(3, "test_sharding:longer", folder, 4, 5)
    longer(str(folder), "5", "6")
    assert (folder / "checkpoints" / "step-0000006.safetensors").is_file()
    nursery.together(2, "test_sharding:longer", folder, 6, 7)
    assert losses(folder) == pytest.approx(losses(tmp_path / "one"), rel=1e-3)


def longer(folder: str, begin: str, end: str) -> None:
    seen: list[int] = []
    objective = Denoising(lambda step, module: seen.append(step))
    loop = LOOP.model_copy(update={"max_steps": int(end)})
    train(objective, loop, Path(folder), key="k", seed=0, description="test")
    assert set(seen) == set(range(int(begin), int(end)))


def test_a_tuning_that_is_split_ends_as_one_that_is_not(
    shapes_run: Run, tmp_path: Path, nursery: Nursery
) -> None:
    from test_tune import config

    save_pipeline(tiny.emu(), tmp_path / "base")
    other = Run(tmp_path / "other")
    for stage in ("pool", "review"):
        other.stage(stage).rmdir()
        (other.folder / stage).symlink_to(shapes_run.folder / stage)
    tune(config(), shapes_run, base=tmp_path / "base", seed=0)
    nursery.together(2, "test_sharding:tuned", other.folder, tmp_path / "base")
    # Quality is that of drawn pictures, in whole grey levels.
    for name, tolerance in {"loss": 1e-3, "validation_loss": 1e-3, "quality": 0.02}.items():
        expected = losses(shapes_run.folder / "tune", name)
        assert losses(other.folder / "tune", name) == pytest.approx(expected, rel=tolerance)
    models = [tmp_path / "base", *(run.folder / "tune" / "model" for run in (shapes_run, other))]
    base, one, two = (weights_of(model) for model in models)
    assert float((two - one).norm()) < 0.05 * float((one - base).norm())


def weights_of(model: Path) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in denoiser_of(load_pipeline(model)).parameters()])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"offload_ema": True}, "`offload_ema` needs whole tensors"),
        ({"optimizer": {"eight_bit": True}}, "`optimizer.eight_bit` needs whole tensors"),
        (
            {"optimizer": {"matrix_learning_rate": 0.02}},
            "`optimizer.matrix_learning_rate` needs whole tensors",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoopConfig.model_validate({"max_steps": 1, "sharded": True} | changes)
    with pytest.raises(ValueError, match="of this part each process keeps all"):
        AutoencoderConfig.model_validate({"loop": {"max_steps": 1, "sharded": True}})


def test_split_or_not_is_one_training() -> None:
    assert LOOP.identity() == LOOP.model_copy(update={"sharded": False}).identity()
