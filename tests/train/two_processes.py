"""Run by torchrun: what one process does elsewhere, shared by two. `two_processes.py FOLDER`"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from test_loop import fit

from photogenic.train.distributed import current_world

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    weights = fit(folder)
    if current_world().is_main:
        torch.save(weights, folder / "weights.pt")
    current_world().wait()
