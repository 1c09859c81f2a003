"""Power-function averages against their closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

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
