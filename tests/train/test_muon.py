from __future__ import annotations

import pytest
import torch
from torch import nn

from photogenic.train import muon
from photogenic.train.muon import Muon, is_matrix, orthogonalised


@pytest.mark.parametrize("shape", [(24, 24), (16, 90), (90, 16)])
def test_singular_values_become_nearly_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    (result,) = orthogonalised([matrix])
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.3
    inner = u.T @ result @ v.T  # diagonal when the singular vectors are those of the matrix
    assert (inner - inner.diag().diag()).abs().max() < 0.01


def test_the_size_of_a_gradient_does_not_matter() -> None:
    matrix = torch.randn(20, 30, generator=torch.Generator().manual_seed(1))
    once, again = orthogonalised([matrix, 1e3 * matrix])
    torch.testing.assert_close(once, again, rtol=1e-3, atol=1e-3)


def test_many_matrices_together_are_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(4)
    shapes = [(20, 30), (40, 20), (20, 20), (24, 30), (30, 20), (20, 31)]
    matrices = [torch.randn(shape, generator=generator) for shape in shapes]
    alone = [orthogonalised([matrix])[0] for matrix in matrices]
    monkeypatch.setattr(muon, "STACK_NUMBERS", 2 * 20 * 20)  # stacks of two, the last one of one
    torch.testing.assert_close(orthogonalised(matrices), alone, rtol=1e-4, atol=1e-5)


def test_one_step_by_hand() -> None:
    weight = nn.Parameter(torch.ones(40, 20, 1, 1))
    gradient = torch.randn(40, 20, 1, 1, generator=torch.Generator().manual_seed(2))
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.5).step()
    momentum = 0.1 * gradient
    wanted = gradient.lerp(momentum, 0.9)
    expected = 1.0 - 0.1 * 0.5 - 0.1 * 2**0.5 * orthogonalised([wanted.flatten(1)])[0].view_as(weight)
    torch.testing.assert_close(weight.detach(), expected)


def test_it_learns_a_rotation() -> None:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(256, 32, generator=generator)
    targets = inputs @ torch.linalg.qr(torch.randn(32, 32, generator=generator)).Q
    layer = nn.Linear(32, 32, bias=False)
    nn.init.zeros_(layer.weight)
    optimizer = Muon(layer.parameters(), lr=0.05)
    for step in range(100):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 100)
        loss = (layer(inputs) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.01 * float(targets.square().mean())


@pytest.mark.parametrize(
    ("shape", "expected"), [((32, 16), True), ((32, 4, 3, 3), True), ((3, 64, 3, 3), False), ((64,), False)]
)
def test_what_counts_as_a_matrix(shape: tuple[int, ...], expected: bool) -> None:
    assert is_matrix(torch.zeros(shape)) is expected
