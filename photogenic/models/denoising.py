"""From noise to a picture: the loop over the steps, the same for every family."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from photogenic.models.attention_calls import attention_spared
from photogenic.models.autoencoder import full_precision
from photogenic.models.block_cache import DeepBlocks
from photogenic.models.families import Condition, denoiser_of, predict
from photogenic.models.pipeline import denormalise_latents, guided, size_time_ids

Tensor = torch.Tensor
PREVIEW_LATENTS = 32  # latents on a side that a preview decodes at most: 256 px with f = 8


@dataclass(frozen=True)
class Steps:
    """How the noise is taken away. The defaults change nothing but the number of steps."""

    num_inference_steps: int = 20
    guidance_scale: float = 4.0
    guidance_rescale: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)  # the part of the steps that is guided, first = 0
    cache_interval: int = 1  # every how many steps the deep blocks of the U-Net run; 1: at each

    def is_guided(self, number: int, total: int) -> bool:
        """Whether step `number` of `total`, from 0, is guided."""
        begin, end = self.guidance_interval
        return self.guidance_scale > 1.0 and begin <= number / total < end


class Progress:
    """What `on_step` is called with after each step."""

    def __init__(self, pipeline: Any, number: int, total: int, clean_latents: Callable[[], Tensor]) -> None:
        self._pipeline = pipeline
        self.number = number  # steps done
        self.total = total
        self._clean_latents = clean_latents

    def preview(self) -> NDArray[np.uint8]:
        """What the model now believes the pictures to be, [B, h, w, 3], at 256 px or less."""
        latents = self._clean_latents()
        factor = -(-max(latents.shape[-2:]) // PREVIEW_LATENTS)
        if factor > 1:
            latents = torch.nn.functional.avg_pool2d(latents, factor)
        return decode(self._pipeline, latents)


OnStep = Callable[[Progress], None]  # to stop the drawing, raise


def denoise(
    pipeline: Any,
    latents: Tensor,
    positive: Condition,
    negative: Condition | None,
    steps: Steps,
    generators: Sequence[torch.Generator],
    on_step: OnStep | None = None,
) -> Tensor:
    """Unit noise [B, C, h, w] => latents, by `pipeline.scheduler`. Guided, both halves are one batch.

    Args:
        negative: what guidance leads away from; None where no step is guided.
        generators: one per picture, for schedulers that add noise at each step.
    """
    denoiser, noise_schedule = denoiser_of(pipeline), pipeline.scheduler
    device, dtype = denoiser.device, denoiser.dtype  # asking takes diffusers a walk over all weights
    noise_schedule.set_timesteps(steps.num_inference_steps, device=device)
    noise_of_steps = _noise_of_steps(noise_schedule, generators)
    alone = positive.to(device).as_type(dtype)
    both = alone if negative is None else _joined(negative.to(device).as_type(dtype), alone)
    time_ids = _time_ids(pipeline, latents).to(device, dtype)
    latents = latents.to(device) * getattr(noise_schedule, "init_noise_sigma", 1.0)
    total = len(noise_schedule.timesteps)
    with (
        _deep_blocks(denoiser, steps.cache_interval) as deep,
        attention_spared(denoiser, [alone.states, both.states]),
    ):
        for number, timestep in enumerate(noise_schedule.timesteps):
            with_guidance = negative is not None and steps.is_guided(number, total)
            model_input = _scaled(noise_schedule, latents, timestep)
            rows = torch.cat([model_input, model_input]) if with_guidance else model_input
            if deep is not None:
                deep.begin_step(number, steps.cache_interval, len(rows))
            condition = both if with_guidance else alone
            # The solver works in float32 whatever the U-Net's weights are.
            model_pred = predict(
                denoiser,
                rows.to(dtype),
                timestep.expand(len(rows)),
                condition,
                time_ids.expand(len(rows), -1),
            ).float()
            if with_guidance:
                model_pred = guided(model_pred, steps.guidance_scale, steps.guidance_rescale)
            latents = noise_schedule.step(model_pred, timestep, latents, **noise_of_steps).prev_sample
            if on_step is not None:
                clean = _clean(noise_schedule, model_input, model_pred, timestep)
                on_step(Progress(pipeline, number + 1, total, clean))
    return latents


def decode(pipeline: Any, latents: Tensor) -> NDArray[np.uint8]:
    """Latents as the U-Net sees them => uint8 [B, H, W, 3]."""
    vae = pipeline.vae
    raw = denormalise_latents(vae, latents.float())
    with full_precision(vae):
        pixels = vae.decode(raw.to(vae.dtype)).sample.float()
    scaled = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def _scaled(noise_schedule: Any, latents: Tensor, timestep: Tensor) -> Tensor:
    """What the denoiser was trained to see. Flow matching keeps its latents so."""
    if not hasattr(noise_schedule, "scale_model_input"):
        return latents
    scaled: Tensor = noise_schedule.scale_model_input(latents, timestep)
    return scaled


def _clean(noise_schedule: Any, noisy: Tensor, model_pred: Tensor, timestep: Tensor) -> Callable[[], Tensor]:
    """The clean latents that a prediction stands for.

    Diffusion, with a the share of signal: noisy = sqrt(a) clean + sqrt(1 - a) noise. Flow matching:
    noisy = clean + sigma (noise - clean), which is predicted, and sigma = timestep / 1000.
    """

    def clean() -> Tensor:
        if not hasattr(noise_schedule, "alphas_cumprod"):
            return noisy - timestep.float() / noise_schedule.config.num_train_timesteps * model_pred
        share = noise_schedule.alphas_cumprod.to(noisy.device)[int(timestep.round())].float()
        signal, spread = share.sqrt(), (1 - share).sqrt()
        kind = noise_schedule.config.prediction_type
        if kind == "sample":
            return model_pred
        if kind == "v_prediction":
            return signal * noisy - spread * model_pred
        return (noisy - spread * model_pred) / signal.clamp_min(1e-3)

    return clean


def _noise_of_steps(noise_schedule: Any, generators: Sequence[torch.Generator]) -> dict[str, Any]:
    takes = "generator" in inspect.signature(noise_schedule.step).parameters
    return {"generator": list(generators)} if takes else {}


def _joined(negative: Condition, positive: Condition) -> Condition:
    states, mask, pooled = (
        None if left is None or right is None else torch.cat([left, right])
        for left, right in zip(negative, positive, strict=True)
    )
    if states is None:
        raise ValueError("a condition has states")
    return Condition(states, mask, pooled)


def _time_ids(pipeline: Any, latents: Tensor) -> Tensor:
    """[1, 6]: as if the picture had been neither scaled nor cut."""
    height, width = (int(side * pipeline.vae_scale_factor) for side in latents.shape[-2:])
    return size_time_ids((height, width), (0, 0), (height, width))[None]


@contextlib.contextmanager
def _deep_blocks(denoiser: Any, interval: int) -> Iterator[DeepBlocks | None]:
    if interval <= 1:
        yield None
        return
    with DeepBlocks(denoiser).installed() as deep:
        yield deep
