"""Tiny models of transformers' own classes with random weights, saved as their authors save them."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

CONTEXT = 12
SIGLIP_CONTEXT = 64  # to which transformers' pipeline pads
WORDS = (
    "a",
    "photo",
    "of",
    "cat",
    "dog",
    "cup",
    "rocket",
    "face",
    "red",
    "blue",
    "the",
    "on",
    "table",
    "sky",
)
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def save_tokenizer(folder: Path, *, with_ends: bool) -> PreTrainedTokenizerFast:
    """Words of a small vocabulary; CLIP's has marks of beginning and end, SigLIP's an end."""
    names = ("<pad>", "<begin>", "<end>", "?", *WORDS)
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<begin>", 1), ("<end>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>" if with_ends else "$A <end>", special_tokens=ends
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<begin>",
        eos_token="<end>",
        model_max_length=CONTEXT if with_ends else SIGLIP_CONTEXT,
        # SigLIP was trained without a mask, and its own tokenizer makes none.
        model_input_names=["input_ids", "attention_mask"] if with_ends else ["input_ids"],
    )
    fast.save_pretrained(folder)
    return fast


def save_clip(folder: Path) -> CLIPModel:
    """A CLIP with safetensors, tokenizer and image processor."""
    torch.manual_seed(0)
    tokenizer = save_tokenizer(folder, with_ends=True)
    text = LAYERS | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    vision = LAYERS | {"image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).eval()
    _spread(model)
    model.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return model


def save_siglip(folder: Path) -> SiglipModel:
    """A SigLIP with safetensors, tokenizer and image processor."""
    torch.manual_seed(1)
    tokenizer = save_tokenizer(folder, with_ends=False)
    text = LAYERS | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": SIGLIP_CONTEXT,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "projection_size": 32,
    }
    model = SiglipModel(
        SiglipConfig(text_config=text, vision_config=LAYERS | {"image_size": 32, "patch_size": 8})
    )
    _spread(model)
    model.logit_scale.data.fill_(1.5)
    model.logit_bias.data.fill_(-0.5)
    model.eval().save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model


def save_classifier(folder: Path, labels: tuple[str, ...]) -> ViTForImageClassification:
    """A vision transformer with a head for `labels`."""
    torch.manual_seed(2)
    config = ViTConfig(
        **LAYERS,
        image_size=32,
        patch_size=8,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = ViTForImageClassification(config).eval()
    _spread(model)
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model


def export_onnx(model: CLIPModel | ViTForImageClassification, folder: Path) -> None:
    """The ONNX files that transformers.js and optimum write, without the safetensors."""
    (folder / "onnx").mkdir()
    pixels = torch.zeros(2, 3, 32, 32)
    if isinstance(model, ViTForImageClassification):
        _export(_Logits(model), (pixels,), ["pixel_values"], "logits", folder / "onnx/model.onnx")
    else:
        tokens = torch.ones(2, CONTEXT, dtype=torch.long)
        names = ["input_ids", "attention_mask"]
        _export(_Image(model), (pixels,), ["pixel_values"], "image_embeds", folder / "onnx/vision_model.onnx")
        _export(_Text(model), (tokens, tokens), names, "text_embeds", folder / "onnx/text_model.onnx")
    (folder / "model.safetensors").unlink()


class _Image(torch.nn.Module):
    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.model.get_image_features(pixel_values=pixel_values).pooler_output


class _Text(_Image):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output


class _Logits(torch.nn.Module):
    def __init__(self, model: ViTForImageClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values=pixel_values).logits


def _export(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], output: str, path: Path
) -> None:
    batch = {name: {0: "batch"} for name in [*names, output]}
    torch.onnx.export(
        model,
        inputs,
        str(path),
        input_names=names,
        output_names=[output],
        dynamic_axes=batch,
        dynamo=False,
    )


def _spread(model: torch.nn.Module) -> None:
    """Weights large enough that different pictures get visibly different scores."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.25)
            elif name.endswith("bias"):
                weight.normal_(0, 0.1)
