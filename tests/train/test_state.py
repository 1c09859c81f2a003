"""What comes back from a checkpoint goes on like what was saved, whatever the weights' memory format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from photogenic.train.config import OptimizerConfig
from photogenic.train.ema import PowerEma
from photogenic.train.optim import make_optimizer
from photogenic.train.state import TrainState, latest_checkpoint, restore_latest, save_checkpoint

MUON = OptimizerConfig(learning_rate=0.01, matrix_learning_rate=0.02)
FORMATS = [torch.contiguous_format, torch.channels_last]


def begun(optimizer: OptimizerConfig, memory_format: torch.memory_format) -> tuple[nn.Module, TrainState]:
    """A small network of convolutions in that memory format, untrained; always the same one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.SiLU(), nn.GroupNorm(2, 8), nn.Conv2d(8, 5, 3, stride=2), nn.Flatten()
        )
    module = module.to(memory_format=memory_format)
    parameters = dict(module.named_parameters())
    average = PowerEma(parameters.values(), 0.1)
    return module, TrainState(parameters, make_optimizer(module, optimizer), average)


def step(module: nn.Module, state: TrainState) -> None:
    """One update with pictures that belong to the step."""
    drawn = torch.Generator().manual_seed(state.global_step)
    pictures = torch.randn(4, 3, 12, 12, generator=drawn).to(memory_format=torch.channels_last)
    state.optimizer.zero_grad()
    module(pictures).square().mean().backward()
    state.optimizer.step()
    state.global_step += 1
    state.update_averages()


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("optimizer", [OptimizerConfig(learning_rate=0.01), MUON], ids=["adamw", "muon"])
def test_a_restored_state_goes_on_bit_by_bit(
    optimizer: OptimizerConfig, memory_format: torch.memory_format, tmp_path: Path
) -> None:
    module, state = begun(optimizer, memory_format)
    for _ in range(4):
        step(module, state)
    save_checkpoint(tmp_path, state, "k")
    other, restored = begun(optimizer, memory_format)
    assert restore_latest(tmp_path, restored, "k")
    for _ in range(4):
        step(module, state)
        step(other, restored)
        ours, theirs = state.tensors(), restored.tensors()
        assert ours.keys() == theirs.keys() and restored.global_step == state.global_step
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_moments_lie_in_memory_as_their_weights_do(tmp_path: Path) -> None:
    module, state = begun(OptimizerConfig(), torch.channels_last)
    step(module, state)
    save_checkpoint(tmp_path, state, "k")
    _, restored = begun(OptimizerConfig(), torch.channels_last)
    assert restore_latest(tmp_path, restored, "k")
    for parameter in restored.parameters.values():
        for name in ("exp_avg", "exp_avg_sq"):
            assert restored.optimizer.state[parameter][name].stride() == parameter.stride()


def test_what_another_configuration_left_behind_does_not_cost_the_newest_checkpoint(tmp_path: Path) -> None:
    """A training that diverged leaves its last good weights; with other numbers one begins below them."""
    _, state = begun(OptimizerConfig(), torch.contiguous_format)
    for key, global_step in (("old", 400), ("old", 500), ("new", 100), ("new", 200), ("new", 300)):
        state.global_step = global_step
        path = save_checkpoint(tmp_path, state, key)
        assert latest_checkpoint(tmp_path, key) == path
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-0000200.safetensors",
        "step-0000300.safetensors",
    ]


def test_a_damaged_checkpoint_is_no_reason_to_remove_the_one_before(tmp_path: Path) -> None:
    _, state = begun(OptimizerConfig(), torch.contiguous_format)
    for global_step in (100, 200, 300):
        state.global_step = global_step
        path = save_checkpoint(tmp_path, state, "k")
        if global_step == 200:
            path.write_bytes(path.read_bytes()[:100])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-0000100.safetensors",
        "step-0000300.safetensors",
    ]
