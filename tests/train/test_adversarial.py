"""The adversarial loss: closed forms, gradients that stay apart, a resume; and the perceptual loss."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.core.run import MetricsLog
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.config import AdversarialConfig, AutoencoderConfig
from photogenic.train.haystack import Haystack
from photogenic.train.loop import train
from photogenic.train.objectives.adversarial import DELTA, MAX_WEIGHT, Adversary, adaptive_weight, hinge_loss
from photogenic.train.objectives.autoencoder import AutoencoderObjective
from photogenic.train.parts.autoencoder import build_autoencoder, make_objective, train_autoencoder

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
from test_perceptual import stored_weights

LOOP = {"max_steps": 6, "batch_size": 4, "checkpoint_every": 2, "log_every": 1}
ADVERSARIAL = {"base_channels": 8, "num_layers": 2, "start_step": 2}


def config(**changes: Any) -> AutoencoderConfig:
    values = {"block_out_channels": (16, 16, 16, 16), "loop": LOOP, "adversarial": ADVERSARIAL}
    return AutoencoderConfig.model_validate(values | changes)


def test_hinge_loss_by_hand() -> None:
    of_real, of_made = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.0, 1.0])
    assert float(hinge_loss(of_real, of_made)) == pytest.approx(0.5 * ((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3))
    assert float(hinge_loss(torch.ones(4), -torch.ones(4))) == 0.0


def test_adaptive_weight_makes_both_gradients_equally_long() -> None:
    last = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    wanted, adversarial = (last * torch.tensor([3.0, 4.0])).sum(), (last * torch.tensor([0.0, 0.1])).sum()
    assert float(adaptive_weight(wanted, adversarial, last)) == pytest.approx(5.0 / (0.1 + DELTA))
    assert not adaptive_weight(wanted, adversarial, last).requires_grad
    nothing = (0.0 * last).sum()
    assert float(adaptive_weight(2.0 * wanted, nothing, last)) == pytest.approx(min(10.0 / DELTA, MAX_WEIGHT))


def losses(haystack: Haystack, step: int) -> tuple[AutoencoderObjective, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    settings = config()
    objective = make_objective(build_autoencoder(settings, 32), settings, haystack, 0)
    return objective, objective.losses(np.arange(4), step)


def test_nothing_before_its_first_step(haystack: Haystack) -> None:
    objective, terms = losses(haystack, 1)
    assert "discriminator" not in terms
    terms["loss"].backward()
    assert objective.adversary is not None
    assert all(weight.grad is None for weight in objective.adversary.discriminator.parameters())


def test_each_side_has_its_own_gradient(haystack: Haystack) -> None:
    objective, terms = losses(haystack, 2)
    assert objective.adversary is not None
    parts = {"autoencoder": objective.autoencoder, "discriminator": objective.adversary.discriminator}

    def gradients(loss: torch.Tensor) -> dict[str, float]:
        objective.module.zero_grad()
        loss.backward(retain_graph=True)
        return {
            name: sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None)
            for name, part in parts.items()
        }

    told = gradients(terms["discriminator"])
    assert told["autoencoder"] == 0.0 < told["discriminator"]
    fooled = gradients(terms["adversarial"])
    assert fooled["discriminator"] == 0.0 < fooled["autoencoder"]
    both = gradients(terms["loss"])
    assert both["discriminator"] == pytest.approx(told["discriminator"], rel=1e-4)


def test_the_discriminator_learns_to_tell_them_apart(haystack: Haystack, tmp_path: Path) -> None:
    settings = config(
        adversarial={**ADVERSARIAL, "start_step": 0},
        loop=LOOP | {"max_steps": 40, "optimizer": {"learning_rate": 2e-3, "warmup_steps": 5}},
    )
    train_autoencoder(settings, 32, haystack, tmp_path / "autoencoder", seed=0)
    rows = MetricsLog(tmp_path / "autoencoder" / "metrics.jsonl").rows()
    told = [row["discriminator"] for row in rows if "discriminator" in row]
    assert told[0] == pytest.approx(1.0, abs=0.15)  # it says nothing yet: hinge at zero on both sides
    assert sum(told[-5:]) / 5 < 0.7
    loaded = FourierAutoencoderKL.from_pretrained(tmp_path / "autoencoder" / "model")
    assert not any("discriminator" in name for name in loaded.state_dict())


class Killed(Exception):
    """Stands for a kill: nothing after it runs."""


def test_an_interrupted_contest_ends_bit_identical(haystack: Haystack, tmp_path: Path) -> None:
    def fit(folder: Path, on_step: Callable[[int], None] = lambda step: None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        settings = config()
        objective = make_objective(build_autoencoder(settings, 32), settings, haystack, 0)
        original = objective.losses

        def watched(
            indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
        ) -> dict[str, torch.Tensor]:
            on_step(global_step)
            return original(indices, global_step, repeats)

        objective.losses = watched  # type: ignore[method-assign]
        train(objective, settings.loop, folder, key="k", seed=0, description="test")
        return [weight.detach() for weight in objective.module.parameters()]

    def kill(step: int) -> None:
        if step == 5:
            raise Killed

    whole = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "cut", kill)
    resumed = fit(tmp_path / "cut")
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_perceptual_loss_counts_by_its_weight(haystack: Haystack, tmp_path: Path) -> None:
    path = tmp_path / "lpips.safetensors"
    save_file(stored_weights(), path)
    found = []
    for weight in (1.0, 3.0):
        settings = config(adversarial=None, perceptual={"weights": str(path), "weight": weight})
        torch.manual_seed(0)
        objective = make_objective(build_autoencoder(settings, 32), settings, haystack, 0)
        found.append(objective.losses(np.arange(4), 0))
    one, three = found
    assert float(one["perceptual"].detach()) > 0.0
    assert float((three["loss"] - one["loss"]).detach()) == pytest.approx(
        2 * float(one["perceptual"].detach()), rel=1e-3
    )
    missing = config(perceptual={"weights": str(tmp_path / "none.safetensors")})
    with pytest.raises(MissingModelError, match="no LPIPS weights"):
        train_autoencoder(missing, 32, haystack, tmp_path / "autoencoder", seed=0)


def test_pictures_too_small_to_judge_are_refused() -> None:
    with pytest.raises(RecipeError, match="at least 24 px; these have 16"):
        Adversary(AdversarialConfig(), 16)
    assert Adversary(AdversarialConfig(base_channels=8), 24).discriminator(
        torch.zeros(1, 3, 24, 24)
    ).shape == (*(1, 1, 1, 1),)
