"""Pre-training: pool -> tokenizer, autoencoder, CLIP (and a judge), U-Net with T5 -> a pipeline folder.

Each part is trained, saved and marked on its own, so the same command goes on where it stopped. The latents
are those of the autoencoder's encoder; its decoder may be trained further afterwards, for that changes no
latent.
"""

from __future__ import annotations

from pathlib import Path

import torch

from photogenic.core.run import Run
from photogenic.core.shards import file_fingerprint, fingerprint, write_json
from photogenic.core.weights import weights_folder
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.export import export_clip
from photogenic.models.pipeline import EmuPipeline
from photogenic.train.config import ClipConfig, PretrainConfig
from photogenic.train.distributed import current_world
from photogenic.train.further import pretrain_further
from photogenic.train.haystack import load_haystack
from photogenic.train.naming import known_prompts, measure_naming
from photogenic.train.noise import make_scheduler
from photogenic.train.parts.autoencoder import train_autoencoder, train_decoder
from photogenic.train.parts.clip import make_tokenizer, train_clip
from photogenic.train.parts.diffusion import text_tower, train_diffusion

WEIGHTS = "model.safetensors"  # transformers' name
DIFFUSERS_WEIGHTS = "diffusion_pytorch_model.safetensors"
JUDGE_SPLIT = 1  # the judge holds out other concepts than the models it judges


def pretrain(config: PretrainConfig, run: Run, *, seed: int) -> Path:
    """The base model's folder: the one that `weights` names, or RUN/pretrain/model, trained here."""
    if config.weights is not None:
        weights = weights_folder(config.weights)
        if config.diffusion is None:
            return weights
        return pretrain_further(config, config.diffusion, weights, run, seed)
    parts = config.parts()
    folder, size_px = run.stage("pretrain"), config.size_px
    haystack = load_haystack(config, run, split_seed=0)
    tokenizer = make_tokenizer(config.tokenizer, haystack, folder / "tokenizer")
    clip = train_clip(parts.clip, size_px, haystack, tokenizer, folder / "clip", seed)
    vae = train_autoencoder(parts.autoencoder, size_px, haystack, folder / "autoencoder", seed)
    upstream = fingerprint(
        file_fingerprint(folder / "clip" / "model" / WEIGHTS),
        file_fingerprint(folder / "autoencoder" / "model" / DIFFUSERS_WEIGHTS),
    )
    denoiser = train_diffusion(
        parts.diffusion,
        size_px,
        haystack,
        vae,
        clip,
        tokenizer,
        folder / "diffusion",
        seed,
        upstream=upstream,
    )
    if parts.autoencoder.decoder_loop is not None:
        loop = parts.autoencoder.decoder_loop
        vae = train_decoder(
            parts.autoencoder, loop, vae, haystack, folder / "decoder", seed, upstream=upstream
        )
    pipeline = EmuPipeline(
        vae=vae,
        text_encoder=text_tower(clip),
        tokenizer=tokenizer,
        text_encoder_2=denoiser.t5,
        tokenizer_2=tokenizer,
        joiner=denoiser.joiner,
        unet=denoiser.unet,
        scheduler=make_scheduler(parts.diffusion.prediction_type, parts.diffusion.zero_terminal_snr),
    )
    model, world = folder / "model", current_world()
    if world.is_main:
        save_pipeline(pipeline, model, torch.float16)
        export_clip(clip, tokenizer, model, domain=config.domain)
    world.wait()
    if config.judge is not None:
        _judge(config, config.judge, run, model, seed)
    return model


def _judge(config: PretrainConfig, judge_config: ClipConfig, run: Run, model: Path, seed: int) -> None:
    """Train the judge on another split, let it name what the saved model draws, and write it down."""
    folder = run.stage("pretrain")
    haystack = load_haystack(config, run, split_seed=JUDGE_SPLIT)
    tokenizer = make_tokenizer(config.tokenizer, haystack, folder / "tokenizer")
    judge = train_clip(judge_config, config.size_px, haystack, tokenizer, folder / "judge", seed)
    if not current_world().is_main:
        return
    known = load_haystack(config, run, split_seed=0).train.texts
    naming = measure_naming(load_pipeline(model), judge, tokenizer, known_prompts(known, seed), seed)
    write_json(folder / "naming.json", {**naming._asdict(), "interval": list(naming.interval)})
    run.log.info("pretrain: the judge named %.1f %% of what was drawn", 100 * naming.top5_of_100)
