"""One list of pictures, drawn by several processes that torchrun started.

A picture depends on no other one, so each process draws its own part and the first one writes grid and
manifest once all are done.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # the default of 30 minutes would end a long drawing at its end


@dataclass(frozen=True)
class Share:
    """This process among `size` ones."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process tidies up, concludes and speaks."""
        return self.rank == 0

    def part(self, everything: Sequence[T]) -> list[T]:
        """What falls to this process; by place in the whole list, which is the same for all processes."""
        return list(everything[self.rank :: self.size])

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            import torch.distributed as dist

            dist.barrier()


def current_share() -> Share:
    """As torchrun's environment says; alone otherwise."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Share()
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=PATIENCE)
    return Share(dist.get_rank(), size)
