"""What the families with a U-Net of diffusers share."""

from __future__ import annotations

from typing import Any

import torch

from photogenic.models.families.condition import Condition

Tensor = torch.Tensor

DENOISER = "unet"
LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # the attention's four matrices, as is usual


def predict(
    denoiser: Any, noisy_latents: Tensor, timesteps: Tensor, condition: Condition, time_ids: Tensor
) -> Tensor:
    """The U-Net's prediction, [B, C, h, w]; `time_ids` [B, 6] count where it has an added embedding.

    Inputs take the memory format of the weights: with another one, each convolution converts anew.
    """
    weight = denoiser.conv_in.weight
    is_last = weight.is_contiguous(memory_format=torch.channels_last)
    added = None if condition.pooled is None else {"text_embeds": condition.pooled, "time_ids": time_ids}
    return denoiser(
        noisy_latents.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format),
        timesteps,
        encoder_hidden_states=condition.states,
        encoder_attention_mask=condition.mask,
        added_cond_kwargs=added,
    ).sample
