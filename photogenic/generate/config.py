"""What a recipe may say under `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from photogenic.core.config import StrictModel

Device = Literal["auto", "cpu", "cuda", "mps"]


class GenerateConfig(StrictModel):
    """The same prompts and seeds, drawn by every model."""

    prompts: Path | tuple[str, ...] = Field(
        description="A file (.txt one a line; .tsv such as PartiPrompts; .csv; .parquet), or a list."
    )
    num_images_per_prompt: int = Field(1, ge=1, description="Pictures per prompt, each from its own seed.")
    negative_prompt: str = Field("", description="What guidance leads away from; empty: the empty caption.")
    guidance_scale: float = Field(4.0, ge=1.0, description="Classifier-free guidance; 1 turns it off.")
    guidance_rescale: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="How far guided predictions get back their spread, arXiv 2305.08891.",
    )
    num_inference_steps: int = Field(20, ge=1, description="DPM-Solver++ steps.")
    size_px: int | None = Field(None, ge=8, description="Side of the picture; by default the model's own.")
    batch_size: int | None = Field(
        None, ge=1, description="Pictures drawn at a time; by default from the model's size. Moves last bits."
    )
    device: Device = Field("auto", description="`auto` takes a GPU where there is one.")
    models: dict[str, str] = Field(
        default_factory=dict,
        description="Name -> folder or name of a model, in place of the road's own (base and tuned).",
    )

    @field_validator("prompts")
    @classmethod
    def _says_something(cls, prompts: Path | tuple[str, ...]) -> Path | tuple[str, ...]:
        if isinstance(prompts, tuple) and not prompts:
            raise ValueError("the list of prompts is empty")
        return prompts

    @field_validator("models")
    @classmethod
    def _names_are_folders(cls, models: dict[str, str]) -> dict[str, str]:
        for name in models:
            if not name or name.startswith(".") or "/" in name or "\\" in name:
                raise ValueError(f"{name!r} names a folder of the run and cannot be a path")
        return models
