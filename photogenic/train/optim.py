"""The optimizer and its learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from photogenic.train.config import OptimizerConfig
from photogenic.train.memory import adamw_8bit
from photogenic.train.muon import Muon, is_matrix


class Optimizers:
    """One or two optimizers as one: each has its own parameters, and they share one `state`."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        self.state = parts[0].state
        for part in parts:
            part.state = self.state

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step; a group's `lr_ratio` times that is its own."""
        for group in self.param_groups:
            group["lr"] = rate * group["lr_ratio"]

    def step(self) -> None:
        """One update of everything."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> Optimizers:
    """Fused AdamW for what is trainable in `module`, and Muon for its matrices if a rate for them is given.

    Biases, norms and other vectors are not decayed; tables of embeddings are no matrices.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    matrices = [] if config.matrix_learning_rate is None else _matrices(module)
    taken = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in trainable if id(parameter) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay, "lr_ratio": 1.0},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0, "lr_ratio": 1.0},
    ]
    groups = [group for group in groups if group["params"]]
    parts: list[torch.optim.Optimizer] = []
    if groups:
        make = adamw_8bit if config.eight_bit else _fused_adamw
        parts.append(make(groups, config.learning_rate, config.betas))
    if matrices and config.matrix_learning_rate is not None:
        muon = Muon(matrices, lr=config.matrix_learning_rate, weight_decay=config.weight_decay)
        muon.param_groups[0]["lr_ratio"] = config.matrix_learning_rate / config.learning_rate
        parts.append(muon)
    return Optimizers(*parts)


def _fused_adamw(
    groups: Sequence[dict[str, Any]], lr: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    return torch.optim.AdamW(list(groups), lr=lr, betas=betas, fused=True)


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    return [p for p in module.parameters() if p.requires_grad and is_matrix(p) and id(p) not in tables]


def learning_rate(config: OptimizerConfig, global_step: int, max_steps: int) -> float:
    """The rate for update `global_step` (0, 1, ...): linear warm-up, then what `lr_schedule` says."""
    if global_step < config.warmup_steps:
        return config.learning_rate * (global_step + 1) / config.warmup_steps
    if config.lr_schedule == "constant":
        return config.learning_rate
    if config.lr_schedule == "inverse_sqrt":
        return config.learning_rate / math.sqrt(max(1.0, global_step / config.decay_from_step))
    done = (global_step - config.warmup_steps) / max(1, max_steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
