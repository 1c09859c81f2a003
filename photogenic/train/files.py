"""Tensors into files, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from photogenic.core.errors import StorageError
from photogenic.core.shards import atomic_path


def save_tensors(
    tensors: Mapping[str, torch.Tensor], path: Path, head: Mapping[str, str] | None = None
) -> None:
    """Write one safetensors file atomically.

    Raises:
        StorageError: the disk is full; what was there before is untouched.
    """
    try:
        with atomic_path(path) as temporary:
            save_file(dict(tensors), temporary, metadata=None if head is None else dict(head))
    except SafetensorError as error:  # the library says so in words, and not by a number
        if "No space left" in str(error) or "Disk quota" in str(error):
            raise StorageError(
                f"The disk is full: {path} was not written.",
                "Free some space and run the same command again.",
            ) from error
        raise
