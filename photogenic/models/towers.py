"""Models of the `transformers` library for the measures: the torch behind `photogenic.measures.inference`.

Loaded through the entry point `photogenic.runtimes: torch`, so that no room that must do without torch
imports this. Weights are read from safetensors only, and no code that comes with a model is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel, AutoModelForImageClassification

from photogenic.core.errors import MissingModelError

CLIPS = ("clip", "siglip")  # config.json's model_type; SigLIP 2 of fixed size calls itself siglip

Arrays = Mapping[str, NDArray[Any]]


def open_towers(folder: Path, kind: Literal["clip", "classifier"]) -> dict[str, Tower]:
    """`image` and `text` of a CLIP or SigLIP, or `logits` of a classifier; on the GPU where there is one.

    Raises:
        MissingModelError: the folder holds another kind of model, or weights that do not fit.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if kind == "clip" and config.model_type not in CLIPS:
            raise MissingModelError(f"{folder} is a {config.model_type}, neither CLIP nor SigLIP.")
        family = AutoModel if kind == "clip" else AutoModelForImageClassification
        model = family.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise MissingModelError(f"{folder} is no model that transformers can load: {error}") from error
    model = model.eval().float().to("cuda" if torch.cuda.is_available() else "cpu")
    return {name: Tower(model, name) for name in (("image", "text") if kind == "clip" else ("logits",))}


class Tower:
    """One output of a model, in float32."""

    def __init__(self, model: Any, name: str) -> None:
        self._model, self._name = model, name
        # SigLIP was trained without a mask: its padding is seen.
        self._takes_mask = model.config.model_type != "siglip"

    def __call__(self, inputs: Arrays) -> NDArray[np.float32]:
        """inputs: pixel_values [B, 3, H, W], or input_ids and attention_mask [B, L] -> [B, D]."""
        given = {name: torch.from_numpy(np.array(value)) for name, value in inputs.items()}
        given = {name: value.to(self._model.device) for name, value in given.items()}
        with torch.inference_mode():
            return np.asarray(self._run(given).float().cpu().numpy(), np.float32)

    def _run(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        if self._name == "image":
            return self._model.get_image_features(pixel_values=inputs["pixel_values"]).pooler_output
        if self._name == "text":
            mask = {"attention_mask": inputs["attention_mask"]} if self._takes_mask else {}
            return self._model.get_text_features(input_ids=inputs["input_ids"], **mask).pooler_output
        return self._model(pixel_values=inputs["pixel_values"]).logits
