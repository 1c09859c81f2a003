"""Emu: CLIP and T5 through the joiner, and a U-Net with size conditioning."""

from __future__ import annotations

from typing import Any

from photogenic.models.families.condition import Condition
from photogenic.models.families.unet import DENOISER, LORA_TARGETS, predict

__all__ = ["DENOISER", "LORA_TARGETS", "encode", "predict"]


def encode(pipeline: Any, texts: list[str]) -> Condition:
    embeds = pipeline.encode_prompt(texts)
    return Condition(embeds.encoder_hidden_states, embeds.encoder_attention_mask, embeds.pooled_prompt_embeds)
