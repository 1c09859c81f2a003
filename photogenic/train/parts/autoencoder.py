"""The autoencoder, and its decoder's further training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from photogenic.core.errors import RecipeError
from photogenic.core.run import seed_for
from photogenic.core.shards import file_fingerprint, fingerprint, is_done, mark_done
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.perceptual import load_lpips
from photogenic.train.config import AutoencoderConfig, LoopConfig
from photogenic.train.data import InlineSquares
from photogenic.train.distributed import current_world, own_device
from photogenic.train.haystack import Haystack
from photogenic.train.loop import train
from photogenic.train.objectives.adversarial import Adversary
from photogenic.train.objectives.autoencoder import AutoencoderObjective, encode_pictures
from photogenic.train.order import mark_of_repeats

Tensor = torch.Tensor

LEAST_SPREAD = 0.1  # of the largest channel's; a channel below is as good as empty
MOMENTS_OF = 2048  # pictures; at 64 px they have 131,000 numbers a channel
DECODED_AT_ONCE = 64  # of them


def build_autoencoder(config: AutoencoderConfig, size_px: int) -> FourierAutoencoderKL:
    """An autoencoder with random weights."""
    return FourierAutoencoderKL(
        fourier_bands=config.fourier_bands,
        pixel_fold=config.pixel_fold,
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_num_groups,
        sample_size=size_px,
        mid_block_add_attention=False,
    )


def make_objective(
    autoencoder: FourierAutoencoderKL, config: AutoencoderConfig, haystack: Haystack, seed: int
) -> AutoencoderObjective:
    """The losses that the recipe names.

    Raises:
        MissingModelError: the perceptual loss has no weights.
        RecipeError: the pictures are too small for the discriminator, or for latents that can be shrunk.
    """
    perceptual, adversary = None, None
    size_px = haystack.train.rgb.shape[1]
    if config.scale_weight > 0 and size_px < 2 * autoencoder.downscaling:
        raise RecipeError(
            f"Pictures of {size_px} px have too small latents to be shrunk.", "Leave out `scale_weight`."
        )
    if config.perceptual is not None:
        perceptual = load_lpips(Path(config.perceptual.weights)).to(autoencoder.device)
    if config.adversarial is not None:
        torch.manual_seed(seed_for(seed, "discriminator"))
        adversary = Adversary(config.adversarial, size_px)
        adversary.discriminator.to(autoencoder.device)
    return AutoencoderObjective(
        autoencoder,
        config,
        haystack.train,
        haystack.validation,
        seed,
        perceptual=perceptual,
        adversary=adversary,
    )


def _judges_fingerprint(config: AutoencoderConfig) -> list[str]:
    """What the losses depend on besides the configuration."""
    if config.perceptual is None:
        return []
    path = Path(config.perceptual.weights)
    return [file_fingerprint(path)] if path.exists() else []  # missing weights are refused by name later


def train_autoencoder(
    config: AutoencoderConfig, size_px: int, haystack: Haystack, folder: Path, seed: int
) -> FourierAutoencoderKL:
    """The autoencoder, with the latents' mean and spread per channel in its configuration."""
    parts = config.counted(exclude={"loop", "decoder_loop"})
    key = fingerprint(
        *("autoencoder 2", parts, config.loop.identity(), size_px, haystack.train.sample_ids, seed),
        *_judges_fingerprint(config),
        *mark_of_repeats(config.loop.batch_size, len(haystack.train)),
    )
    done_key = fingerprint(key, config.loop.max_steps)
    if is_done(folder, done_key):
        return FourierAutoencoderKL.from_pretrained(folder / "model").to(own_device())
    torch.manual_seed(seed_for(seed, "autoencoder"))
    autoencoder = build_autoencoder(config, size_px).to(own_device())
    objective = make_objective(autoencoder, config, haystack, seed)
    train(objective, config.loop, folder, key=key, seed=seed, description="autoencoder")
    mean, std = moments_of_channels(_some_latents(autoencoder, haystack.train.rgb, seed))
    autoencoder.register_to_config(latents_mean=mean.tolist(), latents_std=std.tolist())
    _save(autoencoder, folder, done_key)
    return autoencoder


def _some_latents(autoencoder: FourierAutoencoderKL, rgb: np.ndarray | InlineSquares, seed: int) -> Tensor:
    """Of all pictures that lie in memory; of others so many that the moments are known to a thousandth."""
    if isinstance(rgb, np.ndarray):
        return encode_pictures(autoencoder, rgb)
    chosen = np.sort(np.random.default_rng(seed_for(seed, "moments")).permutation(len(rgb))[:MOMENTS_OF])
    parts = np.split(chosen, range(DECODED_AT_ONCE, len(chosen), DECODED_AT_ONCE))
    return torch.cat([encode_pictures(autoencoder, rgb[part]) for part in parts])


def moments_of_channels(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread per channel of raw latents [N, C, h, w], by which they are normalised; [C] each.

    The KL term empties channels that it can do without: what is left in them is a hundredth of the others'
    spread and means nothing. Brought to unit variance it would be noise for the denoiser to learn, so no
    channel's spread counts as less than LEAST_SPREAD of the largest.
    """
    std = latents.std(dim=(0, 2, 3))
    return latents.mean(dim=(0, 2, 3)), std.clamp_min(LEAST_SPREAD * float(std.max()))


def train_decoder(
    config: AutoencoderConfig,
    loop: LoopConfig,
    autoencoder: FourierAutoencoderKL,
    haystack: Haystack,
    folder: Path,
    seed: int,
    *,
    upstream: str,
) -> FourierAutoencoderKL:
    """Train the decoder alone: the latents, and so the U-Net that learned them, stay as they are."""
    config = config.model_copy(update={"scale_weight": 0.0})  # it shapes latents, and these stay
    key = fingerprint(
        *("decoder", config, loop, upstream, seed, *_judges_fingerprint(config)),
        *mark_of_repeats(loop.batch_size, len(haystack.train)),
    )
    if is_done(folder, key):
        return FourierAutoencoderKL.from_pretrained(folder / "model")
    autoencoder.encoder.requires_grad_(False)
    autoencoder.quant_conv.requires_grad_(False)
    objective = make_objective(autoencoder, config, haystack, seed)
    train(objective, loop, folder, key=key, seed=seed, description="decoder")
    _save(autoencoder, folder, key)
    return autoencoder


def _save(autoencoder: FourierAutoencoderKL, folder: Path, done_key: str) -> None:
    world = current_world()
    if world.is_main:
        autoencoder.save_pretrained(folder / "model")
        mark_done(folder, done_key)
    world.wait()
