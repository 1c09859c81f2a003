"""Tensors by name from a safetensors file, without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError


def read_tensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, NDArray[np.float64]]:
    """Name -> tensor of those whose name is `wanted`; the others are not read.

    Raises:
        MissingModelError: the file is no safetensors file, or holds numbers that NumPy does not know.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if wanted(name)]  # noqa: SIM118 - it is no mapping
            return {name: file.get_tensor(name).astype(np.float64) for name in names}
    except (SafetensorError, OSError, TypeError) as error:
        raise MissingModelError(f"{path} cannot be read as safetensors: {error}") from error
