"""Latents that shrink as pictures do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from photogenic.core.errors import RecipeError
from photogenic.train.config import AutoencoderConfig
from photogenic.train.data import to_tensor
from photogenic.train.haystack import Haystack
from photogenic.train.loop import train
from photogenic.train.objectives.autoencoder import psnr
from photogenic.train.parts.autoencoder import build_autoencoder, make_objective

LOOP = {"max_steps": 120, "batch_size": 8, "checkpoint_every": 120, "optimizer": {"learning_rate": 3e-3}}


def test_latents_too_small_to_be_shrunk_are_refused(haystack: Haystack) -> None:
    widths = (8, 8, 8, 8, 8, 8)  # f = 32: one latent a picture
    config = AutoencoderConfig.model_validate(
        {"block_out_channels": widths, "norm_num_groups": 4, "scale_weight": 1.0, "loop": LOOP}
    )
    with pytest.raises(RecipeError, match="too small latents"):
        make_objective(build_autoencoder(config, 32), config, haystack, 0)


@torch.no_grad()
def quality_when_shrunk(haystack: Haystack, folder: Path, scale_weight: float) -> float:
    """After a short training: mean PSNR of half-sized pictures from half-sized latents, dB."""
    config = AutoencoderConfig.model_validate(
        {"block_out_channels": (16, 16, 16, 16), "scale_weight": scale_weight, "loop": LOOP}
    )
    torch.manual_seed(0)
    objective = make_objective(build_autoencoder(config, 32), config, haystack, 0)
    with torch.enable_grad():
        assert ("scale" in objective.losses(np.arange(2), 0)) == (scale_weight > 0)
        train(objective, config.loop, folder, key="k", seed=0, description="autoencoder")
    pixels = to_tensor(haystack.train.rgb[:32])
    latents = objective.autoencoder.encode(pixels).latent_dist.mode()
    shrunk = objective.autoencoder.decode(F.avg_pool2d(latents, 2)).sample
    return float(psnr(shrunk, F.avg_pool2d(pixels, 2)).mean())


def test_shrunken_latents_are_those_of_the_shrunken_picture(haystack: Haystack, tmp_path: Path) -> None:
    without = quality_when_shrunk(haystack, tmp_path / "without", 0.0)
    assert quality_when_shrunk(haystack, tmp_path / "with", 1.0) > without + 1.0
