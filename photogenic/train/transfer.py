"""From the CPU's memory to where the model computes."""

from __future__ import annotations

import torch


def onto(device: torch.device, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on `device`; to a GPU from pinned memory, so that nobody waits for the copy."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
