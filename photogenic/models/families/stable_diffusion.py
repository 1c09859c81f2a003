"""Stable Diffusion 1.x and 2.x: one CLIP and a U-Net."""

from __future__ import annotations

from typing import Any

from photogenic.models.families.condition import Condition
from photogenic.models.families.unet import DENOISER, LORA_TARGETS, predict

__all__ = ["DENOISER", "LORA_TARGETS", "encode", "predict"]


def encode(pipeline: Any, texts: list[str]) -> Condition:
    states, _ = pipeline.encode_prompt(texts, pipeline.device, 1, do_classifier_free_guidance=False)
    return Condition(states)
