"""LoRA (Hu et al. 2021) on a pipeline's denoiser, by peft; the saved file loads in plain diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from photogenic.core.errors import RecipeError
from photogenic.models.families import denoiser_of, family_of
from photogenic.models.folder import atomic_folder
from photogenic.models.safetensors_header import sort_metadata

ADAPTER = "default"  # peft's name for the only adapter
WEIGHTS = "pytorch_lora_weights.safetensors"  # the name under which diffusers looks for it


def add_lora(
    pipeline: DiffusionPipeline,
    *,
    rank: int,
    alpha: float,
    targets: Sequence[str] | None,
    seed: int,
) -> torch.nn.Module:
    """Freeze the denoiser and lay low-rank matrices beside its own; only they learn. Answers the denoiser.

    Args:
        targets: ends of module names; by default the family's attention matrices.
        seed: of the first matrix of each pair; the second begins at zero, so nothing changes at step 0.

    Raises:
        RecipeError: no module of the denoiser has such a name.
    """
    denoiser = denoiser_of(pipeline)
    chosen = list(targets or family_of(pipeline).LORA_TARGETS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            denoiser.requires_grad_(False).add_adapter(
                LoraConfig(r=rank, lora_alpha=alpha, target_modules=chosen, init_lora_weights="gaussian")
            )
        except ValueError as error:
            if "not found" not in str(error):
                raise
            raise RecipeError(
                f"No module of the {type(denoiser).__name__} ends in {', '.join(chosen)}.",
                "Leave out `tune.lora.targets`, or name modules that there are.",
            ) from error
    return denoiser


def save_lora(pipeline: DiffusionPipeline, folder: Path) -> Path:
    """Write the low-rank matrices alone into `folder`; `pipeline.load_lora_weights(folder)` reads them."""
    denoiser, name = denoiser_of(pipeline), family_of(pipeline).DENOISER
    layers = get_peft_model_state_dict(denoiser)
    if name == "unet":
        layers = convert_state_dict_to_diffusers(layers)  # the older names, which U-Nets' loaders know
    settings = denoiser.peft_config[ADAPTER].to_dict()
    arguments: dict[str, Any] = {
        f"{name}_lora_layers": layers,
        # A set has another order in every process; equal runs shall write equal files.
        f"{name}_lora_adapter_metadata": {**settings, "target_modules": sorted(settings["target_modules"])},
    }
    with atomic_folder(folder) as temporary:
        type(pipeline).save_lora_weights(temporary, **arguments)
        sort_metadata(temporary / WEIGHTS)
    return folder / WEIGHTS


def merge_lora(pipeline: DiffusionPipeline) -> None:
    """Add the low-rank matrices to the denoiser's own; it then has the modules that it had before."""
    denoiser = denoiser_of(pipeline)
    denoiser.fuse_lora()
    denoiser.unload_lora()
