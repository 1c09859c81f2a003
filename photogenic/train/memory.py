"""The switches that make training fit: activation checkpoints, half-precision arithmetic, 8-bit moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from photogenic.core.errors import MissingExtraError, PhotogenicError
from photogenic.models.forwards import Forward, forwards_replaced

FASTER_IN_HALF = frozenset({"cuda"})  # devices; many CPUs have no instructions for it


def checkpoint_activations(module: nn.Module) -> None:
    """Let every part that can keep its inputs alone, and compute the rest again in the backward pass.

    Raises:
        PhotogenicError: no part can.
    """
    switched = False
    for part in module.modules():
        # diffusers' name, then transformers'.
        for name in ("enable_gradient_checkpointing", "gradient_checkpointing_enable"):
            switch = getattr(part, name, None)
            if switch is not None and getattr(part, "_supports_gradient_checkpointing", True):
                switch()
                switched = True
                break
    if not switched:
        raise PhotogenicError(
            f"A {type(module).__name__} cannot compute its activations again.",
            "Leave out `activation_checkpoints`, and lower `micro_batch_size`.",
        )


@contextmanager
def computing_in(precision: str, module: nn.Module) -> Iterator[None]:
    """Within it, matrix products run in `precision`; weights stay as they are."""
    if precision == "float32":
        yield
        return
    device = next(module.parameters()).device
    with torch.autocast(device.type, dtype=getattr(torch, precision)), attention_in(precision, module):
        yield


def attention_in(precision: str, module: nn.Module) -> AbstractContextManager[None]:
    """Which attention is taken: in half precision on a CPU the plain one.

    The fused one's backward pass is four times as slow there as in float32. It has to hold for the backward
    pass as well, which computes activations again where they were not kept.
    """
    is_plain = precision != "float32" and next(module.parameters()).device.type == "cpu"
    return sdpa_kernel(SDPBackend.MATH) if is_plain else nullcontext()


@contextmanager
def drawing_in(precision: str, denoiser: nn.Module) -> Iterator[None]:
    """Within it the denoiser draws in `precision` where that is faster, on a GPU; its weights stay the same.

    Only the denoiser: what the decoder makes is measured, and rounding would show in even grounds.
    """
    device = next(denoiser.parameters()).device.type
    if precision == "float32" or device not in FASTER_IN_HALF:
        yield
        return

    def halved(_: nn.Module, own: Forward) -> Forward:
        def answer(*args: Any, **kwargs: Any) -> Any:
            with torch.autocast(device, dtype=getattr(torch, precision)):
                return own(*args, **kwargs)

        return answer

    with forwards_replaced([denoiser], halved):
        yield


def adamw_8bit(groups: Sequence[dict[str, Any]], lr: float, betas: tuple[float, float]) -> Any:
    """AdamW of bitsandbytes, whose moments take 2 bytes a weight instead of 8.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("eight-bit", "`optimizer.eight_bit`")
    from bitsandbytes.optim import AdamW8bit

    return AdamW8bit(list(groups), lr=lr, betas=betas)
