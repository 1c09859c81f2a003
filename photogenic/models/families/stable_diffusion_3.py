"""Stable Diffusion 3: two CLIPs, with or without T5, and a transformer trained by flow matching."""

from __future__ import annotations

from typing import Any

import torch

from photogenic.models.families.condition import Condition

Tensor = torch.Tensor

DENOISER = "transformer"
LORA_TARGETS = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
    "to_add_out",
)  # both streams of the attention


def encode(pipeline: Any, texts: list[str]) -> Condition:
    """CLIP's words beside T5's; where the folder has no T5, diffusers puts zeros in their place."""
    states, _, pooled, _ = pipeline.encode_prompt(texts, texts, texts, do_classifier_free_guidance=False)
    return Condition(states, None, pooled)


def predict(
    denoiser: Any, noisy_latents: Tensor, timesteps: Tensor, condition: Condition, time_ids: Tensor
) -> Tensor:
    """The transformer's velocity, [B, C, h, w]; `timesteps` are sigma * 1000, `time_ids` do not count."""
    return denoiser(
        noisy_latents,
        timestep=timesteps,
        encoder_hidden_states=condition.states,
        pooled_projections=condition.pooled,
    ).sample
