"""A patch discriminator: is each patch of a picture real, or has the autoencoder made it?"""

from __future__ import annotations

import torch
from torch import nn

Tensor = torch.Tensor

LEAST_PATCHES = 3  # the last two convolutions take one patch each away
NUM_GROUPS = 8


class PatchDiscriminator(nn.Module):
    """Convolutions with stride 2, then one number per patch (Isola et al. 2017, section 3.2.2).

    Group norms in place of the paper's batch norms: what one picture is told does not depend on the others
    in its micro-batch.

    Args:
        base_channels: width of the first layer; it doubles at each of the following ones, up to eight times.
        num_layers: convolutions with stride 2.
    """

    def __init__(self, base_channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        self.num_layers = num_layers
        widths = [base_channels * min(2**level, 8) for level in range(num_layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for level in range(1, num_layers + 1):
            stride = 2 if level < num_layers else 1
            layers += [
                nn.Conv2d(widths[level - 1], widths[level], 4, stride=stride, padding=1, bias=False),
                nn.GroupNorm(NUM_GROUPS, widths[level]),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1))

    @property
    def least_size_px(self) -> int:
        """The smallest picture that it can judge."""
        return int(LEAST_PATCHES * 2**self.num_layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] => [B, 1, h, w]; the larger, the more real."""
        return self.layers(pixels)
