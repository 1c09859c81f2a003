"""The forward process: noise, targets, timesteps and loss weights, of diffusion and of flow matching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, get_args

import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler, SchedulerMixin

from photogenic.core.errors import RecipeError
from photogenic.train.config import DiffusionLossConfig, FlowConfig, PredictionType, forbidden_loss
from photogenic.train.transfer import onto

Tensor = torch.Tensor


def make_scheduler(prediction_type: PredictionType, zero_terminal_snr: bool = False) -> SchedulerMixin:
    """The noise schedule saved with a model.

    For flow matching a straight line from picture to noise; else 1000 steps with scaled-linear betas as in
    latent diffusion, at zero terminal SNR rescaled so that the last is noise alone (Lin et al. 2023).
    """
    if prediction_type == "flow":
        return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000)
    # A setting that is left to its default is not written down: older models' folders stay as they are.
    rescaled = {"rescale_betas_zero_snr": True} if zero_terminal_snr else {}
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=prediction_type,
        timestep_spacing="trailing",
        **rescaled,
    )


class Process(Protocol):
    """How noise is mixed into latents, and what the model shall make of it."""

    def draw_timestep(self, generator: torch.Generator) -> Tensor:
        """One timestep, as the model is told it, for one sample; 0-dimensional."""
        ...

    def spread_timesteps(self, count: int) -> Tensor:
        """`count` timesteps evenly over the training's, [count]."""
        ...

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents [B, C, h, w] at `timesteps` [B]."""
        ...

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the model shall predict."""
        ...

    def loss_weights(self, timesteps: Tensor, snr_gamma: float | None) -> Tensor:
        """Weights of the samples' errors, [B]."""
        ...


def process_of(scheduler: SchedulerMixin, config: DiffusionLossConfig) -> Process:
    """The forward process that a model's noise schedule belongs to.

    Raises:
        RecipeError: the loss cannot be had on this noise schedule.
    """
    is_flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)
    prediction = "flow" if is_flow else scheduler.config.prediction_type
    zero_terminal_snr = bool(scheduler.config.get("rescale_betas_zero_snr", False))
    reason = forbidden_loss(prediction, zero_terminal_snr, config.snr_gamma)
    if reason is not None:
        raise RecipeError(f"The loss does not go with the model's noise schedule: {reason}.")
    if prediction not in get_args(PredictionType):
        raise RecipeError(
            f"The model predicts `{prediction}`, for which there is no loss here.",
            f"Take a base that predicts one of: {', '.join(get_args(PredictionType))}.",
        )
    return FlowSchedule.of(scheduler, config.flow) if is_flow else NoiseSchedule.of(scheduler)


@dataclass(frozen=True)
class NoiseSchedule:
    """`alphas_cumprod` [T] of a variance-preserving process: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise."""

    alphas_cumprod: Tensor
    prediction_type: PredictionType

    @classmethod
    def of(cls, scheduler: SchedulerMixin) -> NoiseSchedule:
        return cls(scheduler.alphas_cumprod.float(), scheduler.config.prediction_type)

    def draw_timestep(self, generator: torch.Generator) -> Tensor:
        """Uniform over the schedule's steps, int64."""
        return torch.randint(len(self.alphas_cumprod), (), generator=generator)

    def spread_timesteps(self, count: int) -> Tensor:
        """The middles of `count` equal parts, int64 [count]."""
        spacing = len(self.alphas_cumprod) // count
        return spacing // 2 + spacing * torch.arange(count)

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
        # The table goes to the timesteps: asking a GPU for them would wait until all its work is done.
        alpha_squared = onto(timesteps.device, self.alphas_cumprod)[timesteps].view(-1, 1, 1, 1)
        return alpha_squared.sqrt(), (1.0 - alpha_squared).sqrt()


def logit_normal(normal: Tensor, mean: float, std: float) -> Tensor:
    """A logit-normal number in (0, 1) from a standard normal one (Esser et al. 2024, section 3.1)."""
    return torch.sigmoid(mean + std * normal)


def shifted(sigma: Tensor, shift: float) -> Tensor:
    """Noise levels moved towards noise, as larger pictures need (Esser et al. 2024, equation 23)."""
    return shift * sigma / (1.0 + (shift - 1.0) * sigma)


@dataclass(frozen=True)
class FlowSchedule:
    """Rectified flow: x = (1 - sigma) x_0 + sigma noise, with timesteps sigma * `num_train_timesteps`."""

    mean: float
    std: float
    shift: float
    num_train_timesteps: int = 1000

    @classmethod
    def of(cls, scheduler: SchedulerMixin, config: FlowConfig) -> FlowSchedule:
        shift = scheduler.config.shift if config.shift is None else config.shift
        return cls(config.mean, config.std, float(shift), scheduler.config.num_train_timesteps)

    def draw_timestep(self, generator: torch.Generator) -> Tensor:
        """Logit-normal, then shifted; float32."""
        return self._timesteps(torch.randn((), generator=generator))

    def spread_timesteps(self, count: int) -> Tensor:
        """Those that split the distribution that training draws from evenly, float32 [count]."""
        shares = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        return self._timesteps((math.sqrt(2.0) * torch.erfinv(2.0 * shares - 1.0)).float())

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents [B, C, h, w] at `timesteps` [B]."""
        sigma = (timesteps / self.num_train_timesteps).view(-1, 1, 1, 1)
        return (1.0 - sigma) * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The velocity of the straight line from picture to noise."""
        return noise - latents

    def loss_weights(self, timesteps: Tensor, snr_gamma: float | None) -> Tensor:
        """Ones: the draw of the timesteps does the weighting."""
        return torch.ones(len(timesteps))

    def _timesteps(self, normal: Tensor) -> Tensor:
        return self.num_train_timesteps * shifted(logit_normal(normal, self.mean, self.std), self.shift)


def offset_noise(noise: Tensor, offsets: Tensor, noise_offset: float) -> Tensor:
    """Noise whose mean per channel varies too: noise + noise_offset * offsets; [B, C, h, w] and [B, C, 1, 1].

    Lets fine-tuning move a picture's overall brightness, which plain noise leaves to the model's habits.
    """
    return noise + noise_offset * offsets
