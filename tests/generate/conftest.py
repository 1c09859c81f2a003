"""A tiny Emu on disk, and one thread so that bitwise comparisons hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models of the same shape, as base and tuned are."""
    from models import tiny

    from photogenic.models.checkpoint import save_pipeline

    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(("base", "tuned")):
        save_pipeline(tiny.emu(seed=seed), folder / name)
    return {name: folder / name for name in ("base", "tuned")}
