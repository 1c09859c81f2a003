"""The U-Net and the T5 encoder, of diffusers' and transformers' own classes."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import UNet2DConditionModel
from transformers import T5Config, T5EncoderModel

NUM_TIME_IDS = (
    6  # original size, crop corner, target size, as SDXL conditions (Podell et al. 2023, section 2.2)
)


def build_unet(
    *,
    latent_channels: int,
    sample_size: int,
    block_out_channels: Sequence[int],
    layers_per_block: int,
    transformer_layers_per_block: Sequence[int],
    attention_head_width: int,
    cross_attention_dim: int,
    addition_time_embed_dim: int,
    pooled_dim: int,
) -> UNet2DConditionModel:
    """A U-Net with random weights; a level without transformer layers has no attention."""
    plain = [layers == 0 for layers in transformer_layers_per_block]
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=tuple(block_out_channels),
        layers_per_block=layers_per_block,
        down_block_types=tuple("DownBlock2D" if p else "CrossAttnDownBlock2D" for p in plain),
        up_block_types=tuple("UpBlock2D" if p else "CrossAttnUpBlock2D" for p in reversed(plain)),
        transformer_layers_per_block=tuple(max(1, layers) for layers in transformer_layers_per_block),
        # diffusers' `attention_head_dim` is, for this class, the number of heads.
        attention_head_dim=tuple(width // attention_head_width for width in block_out_channels),
        cross_attention_dim=cross_attention_dim,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=addition_time_embed_dim,
        projection_class_embeddings_input_dim=NUM_TIME_IDS * addition_time_embed_dim + pooled_dim,
    )


def build_t5(
    *, vocab_size: int, pad_token_id: int, d_model: int, d_ff: int, d_kv: int, num_heads: int, num_layers: int
) -> T5EncoderModel:
    """A T5 encoder with random weights (v1.1: gated GELU)."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocab_size,
            d_model=d_model,
            d_ff=d_ff,
            d_kv=d_kv,
            num_heads=num_heads,
            num_layers=num_layers,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=pad_token_id,
            is_encoder_decoder=False,
        )
    )
