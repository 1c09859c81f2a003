"""An average of models is the average of their weights, and of models of one shape only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import denoiser_of
from photogenic.train.soup import soup

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny


def test_weights_are_averaged_by_their_shares(tmp_path: Path) -> None:
    for seed in (0, 1):
        save_pipeline(tiny.sd(seed=seed), tmp_path / f"model-{seed}")
    one, two = (denoiser_of(tiny.sd(seed=seed)).state_dict() for seed in (0, 1))
    models = [tmp_path / "model-0", tmp_path / "model-1"]
    for shares, share in ((None, 0.5), ([0.25, 0.75], 0.25)):
        mixed = denoiser_of(load_pipeline(soup(models, tmp_path / "soup", shares))).state_dict()
        for name, weight in mixed.items():
            expected = share * one[name] + (1 - share) * two[name]
            torch.testing.assert_close(weight, expected, rtol=2e-3, atol=2e-4)  # stored in half precision


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    save_pipeline(tiny.sd(), tmp_path / "sd")
    save_pipeline(tiny.sdxl(), tmp_path / "sdxl")
    with pytest.raises(MissingModelError, match="sdxl has other weights than the first model"):
        soup([tmp_path / "sd", tmp_path / "sdxl"], tmp_path / "soup")
    with pytest.raises(RecipeError, match="Name two models"):
        soup([tmp_path / "sd"], tmp_path / "soup")
    with pytest.raises(RecipeError, match="must be 1 in all"):
        soup([tmp_path / "sd"] * 2, tmp_path / "soup", [0.5, 0.6])
