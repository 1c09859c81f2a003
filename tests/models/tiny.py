"""Tiny pipelines of the real classes with random weights: Emu, SD, SDXL and SD3."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
)

from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.joiner import TextJoiner
from photogenic.models.pipeline import EmuPipeline
from photogenic.models.unet import build_t5, build_unet

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 ,.-"


def letter_tokenizer(max_length: int) -> PreTrainedTokenizerFast:
    """One token a letter."""
    vocabulary = {
        token: number for number, token in enumerate(["<pad>", "<begin>", "<end>", "<unk>", *LETTERS])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<begin>",
        eos_token="<end>",
        unk_token="<unk>",
        model_max_length=max_length,
    )


def _clip_config(tokenizer: Any, hidden_size: int = 16, **overrides: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": hidden_size,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "projection_dim": 16,
            "max_position_embeddings": tokenizer.model_max_length,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        }
        | overrides
    )


def emu(prediction_type: str = "v_prediction", seed: int = 0, **schedule: Any) -> Any:
    """32 px, 8 x 8 latents of 4 channels, about 200 K weights."""
    torch.manual_seed(seed)
    tokenizer = letter_tokenizer(24)
    return _awake(
        EmuPipeline(
            vae=FourierAutoencoderKL(
                fourier_bands=2,
                down_block_types=("DownEncoderBlock2D",) * 3,
                up_block_types=("UpDecoderBlock2D",) * 3,
                block_out_channels=(8, 8, 16),
                layers_per_block=1,
                latent_channels=4,
                norm_num_groups=4,
                sample_size=32,
                mid_block_add_attention=False,
                latents_mean=(0.1, -0.2, 0.3, 0.0),
                latents_std=(1.5, 0.5, 1.0, 2.0),
            ),
            text_encoder=CLIPTextModelWithProjection(_clip_config(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=build_t5(
                vocab_size=len(tokenizer),
                pad_token_id=0,
                d_model=24,
                d_ff=48,
                d_kv=12,
                num_heads=2,
                num_layers=2,
            ),
            tokenizer_2=letter_tokenizer(24),
            joiner=TextJoiner(input_dims=(16, 24), max_lengths=(24, 24), cross_attention_dim=32),
            unet=build_unet(
                latent_channels=4,
                sample_size=8,
                block_out_channels=(32, 32),
                layers_per_block=1,
                transformer_layers_per_block=(0, 1),
                attention_head_width=16,
                cross_attention_dim=32,
                addition_time_embed_dim=8,
                pooled_dim=16,
            ),
            scheduler=DDIMScheduler(
                beta_schedule="scaled_linear",
                prediction_type=prediction_type,
                clip_sample=False,
                timestep_spacing="trailing",
                **schedule,
            ),
        )
    )


def _awake(pipeline: Any) -> Any:
    """Weights twice as large: a random network then hears its text, and tests can see it."""
    for name in ("unet", "transformer", "joiner", "text_encoder", "text_encoder_2"):
        part = getattr(pipeline, name, None)
        if part is not None:
            with torch.no_grad():
                for weight in part.parameters():
                    weight.mul_(1.0 if weight.ndim < 2 else 2.0)
            part.eval()
    pipeline.vae.eval()
    return pipeline


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )


def _unet(**overrides: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "block_out_channels": (32, 32),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 16,
            "attention_head_dim": 2,
        }
        | overrides
    )


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own tokenizer with letters for words."""
    special = ["<|startoftext|>", "<|endoftext|>"]
    letters = [*LETTERS.replace(" ", ""), *(f"{letter}</w>" for letter in LETTERS.replace(" ", ""))]
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=24)


def _schedule(prediction_type: str) -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear", prediction_type=prediction_type, clip_sample=False, steps_offset=1
    )


def sd(prediction_type: str = "epsilon", seed: int = 0) -> Any:
    """Stable Diffusion 1.x or 2.x at 16 px."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    return _awake(
        StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_clip_config(tokenizer)),
            tokenizer=tokenizer,
            unet=_unet(),
            scheduler=_schedule(prediction_type),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    )


def sdxl(prediction_type: str = "epsilon", seed: int = 0) -> Any:
    """Stable Diffusion XL at 16 px."""
    torch.manual_seed(seed)
    tokenizer, tokenizer_2 = clip_tokenizer(), clip_tokenizer()
    return _awake(
        StableDiffusionXLPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_clip_config(tokenizer)),
            text_encoder_2=CLIPTextModelWithProjection(_clip_config(tokenizer_2)),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer_2,
            unet=_unet(
                cross_attention_dim=32,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                transformer_layers_per_block=(1, 1),
                projection_class_embeddings_input_dim=16 + 6 * 8,
            ),
            scheduler=_schedule(prediction_type),
            add_watermarker=False,
        )
    )


def sd3(seed: int = 0, shift: float = 3.0, *, t5: bool = True) -> Any:
    """Stable Diffusion 3 at 16 px, 16 latent channels; with or without its T5."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    encoder_3 = build_t5(
        vocab_size=len(LETTERS) + 4, pad_token_id=0, d_model=32, d_ff=32, d_kv=8, num_heads=2, num_layers=1
    )
    return _awake(
        StableDiffusion3Pipeline(
            transformer=SD3Transformer2DModel(
                sample_size=8,
                patch_size=2,
                in_channels=16,
                out_channels=16,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=4,
                joint_attention_dim=32,
                caption_projection_dim=32,
                pooled_projection_dim=32,
                pos_embed_max_size=16,
            ),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
            vae=AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                block_out_channels=(8, 8),
                layers_per_block=1,
                latent_channels=16,
                norm_num_groups=4,
                sample_size=16,
                shift_factor=0.06,
                scaling_factor=1.5,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            text_encoder=CLIPTextModelWithProjection(_clip_config(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=CLIPTextModelWithProjection(_clip_config(clip_tokenizer())),
            tokenizer_2=clip_tokenizer(),
            text_encoder_3=encoder_3 if t5 else None,
            tokenizer_3=letter_tokenizer(24) if t5 else None,
        )
    )
