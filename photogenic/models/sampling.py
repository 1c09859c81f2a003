"""`draw`: the only inference there is. An image depends on (model, prompt, seed), not on the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray

from photogenic.core.errors import PhotogenicError
from photogenic.models import foreign
from photogenic.models.denoising import OnStep, Steps, decode, denoise
from photogenic.models.families import Condition, denoiser_of, encode_empty, encode_texts, joined
from photogenic.models.noise_schedules import dpm_solver, noise_schedule_for
from photogenic.models.samplers import FAMILY_SAMPLERS

__all__ = ["default_batch_size", "default_size_px", "dpm_solver", "draw", "size_step_px"]

MAX_BATCH_SIZE = 8
LATENT_POSITIONS_AT_A_TIME = 8192  # a batch of 8 at 32 x 32 latents, of 2 at 64 x 64, of 1 at 128 x 128


def draw(
    pipeline: DiffusionPipeline,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    negative_prompt: str = "",
    guidance_scale: float = 4.0,
    guidance_rescale: float = 0.0,
    guidance_interval: tuple[float, float] = (0.0, 1.0),
    num_inference_steps: int = 20,
    cache_interval: int = 1,
    sampler: str | None = None,
    size_px: int | None = None,
    batch_size: int | None = None,
    on_step: OnStep | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw prompts[i] from seeds[i], in that order, each as soon as its batch is done.

    The noise of an image comes from its own CPU generator, each distinct prompt is encoded once, and a short
    batch, of prompts or of images, is filled up to `batch_size`; so the images are bitwise the same in any
    order, grouping and number of prompts, for a given machine, number of threads and `batch_size` (which
    moves last bits).

    Args:
        guidance_scale: 1 turns guidance off.
        guidance_interval: the part of the steps, from 0 to 1, that is guided (arXiv 2404.07724).
        cache_interval: every how many steps the deep blocks run (arXiv 2312.00858); 1 is exact.
        sampler: a name of `SAMPLERS`, `own`, or a scheduler class of diffusers; by default the family's
            (`FAMILY_SAMPLERS`), or else DPM-Solver++ or, with flow matching, the model's own.
        size_px: side of the square picture, a multiple of `size_step_px`; by default the model's own.
        batch_size: images at a time; by default `default_batch_size`.
        on_step: called after each step of a batch; what it raises stops the drawing.

    Yields:
        uint8 [H, W, 3], sRGB.

    Raises:
        PhotogenicError: this class of pipeline cannot draw so, or a picture of such a size, or the sampler
            does not fit.
    """
    steps = Steps(num_inference_steps, guidance_scale, guidance_rescale, guidance_interval, cache_interval)
    if len(seeds) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts but {len(seeds)} seeds")
    known = foreign.is_known(pipeline)
    if not known:
        foreign.check_draws(pipeline, steps)
    size, step = size_px or default_size_px(pipeline), size_step_px(pipeline)
    if known and size % step:
        raise PhotogenicError(
            f"A {type(pipeline).__name__} cannot draw a picture of {size} px a side.",
            f"Take a multiple of {step}.",
        )
    rows = batch_size or default_batch_size(pipeline, size)
    texts = _Texts(pipeline, prompts, negative_prompt if guidance_scale > 1.0 else None, rows)
    for begin in range(0, len(seeds), rows):
        real = list(range(begin, min(begin + rows, len(seeds))))
        filled = real + [real[-1]] * (rows - len(real))
        generators = [torch.Generator("cpu").manual_seed(seeds[index]) for index in filled]
        with _drawing(pipeline, sampler):
            if known:
                positive, negative = texts.conditions(filled)
                latents = denoise(
                    pipeline,
                    _noise(pipeline, generators, size),
                    positive,
                    negative,
                    steps,
                    generators,
                    on_step,
                )
                pixels = decode(pipeline, latents)
            else:
                wanted = [prompts[index] for index in filled]
                pixels = foreign.draw_batch(pipeline, wanted, generators, negative_prompt, steps, size)
        yield from pixels[: len(real)]


def default_size_px(pipeline: DiffusionPipeline) -> int:
    """The side at which the model draws by itself."""
    if not foreign.is_known(pipeline):
        return foreign.own_size_px(pipeline)
    latent_size = denoiser_of(pipeline).config.sample_size
    side = latent_size if isinstance(latent_size, int) else latent_size[0]
    return int(side * pipeline.vae_scale_factor)


def size_step_px(pipeline: Any) -> int:
    """A picture's side is a multiple of it: of a latent's and, where there are patches, of a patch's."""
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    patch = getattr(getattr(network, "config", None), "patch_size", None) or 1
    return int(getattr(pipeline, "vae_scale_factor", 8) * patch)


def default_batch_size(pipeline: DiffusionPipeline, size_px: int) -> int:
    """Images at a time, from the size of the latents: never from how many there are to draw."""
    positions = (size_px // getattr(pipeline, "vae_scale_factor", 8)) ** 2
    return min(MAX_BATCH_SIZE, max(1, LATENT_POSITIONS_AT_A_TIME // positions))


class _Texts:
    """Encodes each distinct prompt once, `rows` at a time, and forgets it after its last use."""

    def __init__(
        self, pipeline: DiffusionPipeline, prompts: Sequence[str], negative_prompt: str | None, rows: int
    ) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._negative_prompt = negative_prompt
        self._rows = rows
        self._negative: Condition | None = None
        self._last_use = {prompt: index for index, prompt in enumerate(prompts)}
        self._encoded: dict[str, Condition] = {}

    def conditions(self, indices: Sequence[int]) -> tuple[Condition, Condition | None]:
        """The encoded prompts at `indices`, `rows` of them, and as many rows of the negative one."""
        self._encode(indices)
        positive = joined([self._encoded[self._prompts[index]] for index in indices])
        if self._negative_prompt is None:
            return positive, None
        if self._negative is None:
            text, pipeline = self._negative_prompt, self._pipeline
            self._negative = encode_texts(pipeline, [text]) if text else encode_empty(pipeline)
        return positive, joined([self._negative] * len(indices))

    def _encode(self, indices: Sequence[int]) -> None:
        """Encode what is not known yet, always as many texts at a time: kernels depend on the number."""
        first = indices[0]
        self._encoded = {p: known for p, known in self._encoded.items() if self._last_use[p] >= first}
        wanted = dict.fromkeys(self._prompts[index] for index in indices)
        new = [prompt for prompt in wanted if prompt not in self._encoded]
        if not new:
            return
        filled = new + [new[-1]] * (self._rows - len(new))
        condition = encode_texts(self._pipeline, filled, batch_size=self._rows)
        for row, prompt in enumerate(new):
            self._encoded[prompt] = condition.rows(torch.tensor([row]))


def _noise(pipeline: Any, generators: Sequence[torch.Generator], size_px: int) -> torch.Tensor:
    """[B, C, h, w] unit noise, each picture's from its own generator."""
    side = size_px // pipeline.vae_scale_factor
    shape = (1, denoiser_of(pipeline).config.in_channels, side, side)
    return torch.cat([torch.randn(shape, generator=generator) for generator in generators])


@contextlib.contextmanager
def _drawing(pipeline: DiffusionPipeline, sampler: str | None) -> Iterator[None]:
    """The sampler, evaluation mode, no gradients, no bars of their own; afterwards all is as it was."""
    noise_schedule, bars = pipeline.scheduler, getattr(pipeline, "_progress_bar_config", {})
    training = [
        part for part in pipeline.components.values() if isinstance(part, torch.nn.Module) and part.training
    ]
    usual = FAMILY_SAMPLERS.get(type(pipeline).__name__)
    pipeline.scheduler = noise_schedule_for(sampler or usual, noise_schedule)
    pipeline.set_progress_bar_config(disable=True)
    for part in training:
        part.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        pipeline.scheduler = noise_schedule
        pipeline.set_progress_bar_config(**bars)
        for part in training:
            part.train()
