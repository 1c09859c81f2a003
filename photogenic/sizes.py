"""How large a model is, before it is loaded or even made."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from photogenic.train.config import PretrainConfig


@dataclass(frozen=True)
class ModelSizes:
    """Of a diffusers folder."""

    num_parameters: int
    num_trained: int  # the U-Net's, and the T5's where it is trained too
    num_bytes: int  # of its files


def model_sizes(folder: Path) -> ModelSizes:
    """Read from the headers of the folder's safetensors files, without loading a tensor."""
    total = trained = size = 0
    for path in folder.rglob("*.safetensors"):
        count = num_parameters(path)
        total += count
        size += path.stat().st_size
        if path.parent.name in ("unet", "transformer"):
            trained += count
    return ModelSizes(total, trained, size)


def num_parameters(path: Path) -> int:
    """The number of values in a safetensors file: its header is an 8-byte length and then JSON."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def planned_sizes(config: PretrainConfig) -> ModelSizes | None:
    """Of the U-Net and T5 that pre-training will make, built without memory, and of ready-made text encoders.

    None without torch.

    Raises:
        MissingModelError: a folder of the recipe holds no such text encoder.
    """
    if find_spec("torch") is None or config.diffusion is None:
        return None
    import torch

    from photogenic.models.unet import build_t5, build_unet
    from photogenic.train.ready_made import t5_numbers, text_sizes

    parts, text = config.parts(), text_sizes(config)
    with torch.device("meta"):
        unet = build_unet(
            latent_channels=parts.autoencoder.latent_channels,
            sample_size=config.size_px // 8,
            pooled_dim=text.pooled_dim,
            **config.diffusion.unet.model_dump(),
        )
        t5 = None
        if not text.is_ready:
            t5 = build_t5(vocab_size=text.t5_vocab_size, pad_token_id=0, **text.t5.model_dump())
    trained = sum(
        parameter.numel() for model in (unet, t5) if model is not None for parameter in model.parameters()
    )
    frozen = text.num_clip + t5_numbers(text.t5, text.t5_vocab_size) if text.is_ready else 0
    return ModelSizes(trained + frozen, trained, 2 * (trained + frozen))  # saved in half precision
