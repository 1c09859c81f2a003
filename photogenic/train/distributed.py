"""Several processes as one: each takes its share of the global batch, and gradients are summed.

Either each keeps everything and gradients are summed here (data parallel), or everything is split over them
and sharding.py sums on the way (FSDP2).

Started with `torchrun --nproc-per-node N -m photogenic ...`. Noise belongs to samples and not to processes,
so the number of processes changes a denoiser by rounding only. A CLIP tells a picture's text from those
beside it, which are fewer in each process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")
PATIENCE = timedelta(hours=12)  # while one process draws pictures for the gate, the others wait


@dataclass(frozen=True)
class World:
    """This process among `size` ones."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sum(self, values: dict[str, float]) -> dict[str, float]:
        """Numbers summed over all processes."""
        if self.size == 1:
            return values
        total = torch.tensor(list(values.values()), dtype=torch.float64, device=own_device())
        dist.all_reduce(total)
        return dict(zip(values, total.tolist(), strict=True))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients summed over all processes, in one message."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def first(self, make: Callable[[], T]) -> T:
        """What `make` answers; the main process goes first, so that the others find its files."""
        if self.size == 1:
            return make()
        made = [make()] if self.is_main else []
        self.wait()
        return made[0] if made else make()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


def current_world() -> World:
    """Joins the process group that torchrun announces; alone otherwise."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(own_device())
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    return World(dist.get_rank(), size)


def own_device() -> torch.device:
    """Where this process computes: its own GPU, or the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
