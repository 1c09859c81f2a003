"""Run by torchrun: what one process does elsewhere, shared by two. `two_processes.py KIND FOLDER ...`"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from test_loop import fit

from photogenic.train.distributed import current_world


def regression(folder: Path) -> None:
    weights = fit(folder)
    if current_world().is_main:
        torch.save(weights, folder / "weights.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    kind, *arguments = sys.argv[1:]
    if kind == "regression":
        regression(Path(arguments[0]))
    else:
        from test_sharding import KINDS

        KINDS[kind](*map(Path, arguments))
    current_world().wait()
