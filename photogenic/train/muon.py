"""Muon: momentum, then orthogonalised updates for matrices.

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the code is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch

Tensor = torch.Tensor

# The quintic of the post: steep at zero and good enough at one. Five rounds put singular values into 0.7-1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NUM_ROUNDS = 5
LEAST_ROWS = 16  # a thinner matrix, such as the one that makes RGB, has nothing to orthogonalise


def is_matrix(parameter: Tensor) -> bool:
    """Whether a weight is updated as a matrix: linear and convolutional ones that are no thin slices."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) >= LEAST_ROWS


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T, by Newton-Schulz rounds. [M, N] -> [M, N]

    A round is X -> P X with P = a I + b G + c G^2 and G = X X^T. All P commute, so the rounds run on the
    small side's Gram matrix alone, and X, which may be many times as wide, is multiplied once.
    """
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    gram, product = x @ x.T, torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(NUM_ROUNDS):
        factor = b * gram + c * gram @ gram
        factor.diagonal().add_(a)
        product = factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x.T if is_tall else x


class Muon(torch.optim.Optimizer):
    """Steps of equal size in all directions of a matrix, where gradient descent follows a few.

    The step of an [M, N] matrix is `lr * sqrt(max(1, M / N))` times an orthogonal matrix; a convolution is
    taken as [out, in * height * width]. Nesterov momentum comes before the orthogonalisation. torch has one
    for two-dimensional parameters in bfloat16, for which many CPUs have no instructions.

    Args:
        matrices: parameters of two dimensions or more; vectors, embeddings and thin matrices belong to AdamW.
        lr: size of a step in spectral norm.
        weight_decay: decoupled, times `lr`.
    """

    def __init__(
        self, matrices: Iterable[Tensor], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all matrices that have a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average: Tensor = state["momentum"].lerp_(gradient, 1.0 - group["momentum"])
        wanted = gradient.lerp(average, group["momentum"])
        step = orthogonalised(wanted.flatten(1))
        ratio = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
        parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
        parameter.add_(step.view_as(parameter), alpha=-group["lr"] * ratio)
