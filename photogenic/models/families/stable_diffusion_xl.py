"""Stable Diffusion XL: two CLIPs side by side, and a U-Net with size conditioning."""

from __future__ import annotations

from typing import Any

from photogenic.models.families.condition import Condition
from photogenic.models.families.unet import DENOISER, LORA_TARGETS, predict

__all__ = ["DENOISER", "LORA_TARGETS", "encode", "predict"]


def encode(pipeline: Any, texts: list[str]) -> Condition:
    states, _, pooled, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False)
    return Condition(states, None, pooled)
