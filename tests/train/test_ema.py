"""Power-function averages against their closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from photogenic.train.config import DiffusionConfig, LoopConfig, TuneConfig
from photogenic.train.ema import PowerEma, gamma_for


@pytest.mark.parametrize("sigma_rel", [0.05, 0.1, 0.2])
def test_gamma_gives_the_asked_for_width(sigma_rel: float) -> None:
    gamma = gamma_for(sigma_rel)
    width = math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))
    assert width == pytest.approx(sigma_rel, rel=1e-9)


def test_gamma_of_the_paper() -> None:
    assert gamma_for(0.1) == pytest.approx(6.94, abs=0.005)  # EDM2, section 3.1
    assert gamma_for(0.05) == pytest.approx(16.97, abs=0.005)


def test_average_is_the_power_weighted_mean_of_all_steps() -> None:
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    ema = PowerEma([parameter], sigma_rel=0.1)
    values = torch.linspace(1.0, 3.0, 400, dtype=torch.float64) ** 2
    for step, value in enumerate(values, start=1):
        parameter.data.fill_(value)
        ema.update([parameter], step)
    # Weight of step i: (1 - beta_i) * product of later betas; by hand, without the recursion.
    betas = torch.tensor([(1 - 1 / t) ** (ema.gamma + 1) for t in range(1, 401)], dtype=torch.float64)
    weights = torch.stack([(1 - betas[i]) * betas[i + 1 :].prod() for i in range(400)])
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(ema.averages[0]) == pytest.approx(float((weights * values).sum()), rel=1e-10)


def test_first_update_forgets_the_initial_weights() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    ema = PowerEma([parameter], sigma_rel=0.1)
    parameter.data.fill_(5.0)
    ema.update([parameter], 1)
    assert torch.equal(ema.averages[0], torch.full((2,), 5.0))


@pytest.mark.parametrize("every", [1, 10])
def test_updated_seldom_each_value_stands_for_the_steps_since_the_last(every: int) -> None:
    """The profile (gamma + 1) t^gamma / T^(gamma + 1), summed over the steps that a value stands for."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    ema = PowerEma([parameter], sigma_rel=0.1, every=every)
    values = torch.linspace(1.0, 3.0, 200, dtype=torch.float64) ** 2
    for step, value in enumerate(values, start=1):
        parameter.data.fill_(value)
        ema.update([parameter], step)
    ends = torch.arange(every, 201, every, dtype=torch.float64)
    weights = ((ends / 200) ** (ema.gamma + 1)).diff(prepend=torch.zeros(1, dtype=torch.float64))
    assert float(weights.sum()) == pytest.approx(1.0)
    expected = (weights * values[every - 1 :: every]).sum()
    assert float(ema.averages[0]) == pytest.approx(float(expected), rel=1e-10)


def test_averages_on_the_cpu_are_updated_at_every_tenth_step() -> None:
    steps = {"max_steps": 100, "checkpoint_every": 50}
    assert LoopConfig(**steps).averages_every == 1
    assert LoopConfig(**steps, offload_ema=True).averages_every == 10
    assert LoopConfig(**steps, offload_ema=True, ema_every=1).averages_every == 1
    # A recipe that was resolved when 1 was the default says so, and is the same training.
    assert LoopConfig(**steps, ema_every=1).identity() == LoopConfig(**steps).identity()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"ema_every": 8, "max_steps": 80}, "checkpoint_every"),
        ({"ema_every": 200}, "checkpoint_every"),  # the averages would be the weights of the beginning
        ({"offload_ema": True, "max_steps": 105}, "max_steps"),
    ],
)
def test_averages_of_another_step_than_the_checkpoints_are_refused(
    changes: dict[str, int], name: str
) -> None:
    with pytest.raises(ValueError, match=rf"averages are updated every \d+ steps, and `{name}`"):
        LoopConfig.model_validate({"max_steps": 100, "checkpoint_every": 50} | changes)
    loop = {"max_steps": 100, "checkpoint_every": 50, "ema_every": 10}
    with pytest.raises(ValueError, match=r"`ema\.post_hoc\.every` 25 is no multiple"):
        TuneConfig.model_validate({"loop": loop, "ema": {"post_hoc": {"every": 25}}})
    with pytest.raises(ValueError, match=r"`growing\.max_steps` 15 is no multiple"):
        DiffusionConfig.model_validate({"loop": loop, "growing": [{"size_px": 64, "max_steps": 15}]})
