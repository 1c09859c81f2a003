"""The denoising loss, for pre-training and for quality-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from diffusers import ModelMixin
from torch import nn

from photogenic.core.run import seed_for
from photogenic.models.families import predict
from photogenic.train.config import DiffusionLossConfig
from photogenic.train.noise import Process, offset_noise
from photogenic.train.order import parts_of_batch
from photogenic.train.sharding import is_sharded
from photogenic.train.text import TextConditioning
from photogenic.train.transfer import onto

Tensor = torch.Tensor

VALIDATION_BATCH = 64
VALIDATION_TIMESTEPS = 8  # per sample, evenly spaced: the loss at one timestep says little about another


class Latents(Protocol):
    """N samples as latents, however they come to be."""

    @property
    def time_ids(self) -> Tensor:
        """Size and crop conditioning, [N, 6]."""
        ...

    @property
    def sample_ids(self) -> Sequence[str]: ...

    @property
    def groups(self) -> np.ndarray | None:
        """Int [N]: which samples have one shape; None where all do."""
        ...

    def __len__(self) -> int: ...

    def shape(self, row: int) -> tuple[int, ...]:
        """Of a sample's latents, [C, h, w]."""
        ...

    def at(self, rows: Tensor) -> Tensor:
        """Normalised latents of samples of one shape, float32 [B, C, h, w]."""
        ...

    def counts(self, rows: Tensor) -> Tensor:
        """How much each of these samples counts, as far as `at` has found out, [B]."""
        ...


@dataclass(frozen=True)
class LatentSet:
    """N encoded samples of one shape: `latents` [N, C, h, w], normalised; `time_ids` [N, 6]."""

    latents: Tensor
    time_ids: Tensor
    sample_ids: Sequence[str]
    groups: None = None

    def __len__(self) -> int:
        return len(self.latents)

    def shape(self, row: int) -> tuple[int, ...]:
        """[C, h, w], whatever the row."""
        return tuple(self.latents.shape[1:])

    def at(self, rows: Tensor) -> Tensor:
        """Float32 [B, C, h, w], whatever they are stored in."""
        return self.latents[rows].float()

    def counts(self, rows: Tensor) -> Tensor:
        """All count alike."""
        return torch.ones(len(rows))


class DiffusionObjective:
    """Weighted squared error of the target; a sample's noise depends on (seed, sample, step) only.

    In a batch that is larger than the set a sample comes several times, each time with other noise.
    """

    def __init__(
        self,
        module: nn.Module,
        denoiser: ModelMixin,
        text: TextConditioning,
        data: Latents,
        train_rows: np.ndarray,
        validation_rows: np.ndarray,
        process: Process,
        config: DiffusionLossConfig,
        seed: int,
    ) -> None:
        self.module = module
        # A denoiser that is split over processes stays as it was split.
        self.denoiser = denoiser if is_sharded(denoiser) else denoiser.to(memory_format=torch.channels_last)
        self.text = text
        self.data = data
        self.train_rows = train_rows
        self.validation_rows = validation_rows
        self.process = process
        self.config = config
        self.seed = seed
        self.num_samples = len(train_rows)
        self.groups = None if data.groups is None else data.groups[train_rows]
        self.device = denoiser.device

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, Tensor]:
        rows = torch.from_numpy(self.train_rows[indices])
        again = np.zeros(len(indices), np.int64) if repeats is None else repeats
        which = zip(rows.tolist(), again.tolist(), strict=True)
        draws = [self._draw(row, global_step, repeat) for row, repeat in which]
        noise = torch.stack([draw.noise for draw in draws])
        timesteps = torch.stack([draw.timestep for draw in draws])
        dropped = torch.tensor([draw.caption_dropped for draw in draws])
        error = self._squared_error(rows, noise, timesteps, dropped)
        counts = self.data.counts(rows)  # known only now that the rows have been read
        weights = self.process.loss_weights(timesteps, self.config.snr_gamma) * counts
        return {"loss": (onto(error.device, weights) * error).mean(), "mse": _mean(error, counts)}

    def sample_names(self, indices: np.ndarray) -> list[str]:
        return [self.data.sample_ids[row] for row in self.train_rows[indices]]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The fixed-noise loss: the same samples, noise and timesteps at every checkpoint; unweighted.

        What turned out to have no pixels is left out. Empty where nothing is held out.
        """
        errors, counts = [], []
        for k, timestep in enumerate(self.process.spread_timesteps(VALIDATION_TIMESTEPS)):
            for batch in self._validation_batches():
                noise = torch.stack([self._noise(int(row), "validation", k) for row in batch])
                timesteps = timestep.expand(len(batch))
                keep = torch.zeros(len(batch), dtype=torch.bool)
                errors.append(self._squared_error(batch, noise, timesteps, keep))
                counts.append(self.data.counts(batch))
        return {"validation_loss": float(_mean(torch.cat(errors), torch.cat(counts)))} if errors else {}

    def _validation_batches(self) -> list[Tensor]:
        parts = parts_of_batch(self.validation_rows, 0, 1, VALIDATION_BATCH, groups=self.data.groups)
        return [torch.from_numpy(part.indices) for part in parts]

    def _squared_error(self, rows: Tensor, noise: Tensor, timesteps: Tensor, dropped: Tensor) -> Tensor:
        """Mean squared error per sample, [B]."""
        empty = len(self.data)  # the text table's last row
        condition = self.text(torch.where(dropped, empty, rows))
        latents, noise, timesteps, time_ids = (
            onto(self.device, tensor)
            for tensor in (self.data.at(rows), noise, timesteps, self.data.time_ids[rows])
        )
        noisy_latents = self.process.add_noise(latents, noise, timesteps)
        model_pred = predict(self.denoiser, noisy_latents, timesteps, condition, time_ids)
        target = self.process.target(latents, noise, timesteps)
        return (model_pred.float() - target).square().mean(dim=(1, 2, 3))

    def _draw(self, row: int, global_step: int, repeat: int) -> _Draw:
        generator = self._generator(row, global_step, *([repeat] if repeat else []))
        shape = self.data.shape(row)
        noise = torch.randn(shape, generator=generator)
        offsets = torch.randn((shape[0], 1, 1), generator=generator)
        timestep = self.process.draw_timestep(generator)
        dropped = bool(torch.rand((), generator=generator) < self.config.caption_dropout)
        return _Draw(offset_noise(noise, offsets, self.config.noise_offset), timestep, dropped)

    def _noise(self, row: int, *purpose: object) -> Tensor:
        return torch.randn(self.data.shape(row), generator=self._generator(row, *purpose))

    def _generator(self, row: int, *purpose: object) -> torch.Generator:
        return torch.Generator().manual_seed(seed_for(self.seed, self.data.sample_ids[row], *purpose))


def _mean(errors: Tensor, counts: Tensor) -> Tensor:
    """Of the samples that count, [B] and [B] => []; 0 where none does."""
    counts = onto(errors.device, counts)
    return (errors * counts).sum() / counts.sum().clamp(min=1.0)


@dataclass(frozen=True)
class _Draw:
    noise: Tensor
    timestep: Tensor
    caption_dropped: bool
