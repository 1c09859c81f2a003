"""What is written down of an autoencoder once it is trained."""

from __future__ import annotations

import pytest
import torch

from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.parts.autoencoder import moments_of_channels


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
