"""Several processes of torchrun on one road: the first speaks and writes markers, the others only help."""

from __future__ import annotations

import os

from photogenic.core.errors import RunError

SHARED = ("pretrain", "tune")  # the stages that several processes do as one


def helps() -> bool:
    """Whether this process is one that torchrun started besides the first."""
    return int(os.environ.get("RANK", "0")) > 0


def must_share(name: str) -> None:
    """Nothing for a process alone.

    Raises:
        RunError: torchrun started several, and `name` is no stage that several can do.
    """
    num = int(os.environ.get("WORLD_SIZE", "1"))
    if num > 1 and name not in SHARED:
        raise RunError(
            f"torchrun started {num} processes, and `{name}` is the work of one.",
            "Run it without torchrun. With it: "
            + ", ".join(f"`-m photogenic {stage} RECIPE`" for stage in SHARED)
            + ", one stage at a time.",
        )
