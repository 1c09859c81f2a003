"""What a recipe may say under `pretrain`."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from photogenic.core.section import LATER, Section
from photogenic.train.config.loop import LoopConfig
from photogenic.train.config.loss import DiffusionLossConfig, PredictionType, forbidden_loss
from photogenic.train.config.parts import (
    AutoencoderConfig,
    ClipConfig,
    T5Config,
    TextEncodersConfig,
    TokenizerConfig,
    UNetConfig,
)


class AspectConfig(Section):
    """Aspect buckets: pictures keep about their shape, and none is dropped."""

    max_ratio: float = Field(2.0, ge=1, description="Of the longer side to the shorter one, at most.")
    multiple_of: int = Field(64, gt=0, multiple_of=8, description="Sides are multiples of so many pixels.")


class GrowingConfig(Section):
    """An earlier stage of training in growing resolutions (Emu, section 3.2); without noise offset."""

    size_px: int = Field(gt=0, multiple_of=8, description="Side of its pictures, or of a square as large.")
    max_steps: int = Field(gt=0, description="Its optimizer updates.")
    batch_size: int | None = Field(None, gt=0, description="Samples per update; null: the loop's.")
    micro_batch_size: int | None = Field(
        None, gt=0, description="Samples per forward pass; null: the loop's."
    )


class DiffusionConfig(Section):
    """Pre-training of U-Net and joiner on latents, and of T5 where it is not ready-made."""

    unet: UNetConfig = Field(default_factory=lambda: UNetConfig(), description="The U-Net.")
    t5: T5Config = Field(default_factory=lambda: T5Config(), description="The second text encoder.")
    prediction_type: PredictionType = Field("v_prediction", description="U-Net's target.")
    zero_terminal_snr: bool = Field(
        False,
        description="Rescale the noise schedule so that it ends in noise alone (Lin et al. 2023).",
        json_schema_extra=LATER,
    )
    loss: DiffusionLossConfig = Field(
        default_factory=lambda: DiffusionLossConfig(),
        description="The loss; its noise offset is that of the last stage.",
    )
    growing: tuple[GrowingConfig, ...] = Field(
        (), description="Stages of smaller resolutions before that of `loop`.", json_schema_extra=LATER
    )
    aspects: AspectConfig | None = Field(
        None, description="Aspect buckets; null: pictures are padded to squares.", json_schema_extra=LATER
    )
    latents: Literal["ahead", "inline"] = Field(
        "ahead",
        description="All made before the first step and kept in memory, or made when a step wants them.",
        json_schema_extra=LATER,
    )
    embeddings: Literal["ahead", "inline"] = Field(
        "ahead",
        description="Of captions by encoders that do not learn: likewise.",
        json_schema_extra=LATER,
    )
    freeze_t5: bool = Field(
        False,
        description="The T5 of `weights` learns no more; a ready-made one never does.",
        json_schema_extra=LATER,
    )
    loop: LoopConfig = Field(description="Steps, batch, optimizer; of the last stage.")

    @property
    def is_plain(self) -> bool:
        """Whether it is one stage on squares that were encoded ahead."""
        return not self.growing and self.aspects is None and self.latents == "ahead"

    @model_validator(mode="after")
    def _unet_takes_the_sides(self) -> Self:
        least = 8 * 2 ** (len(self.unet.block_out_channels) - 1)
        sides = [stage.size_px for stage in self.growing]
        sides += [] if self.aspects is None else [self.aspects.multiple_of]
        wrong = [side for side in sides if side % least]
        if wrong:
            raise ValueError(f"the U-Net halves latents of f = 8: {wrong[0]} px is no multiple of {least}")
        if sides != sorted(set(sides[: len(self.growing)])) + sides[len(self.growing) :]:
            raise ValueError("`growing` must name growing sizes")
        return self

    @model_validator(mode="after")
    def _averages_are_of_their_step(self) -> Self:
        for stage in self.growing:
            self.loop.refuse_stale_averages(**{"growing.max_steps": stage.max_steps})
        return self

    @model_validator(mode="after")
    def _shapes_are_few(self) -> Self:
        if self.loop.compile is not None and self.aspects is not None:
            raise ValueError(
                "`loop.compile` makes a program for each shape of a micro-batch, and with `aspects` there are"
                " too many: leave out one of them"
            )
        return self

    @model_validator(mode="after")
    def _loss_can_be_had(self) -> Self:
        if self.zero_terminal_snr and self.prediction_type == "flow":
            raise ValueError("flow matching ends in noise alone anyway: leave out `zero_terminal_snr`")
        reason = forbidden_loss(self.prediction_type, self.zero_terminal_snr, self.loss.snr_gamma)
        if reason is not None:
            raise ValueError(reason)
        return self


class PretrainParts(NamedTuple):
    """What a model consists of."""

    autoencoder: AutoencoderConfig
    text: ClipConfig | TextEncodersConfig  # a CLIP to be trained, with a T5; or both ready-made
    diffusion: DiffusionConfig


class PretrainConfig(Section):
    """Either `weights` (a model that exists, to be trained further with `diffusion`), or all parts of one."""

    weights: str | None = Field(
        None, description="Base model: packaged name, folder, or Hugging Face id that is in the hub's cache."
    )
    size_px: int = Field(64, gt=0, multiple_of=8, description="Side of the pictures that the model draws.")
    held_out_ratio: float = Field(0.05, gt=0, lt=0.5, description="Share of concepts kept for validation.")
    concept_field: str = Field(
        "concept", description="Side-car field that says which pictures share a concept."
    )
    tokenizer: TokenizerConfig = Field(
        default_factory=lambda: TokenizerConfig(), description="Of all text encoders that are trained here."
    )
    autoencoder: AutoencoderConfig | None = Field(None, description="The autoencoder.")
    clip: ClipConfig | None = Field(None, description="The CLIP whose text tower conditions the U-Net.")
    text_encoders: TextEncodersConfig | None = Field(
        None,
        description="Ready-made CLIP and T5 in place of `clip` and `diffusion.t5`.",
        json_schema_extra=LATER,
    )
    judge: ClipConfig | None = Field(None, description="A second CLIP that only names drawn pictures.")
    diffusion: DiffusionConfig | None = Field(None, description="U-Net, T5 and joiner.")
    domain: tuple[str, ...] = Field(
        ("stickers",), description="What pictures the CLIP knows, in plain words."
    )

    @model_validator(mode="after")
    def _weights_or_parts(self) -> Self:
        if self.weights is None:
            self.parts()
        sizes = [] if self.diffusion is None else [stage.size_px for stage in self.diffusion.growing]
        if sizes and max(sizes) >= self.size_px:
            raise ValueError(f"`growing` ends before `size_px` {self.size_px}, which is the last stage's")
        if self.weights is not None and (self.autoencoder or self.clip or self.text_encoders or self.judge):
            raise ValueError(
                "`weights` names a finished model: leave out `autoencoder`, `clip`, `text_encoders` and "
                "`judge`; with `diffusion` its U-Net is trained further"
            )
        return self

    @model_validator(mode="after")
    def _ready_made_or_trained(self) -> Self:
        if self.text_encoders is not None:
            trained = {
                "clip": self.clip is not None,
                "diffusion.t5": self.diffusion is not None and self.diffusion.t5 != T5Config(),
                "tokenizer": self.judge is None and self.tokenizer != TokenizerConfig(),
            }
            for name, is_set in trained.items():
                if is_set:
                    raise ValueError(f"`text_encoders` are ready-made, with tokenizers: leave out `{name}`")
        elif self.weights is None and self.diffusion is not None and self.diffusion.freeze_t5:
            raise ValueError("`freeze_t5` is for the T5 of `weights`: one with random weights must learn")
        return self

    @property
    def trains(self) -> bool:
        """Whether anything is to be trained, or the named weights are taken as they are."""
        return self.weights is None or self.diffusion is not None

    def parts(self) -> PretrainParts:
        """The parts to be trained.

        Raises:
            ValueError: one of them is missing.
        """
        text = self.text_encoders or self.clip
        if self.autoencoder is None or text is None or self.diffusion is None:
            raise ValueError(
                "give either `weights`, or all of `autoencoder`, `clip` and `diffusion` "
                "(`text_encoders` may stand for `clip`)"
            )
        return PretrainParts(self.autoencoder, text, self.diffusion)
