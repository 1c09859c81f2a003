"""Pre-training an existing model further, on a pool of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from photogenic.core.errors import PhotogenicError
from photogenic.core.run import Run
from photogenic.core.weights import folder_fingerprint
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import training_scheduler
from photogenic.models.pipeline import EmuPipeline
from photogenic.models.sampling import default_size_px
from photogenic.models.text_encoders import TextEncoder
from photogenic.train.config import DiffusionConfig, PretrainConfig
from photogenic.train.distributed import current_world
from photogenic.train.haystack import load_haystack
from photogenic.train.parts.diffusion import Denoiser, fit_denoiser
from photogenic.train.parts.text import Encoders

BESIDE_THE_MODEL = ("clip.json", "clip-image.onnx", "clip-text.onnx")  # what measures read of a CLIP


def pretrain_further(
    config: PretrainConfig, diffusion: DiffusionConfig, weights: Path, run: Run, seed: int
) -> Path:
    """Train U-Net, T5 and joiner of `weights` on the run's pool; returns RUN/pretrain/model.

    Autoencoder and CLIP stay as they are, with `diffusion.freeze_t5` T5 too. The sizes in `diffusion.unet`
    and `diffusion.t5` are not used: the model has its own.

    Raises:
        PhotogenicError: the model is no Emu.
    """
    folder = run.stage("pretrain")
    pipeline = load_pipeline(weights)
    if not isinstance(pipeline, EmuPipeline):
        raise PhotogenicError(
            f"{weights} is a {type(pipeline).__name__}; only an Emu can be pre-trained further.",
            "Leave out `pretrain.diffusion`, and quality-tune the model instead.",
        )
    size_px, t5 = default_size_px(pipeline), pipeline.text_encoder_2
    clip = TextEncoder(pipeline.tokenizer, pipeline.text_encoder.requires_grad_(False).eval())
    frozen_t5 = t5.requires_grad_(False).eval() if diffusion.freeze_t5 else None
    upstream = folder_fingerprint(weights)
    haystack = load_haystack(config.model_copy(update={"size_px": size_px}), run, split_seed=0)
    trained = fit_denoiser(
        Denoiser(pipeline.unet, None if diffusion.freeze_t5 else t5, pipeline.joiner),
        diffusion,
        size_px,
        haystack,
        pipeline.vae.eval(),
        Encoders(clip, pipeline.tokenizer_2, frozen_t5, upstream),
        training_scheduler(pipeline),
        folder / "diffusion",
        seed,
        upstream=upstream,
    )
    text_encoder_2 = frozen_t5 if trained.t5 is None else trained.t5
    pipeline.register_modules(unet=trained.unet, text_encoder_2=text_encoder_2, joiner=trained.joiner)
    world = current_world()
    if world.is_main:
        save_beside(pipeline, weights, folder / "model")
    world.wait()
    return folder / "model"


def save_beside(pipeline: DiffusionPipeline, base: Path, folder: Path) -> Path:
    """Save in half precision, with the base's CLIP for the measures beside it."""
    save_pipeline(pipeline, folder, torch.float16)
    for name in BESIDE_THE_MODEL:
        if (base / name).exists():
            shutil.copy2(base / name, folder / name)
    return folder
