"""The parts that a model is made of: tokenizer, autoencoder, text encoders, U-Net."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from photogenic.core.section import LATER, Section
from photogenic.train.config.loop import LoopConfig, refuse_denoiser_switches


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
            refuse_denoiser_switches(loop)
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
        refuse_denoiser_switches(self.loop)
        return self


class T5Config(Section):
    """A T5 encoder, trained together with the U-Net, then frozen."""

    d_model: int = Field(128, gt=0, description="Width.")
    d_ff: int = Field(384, gt=0, description="Width of the feed-forward layers.")
    d_kv: int = Field(32, gt=0, description="Width of a head.")
    num_heads: int = Field(4, gt=0, description="Heads per layer.")
    num_layers: int = Field(3, gt=0, description="Depth.")


class TextEncodersConfig(Section):
    """Ready-made text encoders, which stay as they are: CLIP's text tower, T5's encoder (Emu, 3.1)."""

    clip: str = Field(
        min_length=1, description="Folder or Hugging Face id of a CLIP: safetensors, with its tokenizer."
    )
    t5: str = Field(
        min_length=1, description="Folder or Hugging Face id of a T5, likewise; its decoder is not read."
    )
    t5_tokens: int = Field(
        256, gt=1, description="Tokens of a text that T5 reads; CLIP's own limit is 77 tokens."
    )


class UNetConfig(Section):
    """diffusers' `UNet2DConditionModel`, conditioned on CLIP and T5 through the joiner."""

    block_out_channels: tuple[int, ...] = Field((128, 256), description="Width per resolution level.")
    layers_per_block: int = Field(1, gt=0, description="Residual blocks per level on the way down.")
    transformer_layers_per_block: tuple[int, ...] = Field((1, 1), description="Per level; 0: no attention.")
    attention_head_width: int = Field(64, gt=0, description="Width of a head.")
    cross_attention_dim: int = Field(192, gt=0, description="Width of the joined text sequence.")
    addition_time_embed_dim: int = Field(32, gt=0, description="Width per number of the size conditioning.")
