"""The autoencoder: f = 8, 16 latent channels, a fixed Fourier lift of its input (Emu, section 3.1)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ModelMixin  # noqa: F401 - diffusers looks for it beside the class it loads
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput

Tensor = torch.Tensor


def fourier_features(rgb: Tensor, num_bands: int) -> Tensor:
    """Lift RGB with fixed, non-learnable Fourier features.

    The paper lifts RGB "to more channels" without disclosing frequencies; ours are octaves:
    [x, sin(2^k pi x), cos(2^k pi x)] for k = 0 ... num_bands - 1.

    Args:
        rgb: [B, 3, H, W] in [-1, 1].
        num_bands: octaves; 0 leaves the input as it is.

    Returns:
        [B, 3 + 6 * num_bands, H, W].
    """
    angles = [rgb * (2.0**k * math.pi) for k in range(num_bands)]
    return torch.cat([rgb, *(wave(angle) for angle in angles for wave in (torch.sin, torch.cos))], dim=1)


class FourierAutoencoderKL(AutoencoderKL):  # type: ignore[misc]
    """diffusers' `AutoencoderKL` whose encoder sees Fourier features of the picture.

    With `pixel_fold` k, squares of k x k pixels are folded into channels before the first convolution and
    unfolded after the last one: f = k * 2^(levels - 1), and nothing is convolved at full resolution. 1 is the
    paper's. Both are part of the saved configuration, so the model loads back right. `latents_mean` and
    `latents_std` hold one number per latent channel; `normalise` and `denormalise` apply them.
    """

    @register_to_config
    def __init__(
        self,
        fourier_bands: int = 3,
        pixel_fold: int = 1,
        in_channels: int = 3,
        out_channels: int = 3,
        down_block_types: tuple[str, ...] | None = None,
        up_block_types: tuple[str, ...] | None = None,
        block_out_channels: tuple[int, ...] = (128, 256, 512, 512),
        layers_per_block: int = 2,
        latent_channels: int = 16,
        norm_num_groups: int = 32,
        sample_size: int = 256,
        mid_block_add_attention: bool = True,
        scaling_factor: float = 1.0,
        latents_mean: tuple[float, ...] | None = None,
        latents_std: tuple[float, ...] | None = None,
        act_fn: str = "silu",
        shift_factor: float | None = None,
        force_upcast: bool = True,
        use_quant_conv: bool = True,
        use_post_quant_conv: bool = True,
    ) -> None:
        super().__init__(
            in_channels=in_channels * (1 + 2 * fourier_bands) * pixel_fold**2,
            out_channels=out_channels * pixel_fold**2,
            down_block_types=tuple(down_block_types or ("DownEncoderBlock2D",) * len(block_out_channels)),
            up_block_types=tuple(up_block_types or ("UpDecoderBlock2D",) * len(block_out_channels)),
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            latent_channels=latent_channels,
            norm_num_groups=norm_num_groups,
            sample_size=sample_size,
            mid_block_add_attention=mid_block_add_attention,
            scaling_factor=scaling_factor,
            latents_mean=latents_mean,
            latents_std=latents_std,
            act_fn=act_fn,
            shift_factor=shift_factor,
            force_upcast=force_upcast,
            use_quant_conv=use_quant_conv,
            use_post_quant_conv=use_post_quant_conv,
        )
        # The parent has just recorded the widths inside; what a user passes, and a file stores, is RGB's 3.
        self.register_to_config(in_channels=in_channels, out_channels=out_channels)

    def _encode(self, x: Tensor) -> Tensor:
        features = fourier_features(x, self.config.fourier_bands)
        return super()._encode(F.pixel_unshuffle(features, self.config.pixel_fold))

    def _decode(self, z: Tensor, return_dict: bool = True) -> Any:
        pixels = F.pixel_shuffle(super()._decode(z).sample, self.config.pixel_fold)
        return DecoderOutput(sample=pixels) if return_dict else (pixels,)

    @property
    def downscaling(self) -> int:
        """Pixels per latent along each side, the paper's f."""
        return int(self.config.pixel_fold * 2 ** (len(self.config.block_out_channels) - 1))

    def normalise(self, latents: Tensor) -> Tensor:
        """Raw latents => latents of zero mean and unit variance per channel, [B, C, h, w]."""
        mean, std = self._moments(latents)
        return (latents - mean) / std

    def denormalise(self, latents: Tensor) -> Tensor:
        """The inverse of `normalise`: what `decode` wants."""
        mean, std = self._moments(latents)
        return latents * std + mean

    def _moments(self, like: Tensor) -> tuple[Tensor, Tensor]:
        channels = self.config.latent_channels
        mean: Any = self.config.latents_mean or [0.0] * channels
        std: Any = self.config.latents_std or [1.0] * channels
        shape = (1, channels, 1, 1)
        return like.new_tensor(mean).view(shape), like.new_tensor(std).view(shape)


@contextlib.contextmanager
def full_precision(vae: Any) -> Iterator[None]:
    """Within it an autoencoder that overflows in float16, as SDXL's does and says, computes in float32."""
    overflows = vae.dtype == torch.float16 and getattr(vae.config, "force_upcast", False)
    if overflows:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if overflows:
            vae.to(torch.float16)
