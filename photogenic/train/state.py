"""A training run's state on disk: weights, averages, optimizer moments and the step, in one safetensors file.

Files are written whole or not at all, and older ones are removed only after the new one is in place, so a
kill or a full disk always leaves a checkpoint to go on from. No pickle anywhere. A state that is split over
processes becomes a folder with a file of each; either kind is read into either state.
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
from photogenic.train.sharding import load_sharded, put, save_sharded, sharded_head, sharded_sizes

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
        """The inverse of `tensors`; whole tensors go into a state that is split as well."""
        self.global_step = global_step
        moments: dict[str, dict[str, Any]] = {}
        for key, value in flat.items():
            if key.startswith("optimizer/"):
                _, moment, name = key.split("/", 2)
                number = value.item() if moment.endswith(NUMBER) else value
                moments.setdefault(name, {})[moment.removesuffix(NUMBER)] = number
        for index, (name, parameter) in enumerate(self.parameters.items()):
            put(parameter, flat[f"weights/{name}"])
            put(self.ema.averages[index], flat[f"ema/{name}"])
            if name in moments:
                self.optimizer.state[parameter] = {
                    moment: _laid_out_as(parameter, value) if isinstance(value, torch.Tensor) else value
                    for moment, value in moments[name].items()
                }
            for profile in self.profiles:
                put(profile.averages[index], flat[f"ema-{profile.sigma_rel}/{name}"])


def _laid_out_as(parameter: nn.Parameter, moment: torch.Tensor) -> torch.Tensor:
    """A moment in the parameter's memory format: files are contiguous, fused updates follow the memory."""
    if moment.shape != parameter.shape:
        return moment.to(parameter.device)
    laid_out = torch.empty_like(parameter, dtype=moment.dtype)
    put(laid_out, moment)
    return laid_out


def save_checkpoint(folder: Path, state: TrainState, key: str) -> Path:
    """Write `folder/step-0000100.safetensors`; of older ones the last made under `key` stays."""
    path = folder / f"step-{state.global_step:07d}.safetensors"
    head = {"key": key, "global_step": str(state.global_step)}
    if state.is_sharded:
        path = path.with_suffix("")
        save_sharded(path, state.tensors(), head)
    else:
        save_tensors(_unshared(state.tensors()), path, head)
    if current_world().is_main:
        _remove_others(folder, path, key)
    return path


def _remove_others(folder: Path, newest: Path, key: str) -> None:
    """All but `newest` and the one before it; those of another key, however far they had come, go too."""
    found = _checkpoints(folder)
    own = (path for path in reversed(found) if _step(path) < _step(newest) and _is_of(path, key))
    kept = {newest, next(own, newest)}
    for path in found:
        if path not in kept:
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _unshared(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors, each with memory of its own: 8-bit moments share their table of values.

    On the CPU, where they are written from: made contiguous on a GPU, they would have to fit there once more.
    """
    seen: set[int] = set()
    alone = {}
    for name, tensor in tensors.items():
        pointer = tensor.data_ptr()
        alone[name] = tensor.cpu().clone() if pointer in seen else tensor.cpu().contiguous()
        seen.add(pointer)
    return alone


def latest_checkpoint(folder: Path, key: str) -> Path | None:
    """The newest readable checkpoint made under `key`."""
    return next((path for path in reversed(_checkpoints(folder)) if _is_of(path, key)), None)


def restore_latest(folder: Path, state: TrainState, key: str) -> bool:
    """Load the newest readable checkpoint made under `key` into `state`; False when there is none."""
    for path in reversed(_checkpoints(folder)):
        if not _is_of(path, key):
            continue
        flat = _read_parts(path, state) if path.is_dir() else _read_file(path)
        if flat is not None:
            state.restore(flat, _step(path))
            return True
    return False


def _is_of(path: Path, key: str) -> bool:
    """Whether a checkpoint is readable, by its head, and was made under `key`."""
    head = sharded_head(path) if path.is_dir() else _head(path)
    return head is not None and head.get("key") == key


def _head(path: Path) -> dict[str, str] | None:
    """What stands beside the tensors of a file; None where it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError:
        return None


def _read_file(path: Path) -> dict[str, torch.Tensor] | None:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError:
        return None


def _read_parts(path: Path, state: TrainState) -> dict[str, torch.Tensor] | None:
    """Each process reads what it holds, however many processes wrote."""
    flat = {name: torch.empty_like(tensor) for name, tensor in state.tensors().items()}
    for name, size in sharded_sizes(path).items():
        if name.startswith("optimizer/"):
            like = state.parameters[name.split("/", 2)[2]]
            flat[name] = torch.empty_like(like) if size == like.shape else torch.empty(size)
    return flat if load_sharded(path, flat) else None


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-").removesuffix(".safetensors"))


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if CHECKPOINT_NAME.fullmatch(path.name))
