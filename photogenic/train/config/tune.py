"""What a recipe may say under `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from photogenic.core.section import LATER, Section
from photogenic.train.config.loop import LoopConfig
from photogenic.train.config.loss import DiffusionLossConfig
from photogenic.train.profiles import TRACKED


class PostHocConfig(Section):
    """Averages of any length, made after training out of stored ones of two lengths (EDM2, section 3.2)."""

    lengths: tuple[float, ...] = Field(
        (0.05, 0.1, 0.2),
        min_length=1,
        description="The relative lengths, sigma_rel, that the gate tries at every checkpoint.",
    )
    every: int | None = Field(
        None, gt=0, description="Steps between stored averages; default: those between checkpoints."
    )

    @model_validator(mode="after")
    def _lengths_exist(self) -> Self:
        wrong = [length for length in self.lengths if not 0 < length < 0.28]
        if wrong:
            raise ValueError(
                f"a length of {wrong[0]} has no power-function profile: sigma_rel lies between 0 and 0.28"
            )
        if len(set(self.lengths)) < len(self.lengths):
            raise ValueError("a length is given twice")
        return self


class EmaConfig(Section):
    """Which average of the weights is kept."""

    post_hoc: PostHocConfig | None = Field(
        None, description="Choose the length after training; null: `loop.ema_sigma_rel`."
    )


class GateConfig(Section):
    """Which checkpoint is kept: the earliest as good as the best whose generality has not fallen too far."""

    prompts: tuple[str, ...] = Field(
        (), description="Prompts far from the needles, drawn at every checkpoint."
    )
    num_images: int = Field(32, gt=0, description="Pictures per checkpoint, over the prompts in turn.")
    num_inference_steps: int = Field(12, gt=0, description="Sampler steps for the gate's pictures.")
    guidance_scale: float = Field(4.0, ge=1, description="Guidance for the gate's pictures.")
    clip_model: str | None = Field(
        None,
        description="Folder or packaged name of the CLIP for generality; default: the one beside the base.",
    )
    taste: Path | None = Field(
        None,
        description="A taste that `photogenic review --learn` wrote: it says what quality is, instead of the"
        " appeal score.",
        json_schema_extra=LATER,
    )
    max_generality_loss: float = Field(
        0.05, ge=0, description="How far the CLIP score may fall below the base's, as a share of the base's."
    )
    within_errors: float = Field(
        1.0,
        ge=0,
        description="How far below the best quality, in standard errors, is as good as the best, so that the"
        " earliest is kept; 0: the best itself.",
    )


class LoraConfig(Section):
    """Low-rank matrices beside the denoiser's own (Hu et al. 2021); only they learn."""

    rank: int = Field(16, gt=0, description="Rank of the matrices.")
    alpha: float | None = Field(
        None, gt=0, description="They count alpha / rank; null: the rank, so that they count once."
    )
    targets: tuple[str, ...] | None = Field(
        None, min_length=1, description="Ends of module names; null: the attention's matrices."
    )


class TuneConfig(Section):
    """Quality-tuning (Emu, section 3.4)."""

    loss: DiffusionLossConfig = Field(
        default_factory=lambda: DiffusionLossConfig(noise_offset=0.1), description="The loss."
    )
    loop: LoopConfig = Field(description="Steps, batch, optimizer. Emu: batch 64, at most 15,000 steps.")
    fit: Literal["crop", "pad"] = Field(
        "crop", description="How a needle becomes a square: its centre, or all of it on white."
    )
    lora: LoraConfig | None = Field(
        None, description="Tune low-rank matrices; null: all weights.", json_schema_extra=LATER
    )
    cache_dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="What encoded needles and captions are stored in; halved, 2,000 needles take 5 GB.",
        json_schema_extra=LATER,
    )
    ema: EmaConfig = Field(
        default_factory=lambda: EmaConfig(), description="The average that is kept.", json_schema_extra=LATER
    )
    num_validation: int = Field(24, gt=0, description="Needles held out for the fixed-noise validation loss.")
    gate: GateConfig = Field(default_factory=lambda: GateConfig(), description="The stopping rule.")

    @property
    def num_averages(self) -> int:
        """How many averages are tracked while it learns."""
        return 1 if self.ema.post_hoc is None else len({self.loop.ema_sigma_rel, *TRACKED})

    @model_validator(mode="after")
    def _averages_are_of_their_step(self) -> Self:
        post_hoc = self.ema.post_hoc
        if post_hoc is None or post_hoc.every is None:
            return self
        self.loop.refuse_stale_averages(**{"ema.post_hoc.every": post_hoc.every})
        if post_hoc.every > self.loop.checkpoint_every:
            raise ValueError(
                f"the gate looks at averages after {self.loop.checkpoint_every} steps, and the first are"
                f" stored after {post_hoc.every}: lower `ema.post_hoc.every`"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _paper_defaults(cls, values: object) -> object:
        # A recipe that opens `loss` for one key keeps the paper's noise offset for quality-tuning.
        if isinstance(values, dict) and isinstance(values.get("loss"), dict):
            return {**values, "loss": {"noise_offset": 0.1, **values["loss"]}}
        return values
