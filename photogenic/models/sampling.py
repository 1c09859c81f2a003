"""`draw`: the only inference there is. An image depends on (model, prompt, seed), not on the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler
from numpy.typing import NDArray

from photogenic.models.families import Condition, encode_empty, encode_texts, family_of

Tensor = torch.Tensor

MAX_BATCH_SIZE = 8  # with guidance 16 rows: on a CPU the small U-Net gains little from more
LATENT_POSITIONS_AT_A_TIME = 8192  # a batch of 8 at 32 x 32 latents, of 2 at 64 x 64, of 1 at 128 x 128


def draw(
    pipeline: DiffusionPipeline,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    negative_prompt: str = "",
    guidance_scale: float = 4.0,
    guidance_rescale: float = 0.0,
    num_inference_steps: int = 20,
    size_px: int | None = None,
    batch_size: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw prompts[i] from seeds[i] with DPM-Solver++, in that order, each as soon as its batch is done.

    The noise of an image comes from its own CPU generator, each distinct prompt is encoded once and alone,
    and a short batch is filled up to `batch_size`; so the images are bitwise the same in any order, grouping
    and number of prompts, for a given machine, number of threads and `batch_size` (which moves last bits).

    Args:
        guidance_scale: 1 turns guidance off.
        size_px: side of the square picture; by default the model's own.
        batch_size: images at a time; by default `default_batch_size`.

    Yields:
        uint8 [H, W, 3], sRGB.

    Raises:
        PhotogenicError: no adapter knows this class of pipeline.
    """
    family_of(pipeline)  # says at once when there is no adapter
    size = size_px or default_size_px(pipeline)
    rows = batch_size or default_batch_size(pipeline, size)
    options = {
        "guidance_scale": guidance_scale,
        "guidance_rescale": guidance_rescale,
        "num_inference_steps": num_inference_steps,
        "height": size,
        "width": size,
    }
    texts = _Texts(pipeline, prompts, negative_prompt if guidance_scale > 1.0 else None)
    pairs = list(enumerate(seeds))
    if len(pairs) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts but {len(pairs)} seeds")
    for begin in range(0, len(pairs), rows):
        batch = pairs[begin : begin + rows]
        filled = batch + [batch[-1]] * (rows - len(batch))
        with _drawing(pipeline):
            words = texts.arguments([index for index, _ in filled])
            generators = [torch.Generator("cpu").manual_seed(seed) for _, seed in filled]
            pixels = pipeline(**words, **options, generator=generators, output_type="np").images
        yield from (np.rint(image * 255).astype(np.uint8) for image in pixels[: len(batch)])


def default_size_px(pipeline: DiffusionPipeline) -> int:
    """The side at which the model draws by itself."""
    latent_size = pipeline.unet.config.sample_size
    side = latent_size if isinstance(latent_size, int) else latent_size[0]
    return int(side * pipeline.vae_scale_factor)


def default_batch_size(pipeline: DiffusionPipeline, size_px: int) -> int:
    """Images at a time, from the size of the latents alone: never from how many there are to draw."""
    positions = (size_px // pipeline.vae_scale_factor) ** 2
    return min(MAX_BATCH_SIZE, max(1, LATENT_POSITIONS_AT_A_TIME // positions))


class _Texts:
    """Encodes each distinct prompt once, and forgets it after its last use."""

    def __init__(
        self, pipeline: DiffusionPipeline, prompts: Sequence[str], negative_prompt: str | None
    ) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._negative_prompt = negative_prompt
        self._negative: Condition | None = None
        self._last_use = {prompt: index for index, prompt in enumerate(prompts)}
        self._encoded: dict[str, Condition] = {}

    def arguments(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """By what names a diffusers pipeline takes the encoded prompts at `indices`, and the negative one."""
        arguments = _arguments([self._condition(index) for index in indices])
        if self._negative_prompt is None:
            return arguments
        if self._negative is None:
            text, pipeline = self._negative_prompt, self._pipeline
            self._negative = encode_texts(pipeline, [text]) if text else encode_empty(pipeline)
        negative = _arguments([self._negative] * len(indices))
        return arguments | {f"negative_{name}": part for name, part in negative.items()}

    def _condition(self, index: int) -> Condition:
        prompt = self._prompts[index]
        if prompt not in self._encoded:
            self._encoded = {p: known for p, known in self._encoded.items() if self._last_use[p] >= index}
            self._encoded[prompt] = encode_texts(self._pipeline, [prompt])
        return self._encoded[prompt]


def _arguments(conditions: Sequence[Condition]) -> dict[str, Tensor]:
    """A batch of encoded texts under the names diffusers' pipelines share, as far as a family has them."""
    names = ("prompt_embeds", "prompt_attention_mask", "pooled_prompt_embeds")  # states, mask, pooled
    columns = zip(names, zip(*conditions, strict=True), strict=True)
    return {name: torch.cat(parts) for name, parts in columns if parts[0] is not None}


def dpm_solver(config: Mapping[str, Any]) -> DPMSolverMultistepScheduler:
    """DPM-Solver++ on the noise schedule that `config` describes.

    diffusers keeps in `_use_default_values` which settings were left to their defaults, lets another class
    replace those by its own, and forgets the list when it saves: a pipeline would draw differently before and
    after. Here a setting is a setting.
    """
    settings = {name: value for name, value in config.items() if name != "_use_default_values"}
    return DPMSolverMultistepScheduler.from_config(settings)


@contextlib.contextmanager
def _drawing(pipeline: DiffusionPipeline) -> Iterator[None]:
    """DPM-Solver++, evaluation mode, no gradients, no bars of their own; afterwards all is as it was."""
    noise_schedule, bars = pipeline.scheduler, getattr(pipeline, "_progress_bar_config", {})
    training = [
        part for part in pipeline.components.values() if isinstance(part, torch.nn.Module) and part.training
    ]
    pipeline.scheduler = dpm_solver(noise_schedule.config)
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
