"""The autoencoder's reconstruction loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from photogenic.core.run import seed_for
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.config import AutoencoderConfig
from photogenic.train.data import Pictures, to_tensor
from photogenic.train.objectives.adversarial import Adversary

Tensor = torch.Tensor
SHRINKINGS = (2, 4)  # of latents and picture alike, where the latents are large enough
Perceptual = Callable[[Tensor, Tensor], Tensor]  # pictures [B, 3, H, W] in [-1, 1], twice => distances [B]


def psnr(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per picture, dB; inputs [B, 3, H, W] in [-1, 1], [B] out."""
    mse = (reconstruction.clamp(-1, 1) - target).square().mean(dim=(1, 2, 3)) / 4.0  # range 2 => 1
    return -10.0 * torch.log10(mse.clamp_min(1e-10))


def gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical image gradients: keeps edges sharp."""
    difference = a - b
    horizontal = difference[..., :, 1:] - difference[..., :, :-1]
    vertical = difference[..., 1:, :] - difference[..., :-1, :]
    return horizontal.abs().mean() + vertical.abs().mean()


class AutoencoderObjective:
    """Squared, absolute and gradient error plus a small KL term; pictures are mirrored at random.

    Where they are given, a perceptual distance and an adversary's loss besides.
    """

    def __init__(
        self,
        autoencoder: FourierAutoencoderKL,
        config: AutoencoderConfig,
        train: Pictures,
        validation: Pictures,
        seed: int,
        *,
        perceptual: Perceptual | None = None,
        adversary: Adversary | None = None,
    ) -> None:
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)
        self.perceptual = perceptual
        self.adversary = adversary
        self.module: nn.Module = autoencoder if adversary is None else adversary.beside(autoencoder)
        self.config = config
        self.train = train
        self.validation = validation
        self.seed = seed
        self.num_samples = len(train)
        self.groups: np.ndarray | None = None

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, Tensor]:
        pixels, device = to_tensor(self.train.rgb[indices]), self.autoencoder.device
        again = np.zeros(len(indices), np.int64) if repeats is None else repeats
        generators = [
            self._generator(i, global_step, repeat) for i, repeat in zip(indices, again, strict=True)
        ]
        mirrored = torch.tensor([bool(torch.rand((), generator=g) < 0.5) for g in generators])
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels).to(device)
        posterior = self.autoencoder.encode(pixels).latent_dist
        noise = torch.stack([torch.randn(posterior.mean.shape[1:], generator=g) for g in generators])
        latents = posterior.mean + posterior.std * noise.to(device)
        reconstruction = self.autoencoder.decode(latents).sample
        wanted, terms = self._reconstruction_loss(reconstruction, pixels)
        terms["kl"] = posterior.kl().mean() / posterior.mean[0].numel()
        loss = wanted + self.config.kl_weight * terms["kl"]
        if self.config.scale_weight > 0:
            terms["scale"] = self._scale_loss(latents, pixels)
            loss = loss + self.config.scale_weight * terms["scale"]
        if self.adversary is not None:
            last_layer = self.autoencoder.decoder.conv_out.weight
            contest = self.adversary.losses(reconstruction, pixels, wanted, last_layer, global_step)
            if contest:
                loss = loss + contest["adversarial"] + contest["discriminator"]
            terms |= contest
        return {"loss": loss, **terms}

    def _generator(self, row: int, global_step: int, repeat: int) -> torch.Generator:
        time = [int(repeat)] if repeat else []  # which it is in a batch larger than the set
        return torch.Generator().manual_seed(
            seed_for(self.seed, self.train.sample_ids[row], global_step, *time)
        )

    def _reconstruction_loss(
        self, reconstruction: Tensor, pixels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the decoder shall come close to, and its terms for the log."""
        loss, terms = self._pixel_loss(reconstruction, pixels)
        if self.perceptual is not None and self.config.perceptual is not None:
            terms["perceptual"] = self.perceptual(reconstruction, pixels).mean()
            loss = loss + self.config.perceptual.weight * terms["perceptual"]
        return loss, terms

    def _pixel_loss(self, reconstruction: Tensor, pixels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        terms = {
            "mse": F.mse_loss(reconstruction, pixels),
            "l1": F.l1_loss(reconstruction, pixels),
            "gradient": gradient_difference(reconstruction, pixels),
        }
        loss = (
            self.config.mse_weight * terms["mse"]
            + self.config.l1_weight * terms["l1"]
            + self.config.gradient_weight * terms["gradient"]
        )
        return loss, terms

    def _scale_loss(self, latents: Tensor, pixels: Tensor) -> Tensor:
        """How far shrunken latents are from being those of the shrunken picture, mean over the shrinkings.

        Without it neighbouring latents may have nothing in common, and coarse shapes cannot be told from them
        before the fine ones: hard to learn for a denoiser (Kouzelis et al. 2025; Skorokhodov et al. 2025).
        No perceptual distance here, whose network wants larger pictures.
        """
        losses = [
            self._pixel_loss(
                self.autoencoder.decode(F.avg_pool2d(latents, factor)).sample, F.avg_pool2d(pixels, factor)
            )[0]
            for factor in SHRINKINGS
            if min(latents.shape[-2:]) >= factor
        ]
        return torch.stack(losses).mean()

    def sample_names(self, indices: np.ndarray) -> list[str]:
        return [self.train.sample_ids[i] for i in indices]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean PSNR over the pictures of held-out concepts, dB; empty where there are none."""
        values = []
        for first in range(0, len(self.validation), 64):
            pixels = to_tensor(self.validation.rgb[first : first + 64]).to(self.autoencoder.device)
            latents = self.autoencoder.encode(pixels).latent_dist.mode()
            values.append(psnr(self.autoencoder.decode(latents).sample, pixels))
        return {"validation_psnr": float(torch.cat(values).mean())} if values else {}


@torch.no_grad()
def encode_pictures(autoencoder: FourierAutoencoderKL, rgb: np.ndarray, batch_size: int = 64) -> Tensor:
    """Raw latents (posterior means) of uint8 [N, S, S, 3] pictures, float32 [N, C, S/8, S/8]."""
    autoencoder.to(memory_format=torch.channels_last)
    parts = [
        autoencoder.encode(to_tensor(rgb[first : first + batch_size]).to(autoencoder.device))
        .latent_dist.mode()
        .cpu()
        for first in range(0, len(rgb), batch_size)
    ]
    return torch.cat(parts).contiguous()
