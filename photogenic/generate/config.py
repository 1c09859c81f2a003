"""What a recipe may say under `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from photogenic.core.section import LATER, Section
from photogenic.models.samplers import SAMPLERS, is_sampler

Device = Literal["auto", "cpu", "cuda", "mps"]
WholeWay = (0.0, 1.0)


class GenerateConfig(Section):
    """The same prompts and seeds, drawn by every model."""

    prompts: Path | tuple[str, ...] = Field(
        description="A file (.txt one a line; .tsv such as PartiPrompts; .csv; .parquet), or a list."
    )
    num_images_per_prompt: int = Field(1, ge=1, description="Pictures per prompt, each from its own seed.")
    negative_prompt: str = Field("", description="What guidance leads away from; empty: the empty caption.")
    guidance_scale: float | None = Field(
        None, ge=1.0, description="Classifier-free guidance; 1 turns it off; by default the family's."
    )
    guidance_rescale: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="How far guided predictions get back their spread, arXiv 2305.08891.",
    )
    guidance_interval: tuple[float, float] = Field(
        WholeWay, description="The part of the steps that is guided, 0 to 1; arXiv 2404.07724."
    )
    num_inference_steps: int | None = Field(None, ge=1, description="Steps; by default the family's.")
    cache_interval: int = Field(
        1, ge=1, description="Run a U-Net's deep blocks every so many steps, arXiv 2312.00858; 1 is exact."
    )
    sampler: str | None = Field(
        None,
        description=f"One of {', '.join(SAMPLERS)}, or a scheduler class of diffusers, or `own`;"
        " by default the family's: dpm++-sde for Emu, dpm++ for Stable Diffusion 1, 2 and XL.",
    )
    size_px: int | None = Field(None, ge=8, description="Side of the picture; by default the model's own.")
    batch_size: int | None = Field(
        None, ge=1, description="Pictures drawn at a time; by default from the model's size. Moves last bits."
    )
    compile: Literal["blocks", "whole"] | None = Field(
        None,
        description="Compile the denoiser with torch before it draws: its repeated blocks one by one, or all"
        " of it as one program; null: not. Moves last bits.",
        json_schema_extra=LATER,
    )
    device: Device = Field("auto", description="`auto` takes a GPU where there is one.")
    max_unsafe_prob: float | None = Field(
        None, ge=0.0, le=1.0, description="Withhold a picture that open_nsfw finds likelier unsafe than this."
    )
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

    @field_validator("sampler")
    @classmethod
    def _is_a_sampler(cls, sampler: str | None) -> str | None:
        if sampler is not None and not is_sampler(sampler):
            raise ValueError(f"{sampler!r} is no sampler; there are {', '.join(SAMPLERS)} and own")
        return sampler

    @field_validator("models")
    @classmethod
    def _names_are_folders(cls, models: dict[str, str]) -> dict[str, str]:
        for name in models:
            if not name or name.startswith(".") or "/" in name or "\\" in name:
                raise ValueError(f"{name!r} names a folder of the run and cannot be a path")
        return models

    @model_validator(mode="after")
    def _one_program_is_of_all_blocks(self) -> Self:
        if self.compile == "whole" and self.cache_interval > 1:
            raise ValueError("`compile: whole` cannot leave out blocks at some steps: take `compile: blocks`")
        return self

    @model_validator(mode="after")
    def _interval_has_a_begin_and_an_end(self) -> Self:
        begin, end = self.guidance_interval
        if not 0 <= begin <= end <= 1:
            raise ValueError(f"guidance_interval: {begin:g} to {end:g} is no part of the steps, 0 to 1")
        return self
