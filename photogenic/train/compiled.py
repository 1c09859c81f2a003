"""The denoiser compiled by torch while it learns: fewer and larger kernels.

Modules stay what they are and where they are, only their `forward` is another for a while; so no weight gets
another name, and checkpoints, averages, low-rank matrices and the gate see the model that they know.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._dynamo import config as dynamo_config
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

from photogenic.core.errors import PhotogenicError
from photogenic.models.forwards import Forward, forwards_replaced

# What denoisers are built of, by class name: those of U-Nets, then that of Stable Diffusion 3.
BLOCKS = ("ResnetBlock2D", "BasicTransformerBlock", "JointTransformerBlock")
MOST_PROGRAMS = 512  # of a kind of block, one for each width and shape; torch's own limit is 8


@contextmanager
def compiled(
    denoiser: nn.Module, what: str | None, *, backend: str | Callable[..., Any] = "inductor"
) -> Iterator[None]:
    """Within it, forward passes that gradients are taken of run compiled, and so do their backward passes.

    What is drawn or validated meanwhile runs as before, for its shapes would want programs of their own.

    Args:
        what: `blocks`, each kind of block for each of its shapes; `whole`, all of it at once; None, nothing.
        backend: what makes the programs, as `torch.compile` takes it.

    Raises:
        PhotogenicError: a program could not be made.
    """
    if what is None:
        yield
        return
    parts = [denoiser] if what == "whole" else _blocks(denoiser)
    # Beyond its limit torch would go on uncompiled: other last bits, depending on what was compiled before.
    limits = dynamo_config.patch(
        recompile_limit=MOST_PROGRAMS,
        accumulated_recompile_limit=len(BLOCKS) * MOST_PROGRAMS,
        fail_on_recompile_limit_hit=True,
    )

    def learning(_: nn.Module, own: Forward) -> Forward:
        return _while_learning(own, torch.compile(own, dynamic=False, backend=backend))

    with limits, warnings.catch_warnings(), forwards_replaced(parts, learning):
        # diffusers asks for torch's version on the way, and the answer does not change.
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
        yield


def _blocks(denoiser: nn.Module) -> list[nn.Module]:
    blocks = [part for part in denoiser.modules() if type(part).__name__ in BLOCKS]
    if not blocks:
        raise PhotogenicError(
            f"A {type(denoiser).__name__} has none of the blocks that are compiled one by one.",
            "Set `loop.compile: whole`, or leave it out.",
        )
    return blocks


def _while_learning(own: Forward, program: Forward) -> Forward:
    def answer(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return own(*args, **kwargs)
        try:
            return program(*args, **kwargs)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:
            raise PhotogenicError(
                f"The denoiser cannot be compiled: {error}",
                "It takes a C++ compiler, and on a GPU Triton and Python's headers; without them, leave out"
                " `loop.compile`.",
            ) from error

    return answer
