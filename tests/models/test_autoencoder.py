from __future__ import annotations

from pathlib import Path

import pytest
import torch

from photogenic.models.autoencoder import FourierAutoencoderKL

LEVELS = {1: (8, 8, 16, 16), 2: (8, 16, 16)}


def build(pixel_fold: int) -> FourierAutoencoderKL:
    torch.manual_seed(0)
    return FourierAutoencoderKL(
        fourier_bands=2,
        pixel_fold=pixel_fold,
        block_out_channels=LEVELS[pixel_fold],
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
        mid_block_add_attention=False,
    ).eval()


@pytest.mark.parametrize("pixel_fold", [1, 2])
@torch.no_grad()
def test_folded_or_not_f_is_eight_and_it_loads_back(pixel_fold: int, tmp_path: Path) -> None:
    autoencoder = build(pixel_fold)
    assert autoencoder.downscaling == 8
    pixels = torch.rand(2, 3, 32, 48) * 2 - 1
    latents = autoencoder.encode(pixels).latent_dist.mode()
    assert latents.shape == (2, 4, 4, 6)
    decoded = autoencoder.decode(latents).sample
    assert decoded.shape == pixels.shape

    autoencoder.save_pretrained(tmp_path)
    loaded = FourierAutoencoderKL.from_pretrained(tmp_path)
    assert (loaded.config.pixel_fold, loaded.config.in_channels, loaded.config.out_channels) == (
        pixel_fold,
        3,
        3,
    )
    torch.testing.assert_close(loaded.decode(latents).sample, decoded)
    torch.testing.assert_close(loaded.decode(latents, return_dict=False)[0], decoded)


@torch.no_grad()
def test_a_folded_pixel_comes_back_to_its_place() -> None:
    autoencoder = build(2)
    autoencoder.decoder.conv_out.weight.zero_()
    bias = torch.arange(12.0)  # channel-major: of each colour the four places of a square
    autoencoder.decoder.conv_out.bias.copy_(bias)
    decoded = autoencoder.decode(torch.zeros(1, 4, 2, 2)).sample
    assert decoded[0, 1, 4:6, 6:8].tolist() == [[4.0, 5.0], [6.0, 7.0]]
