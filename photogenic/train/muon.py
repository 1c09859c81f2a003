"""Muon: momentum, then orthogonalised updates for matrices.

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the code is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import torch

Tensor = torch.Tensor

# The quintic of the post: steep at zero and good enough at one. Five rounds put singular values into 0.7-1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NUM_ROUNDS = 5
STACK_NUMBERS = 2**22  # at most so many numbers go through the rounds at once: 16 MiB
LEAST_ROWS = 16  # a thinner matrix, such as the one that makes RGB, has nothing to orthogonalise


def is_matrix(parameter: Tensor) -> bool:
    """Whether a weight is updated as a matrix: linear and convolutional ones that are no thin slices."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) >= LEAST_ROWS


def orthogonalised(matrices: Sequence[Tensor]) -> list[Tensor]:
    """About U V^T of each singular value decomposition U S V^T, by Newton-Schulz rounds. [M, N] -> [M, N]

    A round is X -> P X with P = a I + b G + c G^2 and G = X X^T. All P commute, so the rounds run on the
    small side's Gram matrix alone, and X, which may be many times as wide, is multiplied once. Gram matrices
    of one size go through the rounds together: a small product alone leaves most of a processor idle.
    """
    flat = [matrix.T if _is_tall(matrix) else matrix for matrix in matrices]
    flat = [x / (x.norm() + 1e-7) for x in flat]
    results: list[Tensor] = [*flat]
    for rows in _stacks(flat):
        products = _rounds(torch.stack([flat[row] @ flat[row].T for row in rows]))
        for row, product in zip(rows, products, strict=True):
            results[row] = product @ flat[row]
    return [x.T if _is_tall(matrix) else x for matrix, x in zip(matrices, results, strict=True)]


def _is_tall(matrix: Tensor) -> bool:
    return matrix.shape[0] > matrix.shape[1]


def _stacks(weights: Sequence[Tensor]) -> Iterator[list[int]]:
    """Which of them go together: those of one smaller side, within the memory of a stack."""
    alike: dict[int, list[int]] = {}
    for row, weight in enumerate(weights):
        alike.setdefault(min(len(weight), weight[0].numel()), []).append(row)
    for side, rows in alike.items():
        count = max(1, STACK_NUMBERS // side**2)
        yield from (rows[first : first + count] for first in range(0, len(rows), count))


def _rounds(gram: Tensor) -> Tensor:
    """The product of all rounds' factors, for Gram matrices [B, M, M]."""
    a, b, c = NEWTON_SCHULZ
    product = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for _ in range(NUM_ROUNDS):
        factor = torch.bmm(gram, gram).mul_(c).add_(gram, alpha=b)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = torch.bmm(factor, product)
        gram = torch.bmm(torch.bmm(factor, gram), factor)
    return product


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
            weights = [weight for weight in group["params"] if weight.grad is not None]
            for rows in _stacks(weights):  # one stack after the other: no copy of all weights at once
                self._update([weights[row] for row in rows], group)
        return loss

    def _update(self, weights: Sequence[Tensor], group: dict[str, Any]) -> None:
        wanted = [
            self._wanted(weight, weight.grad, group["momentum"])
            for weight in weights
            if weight.grad is not None
        ]
        for weight, step in zip(weights, orthogonalised(wanted), strict=True):
            ratio = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
            weight.mul_(1.0 - group["lr"] * group["weight_decay"])
            weight.add_(step.reshape(weight.shape), alpha=-group["lr"] * ratio)

    def _wanted(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        """The averaged gradient, as a matrix."""
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average: Tensor = state["momentum"].lerp_(gradient, 1.0 - momentum)
        return gradient.lerp(average, momentum).flatten(1)
