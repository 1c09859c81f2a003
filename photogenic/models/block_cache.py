"""The deep blocks of a U-Net, run at some steps only (DeepCache, arXiv 2312.00858).

What the deep blocks say changes slowly from step to step. At a step that reuses it, only the outermost level
runs: the first down block and the last up block, which take what lies between from the step before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from photogenic.core.errors import PhotogenicError
from photogenic.models.forwards import Forward, forwards_replaced


class DeepBlocks:
    """Runs the inner blocks, or answers with what they said when they last ran."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        if not hasattr(unet, "up_blocks"):
            raise PhotogenicError(f"A {type(unet).__name__} has no levels to skip.", "Set cache_interval: 1.")
        middle = [] if unet.mid_block is None else [unet.mid_block]
        self._inner: list[torch.nn.Module] = [*unet.down_blocks[1:], *middle, *unet.up_blocks[:-1]]
        self._answers: dict[int, Any] = {}
        self._rows = 0
        self.reuse = False

    def begin_step(self, number: int, interval: int, rows: int) -> None:
        """Decide for step `number`, from 0: every `interval`-th runs whole, and so does one of other rows."""
        self.reuse = bool(self._answers) and number % interval != 0 and rows == self._rows
        self._rows = rows

    @contextlib.contextmanager
    def installed(self) -> Iterator[DeepBlocks]:
        """Take the place of the inner blocks' forward; afterwards the U-Net is as it was."""
        with forwards_replaced(self._inner, self._caching):
            yield self
        self._answers.clear()

    def _caching(self, block: torch.nn.Module, own: Forward) -> Forward:
        def answer(*args: Any, **kwargs: Any) -> Any:
            if not self.reuse:
                self._answers[id(block)] = own(*args, **kwargs)
            return self._answers[id(block)]

        return answer
