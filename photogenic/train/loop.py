"""The one training loop. It keeps order, checkpoints and faults; an objective says what is minimised.

To resume, run the same command again: the last checkpoint is found by its key, and because batches and noise
are functions of (seed, step), the run ends with the weights it would have had without the interruption.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from photogenic.core.console import progress
from photogenic.core.errors import DivergedError, RecipeError
from photogenic.train.config import LoopConfig
from photogenic.train.distributed import World, current_world
from photogenic.train.ema import PowerEma
from photogenic.train.memory import attention_in, checkpoint_activations, computing_in
from photogenic.train.optim import learning_rate, make_optimizer
from photogenic.train.order import Part, batch_indices, parts_of_batch, repeats
from photogenic.train.post_hoc import TRACKED, Snapshots
from photogenic.train.sharding import shard, whole
from photogenic.train.state import TrainState, latest_checkpoint, restore_latest, save_checkpoint
from photogenic.train.trackers import training_log


class Objective(Protocol):
    """What one kind of training minimises."""

    @property
    def module(self) -> nn.Module:
        """Holds all trainable parameters."""
        ...

    @property
    def num_samples(self) -> int:
        """Size of the training set."""
        ...

    @property
    def groups(self) -> np.ndarray | None:
        """Int [num_samples]: only samples of one group share a forward pass; None where all can."""
        ...

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        """Mean losses over the samples; `loss` is the one to minimise, others are for the log.

        Args:
            repeats: which time in this step each sample comes, for noise of its own; by default the first.
        """
        ...

    def sample_names(self, indices: np.ndarray) -> list[str]:
        """What the samples are called, for a message."""
        ...

    def validate(self) -> dict[str, float]:
        """Deterministic measures on held-out samples, with the averaged weights in place."""
        ...


EXPLODED = 1e4  # targets have a variance of about one, so no loss that learns is ever near
NAMED = 20  # samples at most in a message
OnCheckpoint = Callable[[int], dict[str, float]]


def train(
    objective: Objective,
    config: LoopConfig,
    folder: Path,
    *,
    key: str,
    seed: int,
    description: str,
    on_checkpoint: OnCheckpoint | None = None,
    snapshots: Snapshots | None = None,
) -> None:
    """Minimise until `max_steps`; afterwards `objective.module` holds the averaged weights.

    Writes `folder/checkpoints/step-*.safetensors` and `folder/metrics.jsonl`. Before a checkpoint is saved,
    `on_checkpoint(global_step)` is called with the averaged weights in place, and what it measures is logged;
    after a kill it may be called again for the same step. With `snapshots`, averages of two lengths are
    stored there, from which any other is made.

    Raises:
        DivergedError: a loss or a gradient is not finite; it names the last good checkpoint, which stays.
    """
    world = current_world()
    _check_batch(config, world)
    if config.activation_checkpoints:
        checkpoint_activations(objective.module)
    if config.sharded and world.size > 1:
        shard(objective.module)
    state = initial_state(objective.module, config, snapshots)
    checkpoints = folder / "checkpoints"
    restore_latest(checkpoints, state, key)
    world.wait()
    keeps = world.is_main or state.is_sharded  # of a state that is split, each process keeps its part
    if snapshots is not None and state.global_step == 0:
        if keeps:
            snapshots.begin()
        world.wait()

    with _speaking(world, config, folder, key, state.global_step, description) as (advance, log):
        advance(state.global_step)
        begun = time.monotonic()
        for global_step in range(state.global_step, config.max_steps):
            try:
                logged = training_step(objective, config, state, seed, global_step, world)
            except DivergedError as error:
                raise DivergedError(error.what, _what_to_change(checkpoints, key, config)) from None
            last = state.global_step == config.max_steps
            if state.global_step % config.log_every == 0 or last:
                log(state.global_step, **logged, seconds=round(time.monotonic() - begun, 1))
            if keeps and snapshots is not None and (state.global_step % snapshots.every == 0 or last):
                snapshots.save(state.global_step, _tracked(state))
            if keeps and (state.global_step % config.checkpoint_every == 0 or last):
                with averaged_weights(state):
                    validated = _validate(objective, config)
                    measured = on_checkpoint(state.global_step) if on_checkpoint is not None else {}
                    log(state.global_step, **validated, **measured)
                save_checkpoint(checkpoints, state, key)
            advance(1)
    state.ema.copy_to(state.parameters.values())


def _what_to_change(checkpoints: Path, key: str, config: LoopConfig) -> str:
    """After a training diverged: where its last good weights are, and what kept it from going on."""
    path, optimizer = latest_checkpoint(checkpoints, key), config.optimizer
    good = (
        "No checkpoint had been written yet."
        if path is None
        else f"The last good weights are in {path}, and the same command goes on from there."
    )
    return (
        f"{good} With the same numbers it diverges at the same step again: look at the samples, then lower"
        f" `optimizer.learning_rate` (now {optimizer.learning_rate:g}) or `optimizer.max_grad_norm` (now"
        f" {optimizer.max_grad_norm:g}), or lengthen `optimizer.warmup_steps` (now {optimizer.warmup_steps})."
        " With other numbers a training begins anew."
    )


def _check_batch(config: LoopConfig, world: World) -> None:
    if config.batch_size < world.size:
        raise RecipeError(
            f"A batch of {config.batch_size} samples does not go round {world.size} processes.",
            "Raise `loop.batch_size`, or start fewer processes.",
        )


class Log(Protocol):
    """Takes what is measured at a step."""

    def __call__(self, global_step: int, **values: float) -> None: ...


@contextmanager
def _speaking(
    world: World, config: LoopConfig, folder: Path, key: str, global_step: int, description: str
) -> Iterator[tuple[Callable[[int], None], Log]]:
    """The progress bar and the log; only the main process has them."""
    if not world.is_main:
        yield (lambda n: None), (lambda global_step, **values: None)
        return
    with (
        training_log(folder, config.trackers, key, global_step) as log,
        progress(description, config.max_steps) as advance,
    ):
        yield advance, log.write


def initial_state(module: nn.Module, config: LoopConfig, snapshots: Snapshots | None) -> TrainState:
    """The state before the first step: what learns, its moments and its averages."""
    parameters = trainable(module)
    optimizer = make_optimizer(module, config.optimizer)

    def average(sigma_rel: float) -> PowerEma:
        device = torch.device("cpu") if config.offload_ema else None
        return PowerEma(parameters.values(), sigma_rel, every=config.averages_every, device=device)

    others = () if snapshots is None else (length for length in TRACKED if length != config.ema_sigma_rel)
    profiles = [average(length) for length in others]
    return TrainState(parameters, optimizer, average(config.ema_sigma_rel), profiles=profiles)


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def _tracked(state: TrainState) -> list[PowerEma]:
    return [ema for ema in (state.ema, *state.profiles) if ema.sigma_rel in TRACKED]


def training_step(
    objective: Objective, config: LoopConfig, state: TrainState, seed: int, global_step: int, world: World
) -> dict[str, float]:
    """One optimizer update; returns what to log."""
    rate = learning_rate(config.optimizer, global_step, config.max_steps)
    state.optimizer.set_rate(rate)
    indices = batch_indices(seed, global_step, config.batch_size, objective.num_samples)
    parts = parts_of_batch(
        indices,
        world.rank,
        world.size,
        config.micro_batch_size or config.batch_size,
        groups=objective.groups,
        evenly=state.is_sharded,
        repeats=repeats(global_step, config.batch_size, objective.num_samples),
    )
    with attention_in(config.precision, objective.module):
        logged, suspects = _add_gradients(objective, config.precision, parts, global_step)
    if not state.is_sharded:
        world.sum_gradients(state.parameters.values())
    logged = world.sum(logged)
    grad_norm = clip_gradients(state.parameters.values(), config.optimizer.max_grad_norm)
    if not (logged["loss"] < EXPLODED and math.isfinite(grad_norm)):
        among = f", among these samples: {', '.join(suspects[:NAMED])}" if suspects else ""
        raise DivergedError(
            f"Training diverged at step {global_step + 1}: loss {logged['loss']}, gradient norm {grad_norm}"
            f"{among}."
        )
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.global_step = global_step + 1
    state.update_averages()
    return {**logged, "grad_norm": grad_norm, "learning_rate": rate}


def _add_gradients(
    objective: Objective, precision: str, parts: Iterable[Part], global_step: int
) -> tuple[dict[str, float], list[str]]:
    """Forward and backward over all parts: the losses, and the samples of parts that exploded."""
    measured: list[tuple[Part, dict[str, torch.Tensor]]] = []
    for part in parts:
        with computing_in(precision, objective.module):
            losses = objective.losses(part.indices, global_step, part.repeats)
        (losses["loss"] * part.share).backward()
        measured.append((part, {name: loss.detach() for name, loss in losses.items()}))
    logged: dict[str, float] = {}
    suspects: list[str] = []
    for part, values in measured:  # read only now: to read is to wait for a GPU, which then waits for work
        if not float(values["loss"]) < EXPLODED:
            suspects.extend(objective.sample_names(part.indices))
        for name, value in values.items():
            logged[name] = logged.get(name, 0.0) + float(value) * part.share
    return logged, suspects


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale the gradients down to a global norm of `max_norm`; answers their norm before.

    As `clip_grad_norm_`, which multiplies all gradients by one where they are small enough already.
    """
    learning = [parameter for parameter in parameters if parameter.grad is not None]
    norm = whole(nn.utils.get_total_norm([p.grad for p in learning if p.grad is not None]))
    if float(norm) + 1e-6 > max_norm:  # its own small number against a division by zero
        nn.utils.clip_grads_with_norm_(learning, max_norm, norm)
    return float(norm)


def _validate(objective: Objective, config: LoopConfig) -> dict[str, float]:
    with computing_in(config.precision, objective.module):
        return objective.validate()


@contextmanager
def averaged_weights(state: TrainState) -> Iterator[None]:
    """Within it, the module carries the averaged weights; afterwards the trained ones again."""
    parameters = list(state.parameters.values())
    trained = [parameter.detach().clone() for parameter in parameters]
    state.ema.copy_to(parameters)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, weights in zip(parameters, trained, strict=True):
                parameter.copy_(weights)
