"""The adversarial loss of the autoencoder (Esser et al. 2021, VQGAN, section 3.1), with one optimizer.

The discriminator learns in the same step as the autoencoder: its own loss sees a detached reconstruction, and
the autoencoder's loss sees a discriminator whose weights are taken as constants. So neither gradient reaches
the other's weights, and one backward pass serves both.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from photogenic.core.errors import RecipeError
from photogenic.models.discriminator import PatchDiscriminator
from photogenic.train.config import AdversarialConfig

Tensor = torch.Tensor

DELTA = 1e-4  # "a small constant for numerical stability" (VQGAN, equation 7)
MAX_WEIGHT = 1e4  # so that a generator that is told nothing does not make its loss count without end


def hinge_loss(of_real: Tensor, of_made: Tensor) -> Tensor:
    """The discriminator's: real patches above 1, made ones below -1 (Lim & Ye 2017)."""
    return 0.5 * (F.relu(1.0 - of_real).mean() + F.relu(1.0 + of_made).mean())


def adaptive_weight(wanted: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """How much the adversarial loss counts, so that both losses pull equally at the decoder's last layer.

    |grad of the wanted loss| / (|grad of the adversarial loss| + delta) (VQGAN, equation 7); no gradient
    flows through it.
    """
    (of_wanted,) = torch.autograd.grad(wanted, last_layer, retain_graph=True)
    (of_adversarial,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (of_wanted.norm() / (of_adversarial.norm() + DELTA)).clamp(max=MAX_WEIGHT).detach()


class Adversary:
    """The discriminator and both of its losses."""

    def __init__(self, config: AdversarialConfig, size_px: int) -> None:
        self.config = config
        self.discriminator = PatchDiscriminator(config.base_channels, config.num_layers)
        if size_px < self.discriminator.least_size_px:
            raise RecipeError(
                f"A discriminator of {config.num_layers} layers judges pictures of at least"
                f" {self.discriminator.least_size_px} px; these have {size_px}.",
                "Lower `adversarial.num_layers`.",
            )

    def losses(
        self, reconstruction: Tensor, pixels: Tensor, wanted: Tensor, last_layer: Tensor, global_step: int
    ) -> dict[str, Tensor]:
        """`adversarial` (already weighted) is the autoencoder's, `discriminator` its opponent's.

        Nothing before `start_step`: a discriminator tells blurs from pictures at once, and teaches noise.
        """
        if global_step < self.config.start_step:
            return {}
        constants = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        judged = torch.func.functional_call(self.discriminator, constants, (reconstruction,))
        adversarial = -judged.mean()
        weight = self.config.weight * adaptive_weight(wanted, adversarial, last_layer)
        told = hinge_loss(self.discriminator(pixels), self.discriminator(reconstruction.detach()))
        return {"adversarial": weight * adversarial, "discriminator": told, "adaptive_weight": weight}

    def beside(self, autoencoder: nn.Module) -> nn.Module:
        """Both as one module, for one optimizer."""
        return nn.ModuleDict({"autoencoder": autoencoder, "discriminator": self.discriminator})
