"""What differs between the models that can be tuned: how text and pictures reach their U-Net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from diffusers import DDPMScheduler, DiffusionPipeline, UNet2DConditionModel

from photogenic.core.errors import PhotogenicError

Tensor = torch.Tensor


class Condition(NamedTuple):
    """What the U-Net is told of B texts; a family without a part has None there."""

    states: Tensor  # [B, L, C] for cross-attention
    mask: Tensor | None = None  # bool [B, L], false where a token is padding
    pooled: Tensor | None = None  # [B, P] for the added embedding

    def rows(self, rows: Tensor) -> Condition:
        """The texts at `rows`."""
        return self._each(lambda part: part[rows])

    def to(self, device: torch.device) -> Condition:
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Condition:
        mask, pooled = (None if part is None else change(part) for part in (self.mask, self.pooled))
        return Condition(change(self.states), mask, pooled)


@torch.no_grad()
def encode_texts(pipeline: DiffusionPipeline, texts: Sequence[str], batch_size: int = 64) -> Condition:
    """The frozen encoders' view of `texts`, on the CPU.

    Raises:
        PhotogenicError: no adapter knows this class of pipeline.
    """
    encode = family_of(pipeline)
    parts = [
        encode(pipeline, list(texts[first : first + batch_size]))
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


def joined(parts: Sequence[Condition]) -> Condition:
    """Batches of texts one after the other."""
    states = torch.cat([part.states for part in parts]).cpu()
    return Condition(states, _joined([part.mask for part in parts]), _joined([part.pooled for part in parts]))


def _joined(column: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in column if part is not None]
    return torch.cat(present).cpu() if present else None


@torch.no_grad()
def encode_pixels(pipeline: DiffusionPipeline, pixels: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in [-1, 1] => latents as the U-Net sees them, [B, C, h, w]."""
    vae = pipeline.vae
    latents = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
    config = vae.config
    if config.latents_mean is None or config.latents_std is None:
        return (latents - (config.shift_factor or 0.0)) * config.scaling_factor
    mean, std = (
        latents.new_tensor(numbers).view(1, -1, 1, 1) for numbers in (config.latents_mean, config.latents_std)
    )
    return (latents - mean) / std


def predict(
    unet: UNet2DConditionModel,
    noisy_latents: Tensor,
    timesteps: Tensor,
    condition: Condition,
    time_ids: Tensor,
) -> Tensor:
    """The U-Net's prediction, [B, C, h, w]."""
    added = None if condition.pooled is None else {"text_embeds": condition.pooled, "time_ids": time_ids}
    return unet(
        noisy_latents.contiguous(memory_format=torch.channels_last),
        timesteps,
        encoder_hidden_states=condition.states,
        encoder_attention_mask=condition.mask,
        added_cond_kwargs=added,
    ).sample


def training_scheduler(pipeline: DiffusionPipeline) -> DDPMScheduler:
    """The noise schedule that the model was trained with, from the configuration of its sampler."""
    # Without the list of settings left to their defaults, which another class would replace by its own.
    settings = {
        name: value for name, value in pipeline.scheduler.config.items() if name != "_use_default_values"
    }
    return DDPMScheduler.from_config(settings)


def _encode_emu(pipeline: Any, texts: list[str]) -> Condition:
    embeds = pipeline.encode_prompt(texts)
    return Condition(embeds.encoder_hidden_states, embeds.encoder_attention_mask, embeds.pooled_prompt_embeds)


def _encode_sd(pipeline: Any, texts: list[str]) -> Condition:
    states, _ = pipeline.encode_prompt(texts, pipeline.device, 1, do_classifier_free_guidance=False)
    return Condition(states)


def _encode_sdxl(pipeline: Any, texts: list[str]) -> Condition:
    states, _, pooled, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False)
    return Condition(states, None, pooled)


# By class name: the classes themselves would drag in every family's dependencies.
FAMILIES: dict[str, Callable[[Any, list[str]], Condition]] = {
    "EmuPipeline": _encode_emu,
    "StableDiffusionPipeline": _encode_sd,
    "StableDiffusionXLPipeline": _encode_sdxl,
}


def family_of(pipeline: DiffusionPipeline) -> Callable[[Any, list[str]], Condition]:
    """How texts reach this class of pipeline.

    Raises:
        PhotogenicError: no adapter knows it.
    """
    try:
        return FAMILIES[type(pipeline).__name__]
    except KeyError:
        raise PhotogenicError(
            f"No adapter knows a {type(pipeline).__name__} yet.", f"Known families: {', '.join(FAMILIES)}."
        ) from None
