"""The forward process: noise, targets and loss weights of discrete-time diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import DDIMScheduler, SchedulerMixin

Tensor = torch.Tensor
PredictionType = Literal["epsilon", "v_prediction"]


def make_scheduler(prediction_type: PredictionType) -> DDIMScheduler:
    """The noise schedule saved with a model: 1000 steps, scaled-linear betas as in latent diffusion."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=prediction_type,
        timestep_spacing="trailing",
    )


@dataclass(frozen=True)
class NoiseSchedule:
    """`alphas_cumprod` [T] of a variance-preserving process: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise."""

    alphas_cumprod: Tensor
    prediction_type: PredictionType

    @classmethod
    def of(cls, scheduler: SchedulerMixin) -> NoiseSchedule:
        return cls(scheduler.alphas_cumprod.float(), scheduler.config.prediction_type)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents [B, C, h, w] at `timesteps` [B]."""
        alpha, sigma = self._alpha_sigma(timesteps)
        return alpha * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the model shall predict: the noise, or v = alpha noise - sigma x_0 (Salimans & Ho 2022)."""
        if self.prediction_type == "epsilon":
            return noise
        alpha, sigma = self._alpha_sigma(timesteps)
        return alpha * noise - sigma * latents

    def loss_weights(self, timesteps: Tensor, snr_gamma: float | None) -> Tensor:
        """Min-SNR weights [B] (Hang et al. 2023, section 3.4); ones when `snr_gamma` is None."""
        if snr_gamma is None:
            return torch.ones(len(timesteps))
        alpha_squared = self.alphas_cumprod[timesteps]
        snr = alpha_squared / (1.0 - alpha_squared)
        clamped = snr.clamp(max=snr_gamma)
        return clamped / snr if self.prediction_type == "epsilon" else clamped / (snr + 1.0)

    def _alpha_sigma(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        alpha_squared = self.alphas_cumprod[timesteps.cpu()].view(-1, 1, 1, 1).to(timesteps.device)
        return alpha_squared.sqrt(), (1.0 - alpha_squared).sqrt()


def offset_noise(noise: Tensor, offsets: Tensor, noise_offset: float) -> Tensor:
    """Noise whose mean per channel varies too: noise + noise_offset * offsets; [B, C, h, w] and [B, C, 1, 1].

    Lets fine-tuning move a picture's overall brightness, which plain noise leaves to the model's habits.
    """
    return noise + noise_offset * offsets
