"""A denoiser compiled by torch, while it learns or while it draws: fewer and larger kernels.

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
    denoiser: nn.Module,
    what: str | None,
    *,
    drawing: bool = False,
    backend: str | Callable[..., Any] = "inductor",
) -> Iterator[None]:
    """Within it, forward passes that gradients are taken of run compiled, and so do their backward passes.

    What is drawn or validated meanwhile runs as before, for its shapes would want programs of their own. With
    `drawing` it is the other way round.

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

    def program(_: nn.Module, own: Forward) -> Forward:
        return Program(own, torch.compile(own, dynamic=False, backend=backend), drawing=drawing)

    with limits, warnings.catch_warnings(), forwards_replaced(parts, program):
        # diffusers asks for torch's version on the way, and the answer does not change.
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
        yield


class Program:
    """A forward pass and its program, of which the one or the other runs."""

    def __init__(self, own: Forward, program: Forward, *, drawing: bool) -> None:
        self._own, self._program, self._drawing = own, program, drawing

    @property
    def runs(self) -> bool:
        """Whether a call now would be the program's."""
        return torch.is_grad_enabled() is not self._drawing

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.runs:
            return self._own(*args, **kwargs)
        try:
            return self._program(*args, **kwargs)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:
            raise PhotogenicError(
                f"The denoiser cannot be compiled: {error}",
                "It takes a C++ compiler, and on a GPU Triton and Python's headers; without them, leave out"
                f" `{'compile' if self._drawing else 'loop.compile'}`.",
            ) from error


def runs_compiled(denoiser: nn.Module) -> bool:
    """Whether a forward pass now would run a program, in whole or in part."""
    forwards = (vars(part).get("forward") for part in denoiser.modules())
    return any(isinstance(one, Program) and one.runs for one in forwards)


def _blocks(denoiser: nn.Module) -> list[nn.Module]:
    blocks = [part for part in denoiser.modules() if type(part).__name__ in BLOCKS]
    if not blocks:
        raise PhotogenicError(
            f"A {type(denoiser).__name__} has none of the blocks that are compiled one by one.",
            "Set `compile: whole`, or leave it out.",
        )
    return blocks
