"""What is written down of an autoencoder once it is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.config import AutoencoderConfig
from photogenic.train.haystack import Haystack
from photogenic.train.parts.autoencoder import build_autoencoder, make_objective, moments_of_channels


def test_an_empty_channel_does_not_become_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    spreads = torch.tensor([2.0, 0.5, 0.01]).view(1, 3, 1, 1)
    latents = torch.randn((64, 3, 8, 8), generator=generator) * spreads + 0.25
    mean, std = moments_of_channels(latents)
    assert mean.tolist() == pytest.approx([0.25, 0.25, 0.25], abs=0.1)
    assert std.tolist() == pytest.approx([2.0, 0.5, 0.2], rel=0.05)  # the last one: a tenth of the largest

    autoencoder = FourierAutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=2, latent_channels=3, sample_size=16
    )
    autoencoder.register_to_config(latents_mean=mean.tolist(), latents_std=std.tolist())
    normalised = autoencoder.normalise(latents)
    assert normalised.std(dim=(0, 2, 3)).tolist() == pytest.approx([1.0, 1.0, 0.05], rel=0.05)
    assert torch.allclose(autoencoder.denormalise(normalised), latents, atol=1e-5)


def test_a_picture_that_comes_again_in_a_batch_has_other_noise(haystack: Haystack) -> None:
    config = AutoencoderConfig.model_validate({"block_out_channels": (16,) * 4, "loop": {"max_steps": 1}})
    objective = make_objective(build_autoencoder(config, 32), config, haystack, seed=0)
    one = np.zeros(1, np.int64)
    with torch.no_grad():
        first, same, again = (float(objective.losses(one, 3, time)["mse"]) for time in (None, one, one + 1))
    assert first == same != again
