"""Averages of models: of checkpoints, or of tunings on other needles (Biggs et al. 2024, Diffusion Soup)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.families import denoiser_of
from photogenic.train.further import save_beside


def soup(models: Sequence[Path], folder: Path, shares: Sequence[float] | None = None) -> Path:
    """Save the first model with the average of all models' denoisers; one at a time is in memory beside it.

    Args:
        shares: how much each model counts, all together 1; by default equally.

    Raises:
        RecipeError: there are no two models, or the shares do not fit.
        MissingModelError: the models are not of one shape.
    """
    shares = [1.0 / len(models)] * len(models) if shares is None else list(shares)
    if len(models) < 2 or len(shares) != len(models):
        raise RecipeError(f"{len(models)} models and {len(shares)} shares.", "Name two models or more.")
    if abs(sum(shares) - 1.0) > 1e-6:
        raise RecipeError(f"The shares are {sum(shares):g} in all.", "They must be 1 in all.")
    pipeline = load_pipeline(models[0], dtype=torch.float32)
    total = {name: shares[0] * weight for name, weight in denoiser_of(pipeline).state_dict().items()}
    for model, share in zip(models[1:], shares[1:], strict=True):
        add_share(total, load_pipeline(model, dtype=torch.float32), share, model)
    denoiser_of(pipeline).load_state_dict(total)
    return save_beside(pipeline, models[0], folder)


def add_share(total: dict[str, torch.Tensor], pipeline: DiffusionPipeline, share: float, model: Path) -> None:
    """total += share * weights, for each weight of the denoiser.

    Raises:
        MissingModelError: the weights have other names or shapes.
    """
    weights = denoiser_of(pipeline).state_dict()
    shapes = {name: weight.shape for name, weight in weights.items()}
    if shapes != {name: weight.shape for name, weight in total.items()}:
        raise MissingModelError(
            f"{model} has other weights than the first model.",
            "Only models of the same base can be averaged.",
        )
    for name, weight in weights.items():
        if weight.is_floating_point():
            total[name].add_(weight, alpha=share)
