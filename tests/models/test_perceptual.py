"""LPIPS against a second, plain reading of the paper, on random weights; files that are none are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from photogenic.core.errors import MissingModelError
from photogenic.models.perceptual import Lpips, load_lpips

VGG = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512)


def stored_weights() -> dict[str, torch.Tensor]:
    """Random weights under the names of the lpips package: VGG-16's list of layers in five slices."""
    generator = torch.Generator().manual_seed(0)
    stored, number, level, before = {}, 0, 0, 3
    for width in VGG:
        if width == "pool":
            number, level = number + 1, level + 1
            continue
        assert isinstance(width, int)
        name = f"net.slice{level + 1}.{number}"
        spread = (2.0 / (9 * before)) ** 0.5
        stored[f"{name}.weight"] = spread * torch.randn(width, before, 3, 3, generator=generator)
        stored[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)
        stored[f"lin{level}.model.1.weight"] = torch.rand(1, width, 1, 1, generator=generator)
        number, before = number + 2, width  # a ReLU stands between
    stored["scaling_layer.shift"] = torch.zeros(1, 3, 1, 1)  # in the file, and not read: constants
    return stored


def by_hand(stored: dict[str, torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Section 3 of the paper, equation 1."""
    scaled = [
        (x - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1))
        / torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
        for x in (a, b)
    ]
    total, number, level = torch.zeros(len(a)), 0, 0

    def compared() -> torch.Tensor:
        units = [F.normalize(x, dim=1) for x in scaled]
        weight = stored[f"lin{level}.model.1.weight"].view(1, -1, 1, 1)
        return (weight * (units[0] - units[1]) ** 2).sum(dim=1).mean(dim=(1, 2))

    for width in VGG:
        if width == "pool":
            total += compared()
            scaled = [F.max_pool2d(x, 2) for x in scaled]
            number, level = number + 1, level + 1
            continue
        name = f"net.slice{level + 1}.{number}"
        scaled = [
            F.relu(F.conv2d(x, stored[f"{name}.weight"], stored[f"{name}.bias"], padding=1)) for x in scaled
        ]
        number += 2
    return total + compared()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_file(stored_weights(), tmp_path / "lpips.safetensors")
    return tmp_path / "lpips.safetensors"


def test_distance_is_that_of_the_paper(weights: Path) -> None:
    lpips = load_lpips(weights)
    a, b = torch.rand(2, 2, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(lpips(a, b), by_hand(stored_weights(), a, b), rtol=1e-4, atol=1e-6)
    assert torch.equal(lpips(a, a), torch.zeros(2))
    assert sum(p.numel() for p in lpips.convolutions.parameters()) == 14_714_688  # VGG-16's, by its paper
    assert not any(p.requires_grad for p in lpips.parameters())


def test_gradients_are_finite_where_no_feature_fires() -> None:
    lpips = Lpips()
    with torch.no_grad():
        for convolution in lpips.convolutions.values():
            convolution.bias.fill_(-1e3)
    pixels = torch.zeros(1, 3, 16, 16, requires_grad=True)
    lpips(pixels, torch.ones(1, 3, 16, 16)).sum().backward()
    assert pixels.grad is not None and bool(pixels.grad.isfinite().all())


def test_what_is_no_lpips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="no LPIPS weights"):
        load_lpips(tmp_path / "missing.safetensors")
    (tmp_path / "vgg.pth").write_bytes(b"a pickle")
    with pytest.raises(MissingModelError, match="no LPIPS weights"):
        load_lpips(tmp_path / "vgg.pth")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(MissingModelError, match="does not hold the weights of LPIPS"):
        load_lpips(tmp_path / "other.safetensors")
