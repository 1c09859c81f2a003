"""A training run's state on disk: weights, averages, optimizer moments and the step, in one safetensors file.

Files are written whole or not at all, and the previous one is removed only after the new one is in place, so
a kill or a full disk always leaves a checkpoint to go on from. No pickle anywhere. A state that is split over
processes becomes a folder with a file of each.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.distributed.tensor import DTensor

from photogenic.train.distributed import current_world
from photogenic.train.ema import PowerEma
from photogenic.train.files import save_tensors
from photogenic.train.optim import Optimizers
from photogenic.train.sharding import load_sharded, save_sharded, sharded_head, sharded_sizes

NUMBER = "#"  # marks a moment that is a number and no tensor, such as the step of 8-bit AdamW
CHECKPOINT_NAME = re.compile(r"step-(\d{7})(\.safetensors)?")  # a folder where the state is split


@dataclass
class TrainState:
    """What changes while training; everything else follows from the configuration."""

    parameters: dict[str, nn.Parameter]  # trainable ones, by name, in a fixed order
    optimizer: Optimizers
    ema: PowerEma
    global_step: int = 0  # finished optimizer updates
    profiles: list[PowerEma] = field(default_factory=list)  # further averages, for other lengths post hoc

    @property
    def is_sharded(self) -> bool:
        """Whether it is split over processes."""
        return any(isinstance(parameter, DTensor) for parameter in self.parameters.values())

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by a flat name."""
        flat: dict[str, torch.Tensor] = {}
        for (name, parameter), average in zip(self.parameters.items(), self.ema.averages, strict=True):
            flat[f"weights/{name}"] = parameter.detach()
            flat[f"ema/{name}"] = average
            for moment, value in self.optimizer.state.get(parameter, {}).items():
                is_tensor = isinstance(value, torch.Tensor)
                flat[f"optimizer/{moment}{'' if is_tensor else NUMBER}/{name}"] = (
                    value if is_tensor else torch.tensor(value)
                )
        for profile in self.profiles:
            for name, average in zip(self.parameters, profile.averages, strict=True):
                flat[f"ema-{profile.sigma_rel}/{name}"] = average
        return flat

    def update_averages(self) -> None:
        """Take the present weights into all averages."""
        for average in (self.ema, *self.profiles):
            average.update(self.parameters.values(), self.global_step)

    @torch.no_grad()
    def restore(self, flat: Mapping[str, torch.Tensor], global_step: int) -> None:
        """The inverse of `tensors`."""
        self.global_step = global_step
        moments: dict[str, dict[str, Any]] = {}
        for key, value in flat.items():
            if key.startswith("optimizer/"):
                _, moment, name = key.split("/", 2)
                number = value.item() if moment.endswith(NUMBER) else value
                moments.setdefault(name, {})[moment.removesuffix(NUMBER)] = number
        for index, (name, parameter) in enumerate(self.parameters.items()):
            parameter.copy_(flat[f"weights/{name}"])
            self.ema.averages[index].copy_(flat[f"ema/{name}"])
            if name in moments:
                self.optimizer.state[parameter] = {
                    moment: _laid_out_as(parameter, value) if isinstance(value, torch.Tensor) else value
                    for moment, value in moments[name].items()
                }
            for profile in self.profiles:
                profile.averages[index].copy_(flat[f"ema-{profile.sigma_rel}/{name}"])


def _laid_out_as(parameter: nn.Parameter, moment: torch.Tensor) -> torch.Tensor:
    """A moment in the parameter's memory format: files are contiguous, fused updates follow the memory."""
    if moment.shape != parameter.shape:
        return moment.to(parameter.device)
    return torch.empty_like(parameter, dtype=moment.dtype).copy_(moment)


def save_checkpoint(folder: Path, state: TrainState, key: str) -> Path:
    """Write `folder/step-0000100.safetensors`, then remove older ones but the last."""
    path = folder / f"step-{state.global_step:07d}.safetensors"
    head = {"key": key, "global_step": str(state.global_step)}
    if state.is_sharded:
        path = path.with_suffix("")
        save_sharded(path, state.tensors(), head)
    else:
        save_tensors(_unshared(state.tensors()), path, head)
    if current_world().is_main:
        for old in _checkpoints(folder)[:-2]:
            old.unlink() if old.is_file() else shutil.rmtree(old)
    return path


def _unshared(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors, each with memory of its own: 8-bit moments share their table of values."""
    seen: set[int] = set()
    alone = {}
    for name, tensor in tensors.items():
        pointer = tensor.data_ptr()
        alone[name] = tensor.clone() if pointer in seen else tensor.contiguous()
        seen.add(pointer)
    return alone


def latest_checkpoint(folder: Path, key: str) -> Path | None:
    """The newest readable checkpoint made under `key`."""
    for path in reversed(_checkpoints(folder)):
        head = sharded_head(path) if path.is_dir() else _head(path)
        if head is not None and head.get("key") == key:
            return path
    return None


def _head(path: Path) -> dict[str, str] | None:
    """What stands beside the tensors of a file; None where it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError:
        return None


def restore_latest(folder: Path, state: TrainState, key: str) -> bool:
    """Load the newest readable checkpoint made under `key` into `state`; False when there is none."""
    for path in reversed(_checkpoints(folder)):
        if path.is_dir() != state.is_sharded:
            continue
        if path.is_dir():
            if _restore_sharded(path, state, key):
                return True
            continue
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("key") != key:
                    continue
                flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except SafetensorError:
            continue
        state.restore(flat, int(metadata["global_step"]))
        return True
    return False


def _restore_sharded(path: Path, state: TrainState, key: str) -> bool:
    """Each process reads its parts, however many processes wrote them."""
    head = sharded_head(path)
    if head is None or head.get("key") != key:
        return False
    flat = {name: torch.empty_like(tensor) for name, tensor in state.tensors().items()}
    for name, size in sharded_sizes(path).items():
        if name.startswith("optimizer/"):
            like = state.parameters[name.split("/", 2)[2]]
            flat[name] = torch.empty_like(like) if size == like.shape else torch.empty(size)
    if not load_sharded(path, flat):
        return False
    state.restore(flat, int(str(head["global_step"])))
    return True


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if CHECKPOINT_NAME.fullmatch(path.name))
