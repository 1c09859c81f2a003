"""The learning-rate schedule and what is decayed."""

from __future__ import annotations

import pytest
from torch import nn

from photogenic.train.config import OptimizerConfig
from photogenic.train.optim import learning_rate, make_optimizer


def test_warm_up_then_constant() -> None:
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(config, step, 100) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_ends_at_zero() -> None:
    config = OptimizerConfig(learning_rate=2.0, warmup_steps=0, lr_schedule="cosine")
    assert learning_rate(config, 0, 10) == 2.0
    assert learning_rate(config, 5, 10) == pytest.approx(1.0)
    assert learning_rate(config, 10, 10) == pytest.approx(0.0)


def test_vectors_are_not_decayed() -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    groups = make_optimizer(layer.parameters(), OptimizerConfig(weight_decay=0.1)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]
