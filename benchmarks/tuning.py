"""A step of quality-tuning against a bare loop, and against the same step without caches.

    python benchmarks/tuning.py --rounds 8

Three kinds of steps take turns on one model. Counted is processor time, which a busy machine does not change:

- bare:      forward, backward and AdamW on tensors that lie ready in memory; nothing else;
- tuning:    the step of `photogenic tune`: noise for each sample, gradient clipping, averages, log;
- uncached:  the same, with pictures and captions through the frozen encoders inside the step.

A ratio is the median over rounds of (time of one) / (time of the other).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from photogenic.core.weights import weights_folder
from photogenic.models.families import (
    Condition,
    denoiser_of,
    encode_empty,
    encode_pixels,
    encode_texts,
    joined,
    predict,
    training_scheduler,
)
from photogenic.models.sampling import default_size_px
from photogenic.train.config import DiffusionLossConfig, LoopConfig
from photogenic.train.data import to_tensor
from photogenic.train.distributed import World
from photogenic.train.loop import initial_state, training_step
from photogenic.train.noise import process_of
from photogenic.train.objectives.diffusion import DiffusionObjective, LatentSet
from photogenic.train.optim import make_optimizer
from photogenic.train.text import CachedText, size_conditioning
from photogenic.train.tune import load_frozen

WORDS = ("red", "green", "old", "small"), ("apple", "cat", "house", "bird", "flag", "boat")
LOSS = DiffusionLossConfig(noise_offset=0.1)


class Uncached(DiffusionObjective):
    """The same objective; what it looks up elsewhere, it encodes anew for every batch."""

    pipeline: Any
    rgb: np.ndarray
    captions: tuple[str, ...]

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        pixels = to_tensor(self.rgb[indices])
        assert isinstance(self.data, LatentSet)
        self.data.latents[indices] = encode_pixels(self.pipeline, pixels)
        encoded = encode_texts(self.pipeline, [self.captions[i] for i in indices])
        assert isinstance(self.text, CachedText)
        self.text.table.states[indices] = encoded.states
        return super().losses(indices, global_step, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="emu-tiny", help="packaged name or folder")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of one step of each kind")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--micro-batch-size", type=int, default=32)
    arguments = parser.parse_args()
    loop = LoopConfig(
        max_steps=10**6, batch_size=arguments.batch_size, micro_batch_size=arguments.micro_batch_size
    )
    kinds = make_kinds(weights_folder(arguments.model), loop)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(arguments.rounds + 1):
        for name, step in kinds.items():
            begun = time.process_time()
            step(number)
            if number > 0:  # the first round warms up
                seconds[name].append(time.process_time() - begun)
    report(seconds)


def make_kinds(base: Path, loop: LoopConfig) -> dict[str, Callable[[int], object]]:
    """One step of each kind, by name; they share the model and have optimizers of their own."""
    pipeline = load_frozen(base)
    denoiser = denoiser_of(pipeline).requires_grad_(True).train()
    rng = np.random.default_rng(0)
    size_px, count = default_size_px(pipeline), 2 * loop.batch_size
    rgb = rng.integers(0, 255, (count, size_px, size_px, 3), dtype=np.uint8)
    captions = tuple(f"{rng.choice(WORDS[0])} {rng.choice(WORDS[1])}" for _ in range(count))
    data = LatentSet(
        encode_pixels(pipeline, to_tensor(rgb)),
        size_conditioning(np.full((count, 2), size_px), size_px),
        tuple(str(i) for i in range(count)),
    )
    text = CachedText(joined([encode_texts(pipeline, captions), encode_empty(pipeline)]), pipeline.device)
    rows = np.arange(count)
    process = process_of(training_scheduler(pipeline), LOSS)

    def objective(kind: type[DiffusionObjective]) -> DiffusionObjective:
        return kind(denoiser, denoiser, text, data, rows, rows[:4], process, LOSS, 0)

    cached, uncached = objective(DiffusionObjective), objective(Uncached)
    assert isinstance(uncached, Uncached)
    uncached.pipeline, uncached.rgb, uncached.captions = pipeline, rgb, captions
    cached_state, uncached_state = (initial_state(denoiser, loop, None) for _ in range(2))
    return {
        "bare": bare_step(denoiser, data, text(torch.arange(loop.batch_size)), loop),
        "tuning": lambda number: training_step(cached, loop, cached_state, 0, number, World()),
        "uncached": lambda number: training_step(uncached, loop, uncached_state, 0, number, World()),
    }


def bare_step(
    denoiser: Any, data: LatentSet, condition: Condition, loop: LoopConfig
) -> Callable[[int], object]:
    """Forward, backward, AdamW; noise and timesteps were drawn before."""
    size, part = loop.batch_size, loop.micro_batch_size or loop.batch_size
    noisy, target = torch.randn(2, *data.latents[:size].shape)
    timesteps = torch.randint(1000, (size,))
    optimizer = make_optimizer(denoiser, loop.optimizer)

    def step(_: int) -> None:
        for rows in torch.arange(size).split(part):
            ids = data.time_ids[rows]
            pred = predict(denoiser, noisy[rows], timesteps[rows], condition.rows(rows), ids)
            ((pred - target[rows]).square().mean() * len(rows) / size).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def report(seconds: dict[str, list[float]]) -> None:
    for name, values in seconds.items():
        print(f"{name:10} {median(values) * 1000:8.0f} ms of processor time a step (median of {len(values)})")
    ratios = {
        "bare / tuning (>= 0.97)": ("bare", "tuning"),
        "uncached / tuning (>= 1.3)": ("uncached", "tuning"),
    }
    for words, (over, under) in ratios.items():
        ratio = median(a / b for a, b in zip(seconds[over], seconds[under], strict=True))
        print(f"{words:28} {ratio:.3f}")


if __name__ == "__main__":
    main()
