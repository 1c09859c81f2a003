"""A small CLIP of transformers' own class, its tokenizer, and its export to ONNX for the measures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

Tensor = torch.Tensor

PAD, END, BEGIN = "<pad>", "<end>", "<begin>"  # ids 0, 1, 2: see `train_tokenizer`


def train_tokenizer(texts: Iterable[str], vocab_size: int, max_length: int) -> PreTrainedTokenizerFast:
    """A lower-casing byte-level BPE tokenizer that pads and truncates to `max_length` tokens.

    The end of a text is not token 2: a CLIP of transformers whose configuration says so pools each text at
    its highest id, as CLIP's first configurations need, and hears nothing of what follows the rarest word.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, BEGIN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    begin, end = tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, begin), (END, end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BEGIN, eos_token=END, model_max_length=max_length
    )


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both int64 [B, max_length]."""
    tokens = tokenizer(
        list(texts),
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    return tokens.input_ids, tokens.attention_mask


def build_clip(
    tokenizer: PreTrainedTokenizerFast,
    *,
    size_px: int,
    patch_size: int,
    hidden_size: int,
    num_attention_heads: int,
    num_text_layers: int,
    num_vision_layers: int,
    projection_dim: int,
) -> CLIPModel:
    """A CLIP with random weights."""
    shared: dict[str, Any] = {
        "hidden_size": hidden_size,
        "intermediate_size": 4 * hidden_size,
        "num_attention_heads": num_attention_heads,
        "projection_dim": projection_dim,
    }
    text = shared | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
        "num_hidden_layers": num_text_layers,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = shared | {
        "image_size": size_px,
        "patch_size": patch_size,
        "num_hidden_layers": num_vision_layers,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection_dim))


def embed_images(clip: CLIPModel, pixel_values: Tensor) -> Tensor:
    """L2-normalised image embeddings [B, D]; pixels [B, 3, S, S] in [-1, 1]."""
    pooled = clip.vision_model(pixel_values=pixel_values).pooler_output
    return nn.functional.normalize(clip.visual_projection(pooled), dim=-1)


def embed_texts(clip: CLIPModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """L2-normalised text embeddings [B, D]."""
    pooled = clip.text_model(input_ids=input_ids, attention_mask=attention_mask).pooler_output
    return nn.functional.normalize(clip.text_projection(pooled), dim=-1)
