"""CLIP as two ONNX files beside a model, so that measures need no torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPModel, PreTrainedTokenizerFast

from photogenic.core.shards import atomic_path, write_json
from photogenic.models.clip import embed_images, embed_texts

Tensor = torch.Tensor

SMALLEST_HALVED = 1024  # numbers; a norm's few weights are not worth the rounding


class _ImageTower(nn.Module):
    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, pixel_values: Tensor) -> Tensor:
        return embed_images(self.clip, pixel_values)


class _TextTower(nn.Module):
    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return embed_texts(self.clip, input_ids, attention_mask)


def export_clip(
    clip: CLIPModel, tokenizer: PreTrainedTokenizerFast, folder: Path, *, domain: tuple[str, ...]
) -> None:
    """Write clip-image.onnx, clip-text.onnx and clip.json (what `measures.clip_score` reads) into `folder`.

    `domain` says in plain words what pictures this CLIP knows; measures refuse it on others.
    """
    clip = clip.eval().float()
    vision = clip.config.vision_config
    length = tokenizer.model_max_length
    pixels = torch.zeros(2, 3, vision.image_size, vision.image_size)
    ids, mask = torch.ones(2, length, dtype=torch.long), torch.ones(2, length, dtype=torch.long)
    _export(_ImageTower(clip), (pixels,), ["pixel_values"], "image_embeds", folder / "clip-image.onnx")
    _export(
        _TextTower(clip),
        (ids, mask),
        ["input_ids", "attention_mask"],
        "text_embeds",
        folder / "clip-text.onnx",
    )
    settings: dict[str, Any] = {
        "size_px": vision.image_size,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "context_length": length,
        "embedding_dim": clip.config.projection_dim,
        "domain": list(domain),
    }
    write_json(folder / "clip.json", settings)


def _export(tower: nn.Module, inputs: tuple[Tensor, ...], names: list[str], output: str, path: Path) -> None:
    batch = {name: {0: "batch"} for name in [*names, output]}
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that are fixed here
        torch.onnx.export(
            tower,
            inputs,
            str(temporary),
            input_names=names,
            output_names=[output],
            dynamic_axes=batch,
            dynamo=False,
        )
        store_in_half_precision(temporary)


def store_in_half_precision(path: Path) -> None:
    """Store an ONNX file's large float32 weights as float16, cast back as the model is loaded.

    The file is half as large; all arithmetic stays in float32.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        full, half = weight.name, f"{weight.name}.half"
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [full], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
