"""What training a recipe would take on a cluster: operations counted on models without memory, rates stated.

Nothing here was measured on a cluster: operations, parameters and kept activations are counted, the rest is
assumption, and every assumption is part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from photogenic.models.families import Condition, predict
from photogenic.models.unet import NUM_TIME_IDS, build_unet
from photogenic.train.activations import kept_bytes
from photogenic.train.config import DiffusionConfig, LoopConfig, PretrainConfig, TuneConfig
from photogenic.train.footprint import FROZEN, Trained, footprint
from photogenic.train.parts.autoencoder import build_autoencoder
from photogenic.train.ready_made import TextSizes, t5_numbers, text_sizes

PEAK = 989e12  # bfloat16 operations a second of one H100 (SXM), without sparsity: NVIDIA's data sheet
UTILISATION = 0.40  # share of the peak that training reaches; published runs reach 0.24 to 0.53
PICTURE_BYTES = 400_000  # of a stored picture as it is read, a guess for web photographs
# Where a recipe names no growing resolutions: these, and the share of the samples at each.
GROWTH = ((4, 0.5), (2, 0.3), (1, 0.2))  # (divisor of the final side, share)
BACKWARD = 2  # a backward pass costs twice the forward pass


@dataclass(frozen=True)
class PlannedStage:
    """One training on `gpus` devices."""

    name: str
    samples: float
    operations: float  # in all
    days: float
    read_bytes: float
    checkpoint_bytes: int
    gpu_bytes: int  # on each device


@dataclass(frozen=True)
class TrainingPlan:
    """All trainings of a recipe, and what was assumed."""

    stages: tuple[PlannedStage, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class _Cost:
    """Forward operations of one sample."""

    denoiser: float
    encoder: float
    text: float


def plan_training(config: PretrainConfig, tune: TuneConfig | None, gpus: int) -> TrainingPlan:
    """Of a recipe that makes its model from the beginning.

    Raises:
        ValueError: the recipe takes finished weights.
    """
    parts = config.parts()
    autoencoder_loop, loop = parts.autoencoder.loop, parts.diffusion.loop
    text = text_sizes(config)
    with torch.device("meta"):
        unet = _unet(config, text.pooled_dim)
        autoencoder = build_autoencoder(parts.autoencoder, config.size_px)
    count, frozen = _numbers(unet), frozen_numbers(text, autoencoder)
    kept = kept_bytes(
        {**unet.config, "_class_name": type(unet).__name__, "sample_size": 32},
        batch_size=1,
        num_tokens=text.num_tokens,
        precision="bfloat16",
    )
    stages = [_autoencoder_stage(autoencoder, autoencoder_loop, gpus)]
    for side, samples in resolutions(parts.diffusion, config.size_px):
        cost = _cost(unet, autoencoder, side, text)
        trained = Trained(count, frozen, 0, int(kept * (side / 256) ** 2))
        needs = gpu_bytes(trained, loop, gpus)
        stages.append(_stage(f"U-Net, {side} px", samples, cost, gpus, needs, count))
    if tune is not None:
        needles = float(tune.loop.max_steps * tune.loop.batch_size)
        cost = _cost(unet, autoencoder, config.size_px, text)
        cached = _Cost(cost.denoiser, 0.0, 0.0)
        trained = Trained(count, frozen, 0, int(kept * (config.size_px / 256) ** 2))
        needs = gpu_bytes(trained, tune.loop, gpus, tune.num_averages)
        stages.append(_stage("tuning", needles, cached, gpus, needs, count))
    return TrainingPlan(tuple(stages), _assumptions(gpus, parts.diffusion, text))


def frozen_numbers(text: TextSizes, autoencoder: nn.Module) -> int:
    """Numbers in encoders and decoder, which lie beside what is trained."""
    return t5_numbers(text.t5, text.t5_vocab_size) + text.num_clip + _numbers(autoencoder)


def resolutions(config: DiffusionConfig, size_px: int) -> list[tuple[int, float]]:
    """Side and samples of each stage of the U-Net's training: the recipe's own, or those of GROWTH."""
    loop = config.loop
    samples = float(loop.max_steps * loop.batch_size)
    if not config.growing:
        return [(size_px // divisor, samples * share) for divisor, share in GROWTH]
    grown = [
        (stage.size_px, float(stage.max_steps * (stage.batch_size or loop.batch_size)))
        for stage in config.growing
    ]
    return [*grown, (size_px, samples)]


def gpu_bytes(trained: Trained, loop: LoopConfig, gpus: int, num_averages: int = 1) -> int:
    """On each device; what is split over them (`loop.sharded`) is all but activations and frozen encoders."""
    needs = footprint(trained, loop, num_averages)
    if not loop.sharded:
        return needs.total
    frozen = FROZEN * trained.frozen
    split = needs.weights - frozen + needs.gradients + needs.moments + needs.averages
    return needs.total - split + -(-split // gpus)


def forward_operations(module: nn.Module, *inputs: Any) -> float:
    """Multiplications and additions of a forward pass, counted on tensors without memory."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(*inputs)
    return float(counter.get_total_flops())


def denoiser_operations(unet: Any, side_px: int, num_tokens: int) -> float:
    """Of one sample's forward pass at that size, by f = 8, with so many tokens of text."""
    config, side = unet.config, side_px // 8
    pooled = config.projection_class_embeddings_input_dim - NUM_TIME_IDS * config.addition_time_embed_dim
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad(), counter:
        condition = Condition(
            torch.zeros(1, num_tokens, config.cross_attention_dim), None, torch.zeros(1, pooled)
        )
        noisy = torch.zeros(1, config.in_channels, side, side)
        predict(unet, noisy, torch.zeros(1), condition, torch.zeros(1, NUM_TIME_IDS))
    return float(counter.get_total_flops())


def _unet(config: PretrainConfig, pooled_dim: int) -> Any:
    parts = config.parts()
    return build_unet(
        latent_channels=parts.autoencoder.latent_channels,
        sample_size=config.size_px // 8,
        pooled_dim=pooled_dim,
        **parts.diffusion.unet.model_dump(),
    )


def _cost(unet: Any, autoencoder: Any, side_px: int, text: TextSizes) -> _Cost:
    pixels = torch.zeros(1, 3, side_px, side_px, device="meta")
    return _Cost(
        denoiser_operations(unet, side_px, text.num_tokens),
        forward_operations(_Encoder(autoencoder), pixels),
        2.0 * t5_numbers(text.t5) * text.t5_tokens,
    )


class _Encoder(nn.Module):
    """The autoencoder's first half, as a module."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.autoencoder._encode(pixels)


def _autoencoder_stage(autoencoder: Any, loop: LoopConfig, gpus: int) -> PlannedStage:
    pixels = torch.zeros(1, 3, 256, 256, device="meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        latents = autoencoder._encode(pixels)[:, : autoencoder.config.latent_channels]
        autoencoder._decode(latents)
    cost = _Cost(float(counter.get_total_flops()), 0.0, 0.0)
    count = _numbers(autoencoder)
    needs = footprint(Trained(count, 0), loop).total
    samples = float(loop.max_steps * loop.batch_size)
    return _stage("autoencoder, 256 px", samples, cost, gpus, needs, count)


def _stage(name: str, samples: float, cost: _Cost, gpus: int, gpu_bytes: int, trained: int) -> PlannedStage:
    operations = samples * ((1 + BACKWARD) * cost.denoiser + cost.encoder + cost.text)
    return PlannedStage(
        name,
        samples,
        operations,
        operations / (gpus * PEAK * UTILISATION) / 86400,
        samples * PICTURE_BYTES if cost.encoder or name.startswith("autoencoder") else 0.0,
        16 * trained,  # weights, average and two moments in float32
        gpu_bytes,
    )


def _numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _assumptions(gpus: int, config: DiffusionConfig, text: TextSizes) -> tuple[str, ...]:
    shares = ", ".join(f"{share:.0%} at 1/{divisor} of the side" for divisor, share in GROWTH)
    grown = f"of all samples {shares}" if not config.growing else "as the recipe says"
    memory = "weights, gradients, moments and averages are split over all GPUs"
    return (
        f"{gpus} GPUs with a peak of {PEAK / 1e12:.0f} TFLOP/s in bfloat16 (H100), of which training reaches"
        f" {UTILISATION:.0%}. Neither was measured here.",
        "Operations are counted: forward pass of U-Net and autoencoder on models without memory, backward"
        " pass as two forward passes, T5 as two operations a parameter and token.",
        f"Pre-training grows: {grown}. The paper names no shares.",
        "Pictures pass autoencoder and T5 at every step (embeddings of a billion captions would take"
        " petabytes); in tuning both are cached.",
        f"CLIP and T5 {_text_words(text)}; CLIP's own operations are left out (below 1 %).",
        f"A picture is read with {PICTURE_BYTES / 1000:.0f} kB on the average, and once for each use.",
        f"Memory: {memory if config.loop.sharded else 'every GPU holds everything (data parallel)'} in"
        " pre-training; one sample at a time in bfloat16, with activation checkpoints and averages in the"
        " CPU's memory where the recipe has them; the autoencoder's activations, its discriminator and LPIPS"
        " are not counted.",
    )


def _text_words(text: TextSizes) -> str:
    if not text.is_ready:
        return "are counted as if they were ready-made, and their training is left out"
    return "are ready-made" + (
        ", and as large as CLIP ViT-L and T5-XXL: they are not here" if text.is_assumed else ""
    )
