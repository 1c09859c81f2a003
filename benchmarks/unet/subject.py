"""What full_size.py trains: the recipe's U-Net or a tiny one, on random latents and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from unet.operations import training_operations, unet_operations

from photogenic.models.families import Condition, predict
from photogenic.models.unet import NUM_TIME_IDS, build_unet
from photogenic.recipe import find_recipe, load_recipe
from photogenic.train.config import DiffusionLossConfig, LoopConfig
from photogenic.train.noise import make_scheduler, process_of
from photogenic.train.objectives.diffusion import DiffusionObjective, LatentSet
from photogenic.train.parts.autoencoder import build_autoencoder
from photogenic.train.planning import frozen_numbers
from photogenic.train.ready_made import text_sizes
from photogenic.train.text import CachedText


@dataclass(frozen=True)
class Subject:
    """What is trained."""

    unet: Any
    side: int  # of the latents
    num_tokens: int
    pooled_dim: int
    frozen: int  # numbers in encoders and decoder, which lie beside it
    loop: LoopConfig  # as the recipe tunes
    compiler: str


def subject_of(tiny: bool, compiler: str, device: torch.device) -> Subject:
    """The recipe's U-Net with random weights, on the device; or a tiny one."""
    recipe = load_recipe(find_recipe("emu"))
    assert recipe.pretrain is not None and recipe.tune is not None
    parts, text = recipe.pretrain.parts(), text_sizes(recipe.pretrain)
    sizes, channels = parts.diffusion.unet.model_dump(), parts.autoencoder.latent_channels
    with torch.device("meta"):
        autoencoder = build_autoencoder(parts.autoencoder, recipe.pretrain.size_px)
    side, pooled, tokens, frozen = 64, text.pooled_dim, text.num_tokens, frozen_numbers(text, autoencoder)
    if tiny:
        side, pooled, tokens, channels, frozen = 8, 16, 12, 4, 1000
        sizes |= {
            "block_out_channels": (32, 64),
            "transformer_layers_per_block": (0, 1),
            "layers_per_block": 1,
        }
        sizes |= {"attention_head_width": 16, "cross_attention_dim": 32, "addition_time_embed_dim": 8}
    torch.manual_seed(0)
    with device:
        unet = build_unet(latent_channels=channels, sample_size=side, pooled_dim=pooled, **sizes)
    return Subject(unet.train(), side, tokens, pooled, frozen, recipe.tune.loop, compiler)


def objective_of(subject: Subject, num_samples: int) -> DiffusionObjective:
    """Quality-tuning's, on random latents and texts as its caches hold them."""
    unet, generator = subject.unet, torch.Generator().manual_seed(0)
    latents = torch.randn(
        num_samples, unet.config.in_channels, subject.side, subject.side, generator=generator
    )
    time_ids = torch.full((num_samples, NUM_TIME_IDS), 8.0 * subject.side)
    data = LatentSet(latents.bfloat16(), time_ids, tuple(map(str, range(num_samples))))
    words = (num_samples + 1, subject.num_tokens)
    table = Condition(
        torch.randn(*words, unet.config.cross_attention_dim, generator=generator).bfloat16(),
        torch.ones(words, dtype=torch.bool),
        torch.randn(num_samples + 1, subject.pooled_dim, generator=generator).bfloat16(),
    )
    loss = DiffusionLossConfig(noise_offset=0.1, snr_gamma=None)
    process, rows = process_of(make_scheduler("epsilon", False), loss), np.arange(num_samples)
    text = CachedText(table, unet.device)
    return DiffusionObjective(unet, unet, text, data, rows, rows[:1], process, loss, 0)


def count(subject: Subject) -> dict[str, Any]:
    """Operations of a picture's forward and backward pass, by hand and by torch's counter."""
    config = subject.unet.config
    by_kind = unet_operations(config, subject.side, subject.num_tokens)
    by_hand = training_operations(config, subject.side, subject.num_tokens)
    counter = FlopCounterMode(display=False)
    with torch.device("meta"):
        unet = type(subject.unet).from_config(config)
        states = torch.zeros(1, subject.num_tokens, config.cross_attention_dim)
        condition = Condition(states, None, torch.zeros(1, subject.pooled_dim))
        noisy = torch.zeros(1, config.in_channels, subject.side, subject.side)
        with counter:
            predict(unet, noisy, torch.zeros(1), condition, torch.zeros(1, NUM_TIME_IDS)).sum().backward()
    counted = counter.get_total_flops()
    numbers = sum(parameter.numel() for parameter in subject.unet.parameters())
    kinds = ", ".join(f"{kind} {operations / 1e12:.3g}" for kind, operations in by_kind.items())
    print(f"{numbers / 1e9:.3g} B weights, latents of {subject.side}^2, {subject.num_tokens} tokens of text")
    print(f"forward pass by hand: {kinds} TFLOP")
    print(
        f"forward and backward, a picture: {by_hand / 1e12:.4g} TFLOP by hand,"
        f" {counted / 1e12:.4g} by torch's counter, ratio {counted / by_hand:.4f}"
    )
    return {"by_hand": by_hand, "by_counter": counted, "forward_by_kind": dict(by_kind)}
