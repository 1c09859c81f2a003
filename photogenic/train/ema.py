"""Moving averages of weights with power-function profiles (Karras et al. 2024, EDM2, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from torch import nn


@lru_cache(maxsize=256)  # asked for each pair of the stored averages
def gamma_for(sigma_rel: float) -> float:
    """The exponent of the profile whose relative standard deviation is `sigma_rel` (EDM2, equation 126).

    The profile t^gamma has sigma_rel = sqrt((gamma + 1) / ((gamma + 2)^2 (gamma + 3))); this solves for
    gamma.
    """
    t = sigma_rel**-2
    return float(np.roots([1.0, 7.0, 16.0 - t, 12.0 - t]).real.max())


class PowerEma:
    """Tracks trainable parameters with beta_t = (1 - 1/t)^(gamma + 1) (EDM2, equation 127).

    The average's length grows with training, so a short run forgets its start as well as a long one does.

    Args:
        every: steps between updates; the weights then stand for the steps since the last one.
        device: where the averages are kept; by default where the parameters are.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        sigma_rel: float,
        *,
        every: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.sigma_rel = sigma_rel
        self.gamma = gamma_for(sigma_rel)
        self.every = every
        self.averages = [p.detach().to(device or p.device, copy=True) for p in parameters]

    @torch.no_grad()
    def update(self, parameters: Iterable[nn.Parameter], global_step: int) -> None:
        """Call after optimizer update `global_step` (1, 2, ...)."""
        if global_step % self.every:
            return
        beta = (1.0 - self.every / global_step) ** (self.gamma + 1.0)
        trained = [p.detach().to(a.device) for p, a in zip(parameters, self.averages, strict=True)]
        torch._foreach_lerp_(self.averages, trained, 1.0 - beta)

    @torch.no_grad()
    def copy_to(self, parameters: Iterable[nn.Parameter]) -> None:
        """Overwrite the parameters by their averages."""
        for parameter, average in zip(parameters, self.averages, strict=True):
            parameter.copy_(average)
