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


def test_inverse_square_root_does_not_ask_how_long_the_run_is() -> None:
    config = OptimizerConfig(
        learning_rate=1.0, warmup_steps=0, lr_schedule="inverse_sqrt", decay_from_step=100
    )
    assert learning_rate(config, 100, 200) == 1.0
    assert learning_rate(config, 400, 500) == learning_rate(config, 400, 10_000) == 0.5


def test_vectors_are_not_decayed() -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    groups = make_optimizer(layer, OptimizerConfig(weight_decay=0.1)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]


def test_matrices_go_to_muon_and_tables_and_thin_ones_do_not() -> None:
    module = nn.ModuleDict(
        {"table": nn.Embedding(50, 32), "wide": nn.Conv2d(20, 32, 3), "thin": nn.Conv2d(32, 3, 3)}
    )
    config = OptimizerConfig(learning_rate=1e-3, matrix_learning_rate=0.02)
    optimizer = make_optimizer(module, config)
    adamw, muon = optimizer.parts
    assert [list(p.shape) for p in muon.param_groups[0]["params"]] == [[32, 20, 3, 3]]
    assert sum(len(group["params"]) for group in adamw.param_groups) == 4
    optimizer.set_rate(5e-4)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([5e-4, 5e-4, 0.01])
