"""What differs between the models that can be tuned: how text and latents reach their denoiser.

A family is a small module with the names of `Family`; a new one needs its file and a line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from diffusers import DDPMScheduler, DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ModelMixin

from photogenic.core.errors import PhotogenicError
from photogenic.models.autoencoder import full_precision
from photogenic.models.families import emu, stable_diffusion, stable_diffusion_3, stable_diffusion_xl
from photogenic.models.families.condition import Condition, joined
from photogenic.models.noise_schedules import settings_of

__all__ = [
    "FAMILIES",
    "Condition",
    "Family",
    "denoiser_of",
    "encode_empty",
    "encode_pixels",
    "encode_texts",
    "family_of",
    "is_flow",
    "joined",
    "predict",
    "training_scheduler",
]

Tensor = torch.Tensor


class Family(Protocol):
    """The names that an adapter's module has."""

    @property
    def DENOISER(self) -> str:
        """By what name the pipeline has the network that learns."""
        ...

    @property
    def LORA_TARGETS(self) -> tuple[str, ...]:
        """Ends of the names of the matrices that LoRA adapts by default."""
        ...

    def encode(self, pipeline: Any, texts: list[str]) -> Condition:
        """The frozen encoders' view of texts."""
        ...

    def predict(
        self, denoiser: Any, noisy_latents: Tensor, timesteps: Tensor, condition: Condition, time_ids: Tensor
    ) -> Tensor:
        """The denoiser's prediction, [B, C, h, w]."""
        ...


# By class name: the classes themselves would drag in every family's dependencies.
FAMILIES: dict[str, Family] = {
    "EmuPipeline": emu,
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusion3Pipeline": stable_diffusion_3,
}


def family_of(pipeline: DiffusionPipeline) -> Family:
    """The adapter for this class of pipeline.

    Raises:
        PhotogenicError: no adapter knows it.
    """
    try:
        return FAMILIES[type(pipeline).__name__]
    except KeyError:
        raise PhotogenicError(
            f"No adapter knows a {type(pipeline).__name__} yet.", f"Known families: {', '.join(FAMILIES)}."
        ) from None


def denoiser_of(pipeline: DiffusionPipeline) -> ModelMixin:
    """The network that learns: a U-Net, or a transformer."""
    return getattr(pipeline, family_of(pipeline).DENOISER)


@torch.no_grad()
def encode_texts(pipeline: DiffusionPipeline, texts: Sequence[str], batch_size: int = 64) -> Condition:
    """The frozen encoders' view of `texts`, on the CPU.

    Raises:
        PhotogenicError: no adapter knows this class of pipeline.
    """
    family = family_of(pipeline)
    parts = [
        family.encode(pipeline, list(texts[first : first + batch_size]))
        for first in range(0, len(texts), batch_size)
    ]
    return joined(parts)


def encode_empty(pipeline: DiffusionPipeline) -> Condition:
    """The one row for a dropped caption: the empty text or, for families trained so (SDXL), zeros."""
    condition = encode_texts(pipeline, [""])
    if not pipeline.config.get("force_zeros_for_empty_prompt", False):
        return condition
    mask, pooled = (None if part is None else torch.zeros_like(part) for part in condition[1:])
    return Condition(torch.zeros_like(condition.states), mask, pooled)


@torch.no_grad()
def encode_pixels(pipeline: DiffusionPipeline, pixels: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in [-1, 1] => latents as the denoiser sees them, [B, C, h, w]."""
    vae = pipeline.vae
    with full_precision(vae):
        latents = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
    config = vae.config
    if config.latents_mean is None or config.latents_std is None:
        return (latents - (config.shift_factor or 0.0)) * config.scaling_factor
    mean, std = (
        latents.new_tensor(numbers).view(1, -1, 1, 1) for numbers in (config.latents_mean, config.latents_std)
    )
    return (latents - mean) / std


def predict(
    denoiser: ModelMixin, noisy_latents: Tensor, timesteps: Tensor, condition: Condition, time_ids: Tensor
) -> Tensor:
    """The denoiser's prediction, [B, C, h, w], for the family that has such a denoiser."""
    transformer = type(denoiser).__name__ == "SD3Transformer2DModel"
    family: Family = stable_diffusion_3 if transformer else emu
    return family.predict(denoiser, noisy_latents, timesteps, condition, time_ids)


def is_flow(pipeline: DiffusionPipeline) -> bool:
    """Whether the model was trained by flow matching, and not by diffusion in discrete steps."""
    return isinstance(pipeline.scheduler, FlowMatchEulerDiscreteScheduler)


def training_scheduler(pipeline: DiffusionPipeline) -> DDPMScheduler | FlowMatchEulerDiscreteScheduler:
    """The noise schedule that the model was trained with, from the configuration of its sampler."""
    kind = FlowMatchEulerDiscreteScheduler if is_flow(pipeline) else DDPMScheduler
    return kind.from_config(settings_of(pipeline.scheduler.config))
