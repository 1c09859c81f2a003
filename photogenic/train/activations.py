"""How much a forward pass keeps for the backward pass, counted without computing or allocating anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import ModelMixin, SD3Transformer2DModel, UNet2DConditionModel
from torch._subclasses.fake_tensor import FakeTensorMode

from photogenic.core.errors import MissingModelError
from photogenic.models.families import Condition, predict
from photogenic.models.unet import NUM_TIME_IDS

Tensor = torch.Tensor

CLASSES: dict[str, type[ModelMixin]] = {
    "UNet2DConditionModel": UNet2DConditionModel,
    "SD3Transformer2DModel": SD3Transformer2DModel,
}
CLIP_TOKENS, SD3_T5_TOKENS = 77, 256  # of a text; T5's as diffusers' pipeline has them


def kept_bytes(
    config: dict[str, Any],
    *,
    batch_size: int,
    num_tokens: int,
    precision: str = "float32",
    checkpoints: bool = False,
) -> int:
    """Bytes that one forward pass of a denoiser keeps, weights not counted.

    Args:
        config: as in the denoiser's config.json, its class name included.
        batch_size: samples in a forward pass.
        num_tokens: of a sample's text.
        checkpoints: with activation checkpoints only the blocks' inputs are kept; the largest block, which is
            computed again, is not counted.

    Raises:
        MissingModelError: this class of denoiser is not known.
    """
    name = str(config.get("_class_name"))
    if name not in CLASSES:
        raise MissingModelError(
            f"A {name} is no denoiser that can be tuned.", f"Known: {', '.join(CLASSES)}."
        )
    dtype = getattr(torch, precision)
    with FakeTensorMode(), _weights_in(dtype):
        denoiser = CLASSES[name].from_config(config).train()
        if checkpoints:
            denoiser.enable_gradient_checkpointing()
        inputs = _inputs(denoiser, batch_size, num_tokens, dtype)
        kept = _Kept({p.untyped_storage()._cdata for p in denoiser.parameters()})
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            answer = predict(denoiser, *inputs)
        del answer
    return kept.total


@contextmanager
def _weights_in(dtype: torch.dtype) -> Iterator[None]:
    """Modules made within it have weights of that type; fake weights cannot be changed afterwards."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class _Kept:
    """Counts each storage once."""

    def __init__(self, weights: set[int]) -> None:
        self.seen = weights
        self.alive: list[Tensor] = []  # so that no id is given twice
        self.total = 0

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.seen and not isinstance(tensor, torch.nn.Parameter):
            self.seen.add(storage._cdata)
            self.alive.append(tensor)
            self.total += storage.nbytes()
        return tensor


def _inputs(denoiser: ModelMixin, batch_size: int, num_tokens: int, dtype: torch.dtype) -> tuple[Any, ...]:
    config = denoiser.config
    side = config.sample_size if isinstance(config.sample_size, int) else config.sample_size[0]
    noisy = torch.zeros(batch_size, config.in_channels, side, side, dtype=dtype)
    if isinstance(denoiser, SD3Transformer2DModel):
        width, pooled = config.joint_attention_dim, config.pooled_projection_dim
    else:
        added = config.projection_class_embeddings_input_dim
        width = config.cross_attention_dim
        pooled = added - NUM_TIME_IDS * config.addition_time_embed_dim if added else None
    states = torch.zeros(batch_size, num_tokens, width, dtype=dtype)
    condition = Condition(states, None, torch.zeros(batch_size, pooled, dtype=dtype) if pooled else None)
    ids = torch.zeros(batch_size, NUM_TIME_IDS, dtype=dtype)
    return noisy, torch.zeros(batch_size, dtype=torch.long), condition, ids


def denoiser_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of the denoiser of a diffusers folder; None where there is none."""
    for name in ("unet", "transformer"):
        path = folder / name / "config.json"
        if path.exists():
            config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return config
    return None


def text_tokens(folder: Path) -> int:
    """Tokens of a text, of the pipeline in a diffusers folder: Emu's joiner names its own."""
    joiner = folder / "joiner" / "config.json"
    if joiner.exists():
        return int(sum(json.loads(joiner.read_text(encoding="utf-8"))["max_lengths"]))
    return CLIP_TOKENS + (SD3_T5_TOKENS if (folder / "transformer").is_dir() else 0)
