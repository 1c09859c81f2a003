"""Steps of a training with some levers on: how long they take, and how much memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from unet.subject import Subject, objective_of

from photogenic.core.errors import PhotogenicError
from photogenic.models.compiled import compiled
from photogenic.train.config import LoopConfig
from photogenic.train.distributed import World
from photogenic.train.loop import initial_state, training_step
from photogenic.train.memory import checkpoint_activations
from photogenic.train.objectives.diffusion import DiffusionObjective
from photogenic.train.post_hoc import Snapshots


@dataclass(frozen=True)
class Levers:
    """One row of the table."""

    name: str
    precision: str = "float32"
    channels_last: bool = False
    fused: bool = False
    searched: bool = False  # cuDNN measures its convolutions first
    compile: str | None = None
    micro_batch_size: int = 1
    checkpoints: bool = False


@dataclass(frozen=True)
class Row:
    """What was measured of it."""

    name: str
    milliseconds: float = 0.0  # a step
    pictures_per_s: float = 0.0
    utilisation: float | None = None
    peak_bytes: int = 0
    first_step_s: float = 0.0  # with all that is compiled or chosen in it
    failed: str = ""


def rows_of(micro: int, large: int) -> Iterator[Levers]:
    """The levers one by one, each on top of those before."""
    levers = Levers("eager, contiguous, AdamW weight by weight, float32", micro_batch_size=micro)
    yield levers
    for name, changes in (
        ("+ bfloat16", {"precision": "bfloat16"}),
        ("+ channels_last", {"channels_last": True}),
        ("+ fused AdamW", {"fused": True}),
        ("+ cuDNN measures its convolutions", {"searched": True}),
        ("+ compile: blocks", {"compile": "blocks"}),
        (f"+ micro-batches of {large}", {"micro_batch_size": large}),
        ("+ activation checkpoints", {"checkpoints": True}),
        ("compile: whole, without activation checkpoints", {"compile": "whole", "checkpoints": False}),
    ):
        levers = replace(levers, name=name, **changes)
        yield levers


def measured(
    subject: Subject, levers: Levers, batch: int, steps: int, operations: int, peak: float | None
) -> Row:
    """Some steps with these levers; what went wrong is an answer too."""
    loop = LoopConfig(
        max_steps=10**6,
        batch_size=batch,
        micro_batch_size=levers.micro_batch_size,
        precision=levers.precision,
        compile=levers.compile,
        activation_checkpoints=levers.checkpoints,
    )
    try:
        first, seconds, used = steps_of(subject, loop, levers, steps)
    except (torch.OutOfMemoryError, PhotogenicError) as error:
        reason = "out of memory" if isinstance(error, torch.OutOfMemoryError) else str(error).splitlines()[0]
        return Row(levers.name, failed=reason)
    rate = batch / seconds
    share = None if peak is None else rate * operations / peak
    return Row(levers.name, 1000 * seconds, rate, share, used, first)


def steps_of(
    subject: Subject, loop: LoopConfig, levers: Levers, steps: int, snapshots: Snapshots | None = None
) -> tuple[float, float, int]:
    """Seconds of the first step and of a later one, and the largest memory."""
    unet, device = subject.unet, subject.unet.device
    forget(unet, device)  # what the row before has left, even where it failed
    objective = objective_of(subject, 2 * loop.batch_size)
    if not levers.channels_last:
        unet.to(memory_format=torch.contiguous_format)
    torch.backends.cudnn.benchmark = levers.searched
    unet.disable_gradient_checkpointing()
    if loop.activation_checkpoints:
        checkpoint_activations(unet)
    state = initial_state(unet, loop, snapshots)
    if not levers.fused:
        for group in state.optimizer.param_groups:
            group |= {"fused": False, "foreach": False}
    with compiled(unet, loop.compile, backend=subject.compiler):
        return timed_steps(objective, loop, state, steps, device)


def timed_steps(
    objective: DiffusionObjective, loop: LoopConfig, state: Any, steps: int, device: torch.device
) -> tuple[float, float, int]:
    """After the first one no step waits for the one before, as in a training."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    begun = finished(device)
    training_step(objective, loop, state, 0, 0, World())
    after_first = finished(device)
    for number in range(1, steps + 1):
        training_step(objective, loop, state, 0, number, World())
    seconds = (finished(device) - after_first) / steps
    used = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return after_first - begun, seconds, used


def finished(device: torch.device) -> float:
    """The time when all work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def forget(unet: Any, device: torch.device) -> None:
    """Programs, gradients, moments and averages of a row, before the next one."""
    torch._dynamo.reset()
    unet.zero_grad(set_to_none=True)
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
