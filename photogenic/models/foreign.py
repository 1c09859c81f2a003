"""Pipelines of diffusers that no adapter knows: they draw by their own call, and know fewer settings."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from photogenic.core.errors import PhotogenicError
from photogenic.models.denoising import Steps
from photogenic.models.families import FAMILIES, family_of

DEFAULT_SIZE_PX = 512  # where a pipeline does not say what it draws at


def is_known(pipeline: Any) -> bool:
    """Whether our own loop can draw with it."""
    return type(pipeline).__name__ in FAMILIES


def check_draws(pipeline: Any, steps: Steps) -> None:
    """Refuse what the pipeline's own call cannot do.

    Raises:
        PhotogenicError: it draws no text, or cannot do what `steps` asks.
    """
    accepted = inspect.signature(type(pipeline).__call__).parameters
    if "prompt" not in accepted:
        family_of(pipeline)
    name = type(pipeline).__name__
    if steps.cache_interval > 1 or steps.guidance_interval != (0.0, 1.0):
        raise PhotogenicError(
            f"A {name} draws by its own call, which knows neither block caching nor a guidance interval.",
            "Leave them out.",
        )
    if steps.guidance_rescale and "guidance_rescale" not in accepted:
        raise PhotogenicError(f"A {name} does not know `guidance_rescale`.", "Leave it at 0.")


def own_size_px(pipeline: Any) -> int:
    """The side at which such a pipeline draws by itself."""
    core = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    side = getattr(getattr(core, "config", None), "sample_size", None)
    if isinstance(side, (list, tuple)):
        side = side[0]
    return int(side * getattr(pipeline, "vae_scale_factor", 1)) if side else DEFAULT_SIZE_PX


def draw_batch(
    pipeline: Any,
    prompts: Sequence[str],
    generators: Sequence[torch.Generator],
    negative_prompt: str,
    steps: Steps,
    size_px: int,
) -> NDArray[np.uint8]:
    """uint8 [B, H, W, 3] by the pipeline's own call."""
    wanted: dict[str, Any] = {
        "negative_prompt": [negative_prompt] * len(prompts),
        "guidance_scale": steps.guidance_scale,
        "guidance_rescale": steps.guidance_rescale,
        "num_inference_steps": steps.num_inference_steps,
        "height": size_px,
        "width": size_px,
        "use_resolution_binning": False,
    }
    accepted = inspect.signature(type(pipeline).__call__).parameters
    options = {name: value for name, value in wanted.items() if name in accepted}
    images = pipeline(prompt=list(prompts), generator=list(generators), output_type="np", **options).images
    return np.rint(np.asarray(images) * 255).astype(np.uint8)
