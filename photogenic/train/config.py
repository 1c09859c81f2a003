"""What a recipe may say under `pretrain` and `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from photogenic.core.config import StrictModel
from photogenic.core.shards import FOR_FINGERPRINT

# Marks of fields, for `Section`: LATER ones were added when checkpoints without them existed, NEVER ones
# change no weight.
LATER: dict[str, Any] = {"counts": "unless default"}
NEVER: dict[str, Any] = {"counts": "never"}


class Section(StrictModel):
    """A part of the configuration whose fingerprint leaves out what changes no result.

    So a new field with a default that changes nothing leaves the checkpoints valid that were made without it.
    """

    @model_serializer(mode="wrap")
    def _serialise(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if info.context != FOR_FINGERPRINT:
            return values
        return {name: value for name, value in values.items() if self._counts(name)}

    def _counts(self, name: str) -> bool:
        field = type(self).model_fields[name]
        extra = field.json_schema_extra
        mark = extra.get("counts") if isinstance(extra, dict) else None
        if mark == "unless default":
            return bool(getattr(self, name) != field.get_default(call_default_factory=True))
        return mark != "never"

    def counted(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """What a fingerprint counts of it, as JSON."""
        return self.model_dump(mode="json", exclude=exclude, context=FOR_FINGERPRINT)


class OptimizerConfig(Section):
    """AdamW, or Muon for matrices beside it; a warm-up, then constant, falling, or a cosine to zero."""

    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    warmup_steps: int = Field(100, ge=0, description="Steps of linear warm-up.")
    lr_schedule: Literal["constant", "cosine", "inverse_sqrt"] = Field(
        "constant", description="What follows the warm-up."
    )
    decay_from_step: int = Field(
        1000,
        gt=0,
        description="With inverse_sqrt: the rate is constant until here, then falls as 1 / sqrt(step).",
        json_schema_extra=LATER,
    )
    matrix_learning_rate: float | None = Field(
        None,
        gt=0,
        description="Step of orthogonalised updates (Muon) for matrices, 0.02 or so; without it, AdamW"
        " updates everything.",
        json_schema_extra=LATER,
    )
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay; matrices only.")
    betas: tuple[float, float] = Field((0.9, 0.99), description="AdamW's moment decays.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this global norm.")
    eight_bit: bool = Field(
        False,
        description="Moments in 8 bits, 2 instead of 8 bytes a weight; needs bitsandbytes.",
        json_schema_extra=LATER,
    )


class LoopConfig(Section):
    """How long, how large, how often: the part of training that does not depend on what is learned."""

    max_steps: int = Field(description="Optimizer updates.", gt=0)
    batch_size: int = Field(64, gt=0, description="Samples per optimizer update, over all devices.")
    micro_batch_size: int | None = Field(
        None, gt=0, description="Samples per forward pass; default: the batch."
    )
    checkpoint_every: int = Field(500, gt=0, description="Steps between resumable checkpoints.")
    log_every: int = Field(20, gt=0, description="Steps between lines of metrics.jsonl.")
    ema_sigma_rel: float = Field(
        0.1, gt=0, lt=0.28, description="Relative width of the power-function EMA (EDM2, section 3.1)."
    )
    ema_every: int = Field(
        1, gt=0, description="Steps between updates of the averages.", json_schema_extra=LATER
    )
    offload_ema: bool = Field(
        False, description="Keep the averages in the CPU's memory.", json_schema_extra=LATER
    )
    activation_checkpoints: bool = Field(
        False,
        description="Compute activations again in the backward pass: less memory, a third more time.",
        json_schema_extra=NEVER,
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="What the model computes in; weights, moments and averages stay in float32.",
        json_schema_extra=LATER,
    )
    sharded: bool = Field(
        False,
        description="Under torchrun, split weights, gradients, moments and averages (FSDP2).",
        json_schema_extra=NEVER,
    )
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        (), description="Where metrics go besides metrics.jsonl.", json_schema_extra=NEVER
    )
    optimizer: OptimizerConfig = Field(default_factory=lambda: OptimizerConfig(), description="AdamW.")

    @model_validator(mode="after")
    def _can_be_split(self) -> Self:
        if not self.sharded:
            return self
        whole_only = {
            "optimizer.matrix_learning_rate": self.optimizer.matrix_learning_rate is not None,
            "optimizer.eight_bit": self.optimizer.eight_bit,
            "offload_ema": self.offload_ema,
        }
        for name, is_set in whole_only.items():
            if is_set:
                raise ValueError(f"`{name}` needs whole tensors, which no process has with `sharded`")
        return self

    def identity(self) -> dict[str, object]:
        """What the state after a given step depends on; the rest may change while a run goes on.

        Unless its learning rate depends on it, a finished run can be trained further by raising `max_steps`.
        """
        indifferent = {"checkpoint_every", "log_every"}
        if self.optimizer.lr_schedule != "cosine":
            indifferent.add("max_steps")
        return self.counted(exclude=indifferent)


def _refuse_sharded(loop: LoopConfig | None) -> None:
    if loop is not None and loop.sharded:
        raise ValueError("`sharded` is for the denoiser; of this part each process keeps all")


class TokenizerConfig(Section):
    """A byte-level BPE tokenizer trained on the pool's texts."""

    vocab_size: int = Field(3072, gt=300, description="Entries, special tokens and 256 bytes included.")
    max_length: int = Field(32, gt=4, description="Tokens per text, begin and end included.")


class PerceptualConfig(Section):
    """LPIPS, the perceptual loss (Zhang et al. 2018), where its weights are at hand."""

    weights: str = Field(
        description="Safetensors file of LPIPS with VGG-16; docs/train.md says how to make it."
    )
    weight: float = Field(1.0, gt=0, description="Weight of the distance.")


class AdversarialConfig(Section):
    """A patch discriminator that learns beside the autoencoder (Esser et al. 2021)."""

    weight: float = Field(0.5, gt=0, description="Times the adaptive weight.")
    start_step: int = Field(0, ge=0, description="Before this step neither side of it learns.")
    base_channels: int = Field(
        64, gt=0, multiple_of=8, description="Width of the discriminator's first layer."
    )
    num_layers: int = Field(3, gt=0, description="Its convolutions with stride 2.")


class AutoencoderConfig(Section):
    """The Fourier autoencoder (Emu, section 3.1)."""

    block_out_channels: tuple[int, ...] = Field((32, 64, 96, 128), description="Width per resolution level.")
    layers_per_block: int = Field(1, gt=0, description="Residual blocks per level of the encoder.")
    latent_channels: int = Field(16, gt=0, description="Emu: 16, for four lose small detail.")
    fourier_bands: int = Field(3, ge=0, description="Octaves of fixed Fourier features; 0 switches them off.")
    pixel_fold: int = Field(
        1,
        gt=0,
        description="Squares of so many pixels a side are folded into channels before the first convolution:"
        " cheaper, for no convolution runs at full resolution.",
        json_schema_extra=LATER,
    )
    norm_num_groups: int = Field(16, gt=0, description="Groups of the group normalisation.")
    mse_weight: float = Field(1.0, ge=0, description="Weight of the squared error.")
    l1_weight: float = Field(0.1, ge=0, description="Weight of the absolute error.")
    gradient_weight: float = Field(0.1, ge=0, description="Weight of the absolute error of image gradients.")
    kl_weight: float = Field(1e-5, ge=0, description="Weight of the KL divergence per latent number.")
    scale_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the same errors where latents and picture are both shrunk, 2- and 4-fold:"
        " latents that a denoiser learns more easily.",
        json_schema_extra=LATER,
    )
    perceptual: PerceptualConfig | None = Field(
        None, description="A perceptual loss besides; null: none.", json_schema_extra=LATER
    )
    adversarial: AdversarialConfig | None = Field(
        None, description="An adversarial loss besides; null: none.", json_schema_extra=LATER
    )
    loop: LoopConfig = Field(description="Steps, batch, optimizer.")
    decoder_loop: LoopConfig | None = Field(
        None, description="Further training of the decoder alone, after the U-Net: it changes no latent."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for loop in (self.loop, self.decoder_loop):
            _refuse_sharded(loop)
        return self


class ClipConfig(Section):
    """A small CLIP, trained contrastively on the pool (Radford et al. 2021)."""

    hidden_size: int = Field(192, gt=0, description="Width of both towers.")
    num_attention_heads: int = Field(3, gt=0, description="Heads per layer in both towers.")
    num_text_layers: int = Field(3, gt=0, description="Depth of the text tower.")
    num_vision_layers: int = Field(4, gt=0, description="Depth of the vision tower.")
    patch_size: int = Field(8, gt=0, description="Side of a patch, pixels.")
    projection_dim: int = Field(128, gt=0, description="Width of the shared space.")
    seed_offset: int = Field(0, description="Added to the run's seed; the judge uses another than the CLIP.")
    loop: LoopConfig = Field(description="Steps, batch, optimizer.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _refuse_sharded(self.loop)
        return self


class T5Config(Section):
    """A small T5 encoder, trained together with the U-Net, then frozen."""

    d_model: int = Field(128, gt=0, description="Width.")
    d_ff: int = Field(384, gt=0, description="Width of the feed-forward layers.")
    d_kv: int = Field(32, gt=0, description="Width of a head.")
    num_heads: int = Field(4, gt=0, description="Heads per layer.")
    num_layers: int = Field(3, gt=0, description="Depth.")


class UNetConfig(Section):
    """diffusers' `UNet2DConditionModel`, conditioned on CLIP and T5 through the joiner."""

    block_out_channels: tuple[int, ...] = Field((128, 256), description="Width per resolution level.")
    layers_per_block: int = Field(1, gt=0, description="Residual blocks per level on the way down.")
    transformer_layers_per_block: tuple[int, ...] = Field((1, 1), description="Per level; 0: no attention.")
    attention_head_width: int = Field(64, gt=0, description="Width of a head.")
    cross_attention_dim: int = Field(192, gt=0, description="Width of the joined text sequence.")
    addition_time_embed_dim: int = Field(32, gt=0, description="Width per number of the size conditioning.")


PredictionType = Literal["epsilon", "v_prediction", "flow"]


def forbidden_loss(prediction_type: str, zero_terminal_snr: bool, snr_gamma: float | None) -> str | None:
    """Why a loss cannot be had on a noise schedule; None where it can."""
    if zero_terminal_snr and prediction_type == "epsilon":
        return (
            "with zero-terminal SNR the last timestep is noise alone, and a model that predicts the noise "
            "(`epsilon`) learns nothing of the picture there; use `v_prediction`"
        )
    if zero_terminal_snr and snr_gamma is not None:
        return (
            "min-SNR weights vanish at the last timestep of a zero-terminal-SNR schedule; "
            "set `loss.snr_gamma` to null"
        )
    if prediction_type == "flow" and snr_gamma is not None:
        return (
            "min-SNR weights are those of discrete diffusion, and flow matching weights by the draw of its "
            "timesteps; set `loss.snr_gamma` to null"
        )
    return None


class FlowConfig(Section):
    """How flow matching draws its timesteps: logit-normal, then shifted (Esser et al. 2024)."""

    mean: float = Field(0.0, description="Of the normal before the logistic function; above 0: more noise.")
    std: float = Field(1.0, gt=0, description="Of the normal before the logistic function.")
    shift: float | None = Field(
        None, gt=0, description="Moves the noise levels up; null: what the model's own noise schedule says."
    )


class DiffusionLossConfig(Section):
    """The denoising loss."""

    noise_offset: float = Field(
        0.0, ge=0, description="Emu: 0.02 in the last pre-training stage, 0.1 in tuning."
    )
    snr_gamma: float | None = Field(
        5.0, gt=0, description="Min-SNR clamp (Hang et al. 2023); null: no weights."
    )
    caption_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of captions replaced by the empty one."
    )
    flow: FlowConfig = Field(
        default_factory=lambda: FlowConfig(),
        description="Timesteps of flow matching.",
        json_schema_extra=LATER,
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
    """Pre-training of U-Net, T5 and joiner on latents."""

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
    clip: ClipConfig
    diffusion: DiffusionConfig


class PretrainConfig(Section):
    """Either `weights` (a model that exists, to be trained further with `diffusion`), or all parts of one."""

    weights: str | None = Field(None, description="Packaged name, folder or Hugging Face id of a base model.")
    size_px: int = Field(64, gt=0, multiple_of=8, description="Side of the pictures that the model draws.")
    held_out_ratio: float = Field(0.05, gt=0, lt=0.5, description="Share of concepts kept for validation.")
    concept_field: str = Field(
        "concept", description="Side-car field that says which pictures share a concept."
    )
    tokenizer: TokenizerConfig = Field(
        default_factory=lambda: TokenizerConfig(), description="Both encoders'."
    )
    autoencoder: AutoencoderConfig | None = Field(None, description="The autoencoder.")
    clip: ClipConfig | None = Field(None, description="The CLIP whose text tower conditions the U-Net.")
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
        if self.weights is not None and (self.autoencoder or self.clip or self.judge):
            raise ValueError(
                "`weights` names a finished model: leave out `autoencoder`, `clip` and `judge`; "
                "with `diffusion` its U-Net is trained further"
            )
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
        if self.autoencoder is None or self.clip is None or self.diffusion is None:
            raise ValueError("give either `weights`, or all of `autoencoder`, `clip` and `diffusion`")
        return PretrainParts(self.autoencoder, self.clip, self.diffusion)


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
    """Which checkpoint is kept: the best quality whose generality has not fallen too far."""

    prompts: tuple[str, ...] = Field(
        (), description="Prompts far from the needles, drawn at every checkpoint."
    )
    num_images: int = Field(32, gt=0, description="Pictures per checkpoint, over the prompts in turn.")
    num_inference_steps: int = Field(12, gt=0, description="Sampler steps for the gate's pictures.")
    guidance_scale: float = Field(4.0, ge=1, description="Guidance for the gate's pictures.")
    clip_model: str | None = Field(None, description="CLIP for generality; default: the one beside the base.")
    taste: Path | None = Field(
        None,
        description="A taste that `photogenic review --learn` wrote: it says what quality is, instead of the"
        " appeal score.",
        json_schema_extra=LATER,
    )
    max_generality_loss: float = Field(
        0.05, ge=0, description="How far the CLIP score may fall below the base's, as a share of the base's."
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
    """Quality-tuning (Emu, section 3.3)."""

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

    @model_validator(mode="before")
    @classmethod
    def _paper_defaults(cls, values: object) -> object:
        # A recipe that opens `loss` for one key keeps the paper's noise offset for quality-tuning.
        if isinstance(values, dict) and isinstance(values.get("loss"), dict):
            return {**values, "loss": {"noise_offset": 0.1, **values["loss"]}}
        return values
