"""What a denoiser is told of texts, in the shape that all families share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

Tensor = torch.Tensor


class Condition(NamedTuple):
    """What the denoiser is told of B texts; a family without a part has None there."""

    states: Tensor  # [B, L, C] for attention
    mask: Tensor | None = None  # bool [B, L], false where a token is padding
    pooled: Tensor | None = None  # [B, P] for the added embedding

    def rows(self, rows: Tensor) -> Condition:
        """The texts at `rows`."""
        return self.each(lambda part: part[rows])

    def to(self, device: torch.device) -> Condition:
        return self.each(lambda part: part.to(device))

    def as_type(self, dtype: torch.dtype) -> Condition:
        """The same with its numbers in `dtype`; the mask stays a mask."""
        return self.each(lambda part: part if part.dtype == torch.bool else part.to(dtype))

    def each(self, change: Callable[[Tensor], Tensor]) -> Condition:
        """The same with each part changed."""
        mask, pooled = (None if part is None else change(part) for part in (self.mask, self.pooled))
        return Condition(change(self.states), mask, pooled)


def joined(parts: Sequence[Condition]) -> Condition:
    """Batches of texts one after the other, on the CPU."""
    states = torch.cat([part.states for part in parts]).cpu()
    return Condition(states, _joined([part.mask for part in parts]), _joined([part.pooled for part in parts]))


def _joined(column: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in column if part is not None]
    return torch.cat(present).cpu() if present else None
