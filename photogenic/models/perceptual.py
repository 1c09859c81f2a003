"""LPIPS: how different two pictures look, by the features of a VGG-16 (Zhang et al. 2018).

The code is our own; weights are read from one safetensors file with the names of the `lpips` package:

    import lpips
    from safetensors.torch import save_file
    state = lpips.LPIPS(net="vgg").state_dict()
    save_file({k: v.contiguous() for k, v in state.items() if not k.startswith("lins.")}, "lpips.safetensors")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from photogenic.core.errors import MissingModelError

Tensor = torch.Tensor

# Per level (width, the numbers of its convolutions in VGG-16's list of layers).
LEVELS = ((64, (0, 2)), (128, (5, 7)), (256, (10, 12, 14)), (512, (17, 19, 21)), (512, (24, 26, 28)))
# The features were trained on pictures in [0, 1], normalised by ImageNet's mean and spread; here in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
TINY = 1e-20  # under a square root: its slope at nothing is infinite
EPSILON = 1e-10  # beside a norm that may be nothing


class Lpips(nn.Module):
    """Weighted squared differences of normalised features, averaged over places, summed over five levels."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        self.weights = nn.ParameterList()
        width_before = 3
        for width, numbers in LEVELS:
            for number in numbers:
                self.convolutions[str(number)] = nn.Conv2d(width_before, width, 3, padding=1)
                width_before = width
            self.weights.append(nn.Parameter(torch.empty(1, width, 1, 1).uniform_()))
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances of pictures [B, 3, H, W] in [-1, 1], sides of at least 16 px, [B]."""
        distance = a.new_zeros(len(a))
        levels = zip(self._features(a), self._features(b), self.weights, strict=True)
        for of_a, of_b, weight in levels:
            difference = (_normalised(of_a) - _normalised(of_b)).square()
            distance = distance + F.conv2d(difference, weight).mean(dim=(1, 2, 3))
        return distance

    def _features(self, pixels: Tensor) -> Iterator[Tensor]:
        x = (pixels - self.shift) / self.scale
        for level, (_, numbers) in enumerate(LEVELS):
            x = F.max_pool2d(x, 2) if level else x
            for number in numbers:
                x = F.relu(self.convolutions[str(number)](x))
            yield x


def _normalised(features: Tensor) -> Tensor:
    norm = (features.square().sum(dim=1, keepdim=True) + TINY).sqrt()
    return features / (norm + EPSILON)


def load_lpips(path: Path) -> Lpips:
    """Frozen, from a safetensors file with the names of the `lpips` package.

    Raises:
        MissingModelError: there is no such file, or it holds other weights.
    """
    if path.suffix != ".safetensors" or not path.is_file():
        raise MissingModelError(
            f"There are no LPIPS weights at {path}.",
            "Give a safetensors file; docs/train.md says how to make it. A pickle is not opened.",
        )
    lpips = Lpips()
    try:
        lpips.load_state_dict(_own_names(load_file(path)))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise MissingModelError(
            f"{path} does not hold the weights of LPIPS with VGG-16: {error}",
            "docs/train.md says how to make it.",
        ) from error
    return lpips.requires_grad_(False).eval()


def _own_names(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {f"weights.{level}": stored[f"lin{level}.model.1.weight"] for level in range(len(LEVELS))}
    for level, (_, numbers) in enumerate(LEVELS):
        for number in numbers:
            for part in ("weight", "bias"):
                named[f"convolutions.{number}.{part}"] = stored[f"net.slice{level + 1}.{number}.{part}"]
    return named
