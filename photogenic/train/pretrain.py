"""Pre-training: pool -> tokenizer, CLIP (and a judge), autoencoder, U-Net with T5 -> a pipeline folder.

Each part is trained, saved and marked on its own, so the same command goes on where it stopped. The latents
are those of the autoencoder's encoder; its decoder may be trained further afterwards, for that changes no
latent. CLIP and T5 may be ready-made: then they are neither trained nor changed.
"""

from __future__ import annotations

from pathlib import Path

import torch

from photogenic.core.run import Run
from photogenic.core.shards import file_fingerprint, fingerprint, write_json
from photogenic.core.weights import weights_folder
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.export import export_clip
from photogenic.models.pipeline import EmuPipeline
from photogenic.train.config import ClipConfig, PretrainConfig, TextEncodersConfig
from photogenic.train.distributed import current_world
from photogenic.train.further import pretrain_further
from photogenic.train.haystack import Haystack, load_haystack
from photogenic.train.naming import known_prompts, measure_naming
from photogenic.train.noise import make_scheduler
from photogenic.train.parts.autoencoder import train_autoencoder, train_decoder
from photogenic.train.parts.clip import make_tokenizer, train_clip
from photogenic.train.parts.diffusion import Denoiser, train_diffusion
from photogenic.train.parts.text import Encoders, own_encoders, ready_encoders

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
    encoders = _text_encoders(config, haystack, folder, seed)
    vae = train_autoencoder(parts.autoencoder, size_px, haystack, folder / "autoencoder", seed)
    upstream = fingerprint(
        encoders.fingerprint, file_fingerprint(folder / "autoencoder" / "model" / DIFFUSERS_WEIGHTS)
    )
    denoiser = train_diffusion(
        parts.diffusion, size_px, haystack, vae, encoders, folder / "diffusion", seed, upstream=upstream
    )
    if parts.autoencoder.decoder_loop is not None:
        loop = parts.autoencoder.decoder_loop
        vae = train_decoder(
            parts.autoencoder, loop, vae, haystack, folder / "decoder", seed, upstream=upstream
        )
    model, world = folder / "model", current_world()
    if world.is_main:
        _save(config, vae, encoders.to("cpu"), denoiser, model)
    world.wait()
    if config.judge is not None:
        _judge(config, config.judge, run, model, seed)
    return model


def _text_encoders(config: PretrainConfig, haystack: Haystack, folder: Path, seed: int) -> Encoders:
    """The ready-made ones that the recipe names, or a CLIP trained on the pool, with its tokenizer."""
    parts = config.parts()
    if isinstance(parts.text, TextEncodersConfig):
        return ready_encoders(parts.text, parts.diffusion)
    tokenizer = make_tokenizer(config.tokenizer, haystack, folder / "tokenizer")
    clip = train_clip(parts.text, config.size_px, haystack, tokenizer, folder / "clip", seed)
    return own_encoders(clip, tokenizer, file_fingerprint(folder / "clip" / "model" / WEIGHTS))


def _save(
    config: PretrainConfig, vae: FourierAutoencoderKL, encoders: Encoders, denoiser: Denoiser, model: Path
) -> None:
    """All parts as a pipeline, in half precision; beside it, for the measures, a CLIP trained here."""
    diffusion = config.parts().diffusion
    pipeline = EmuPipeline(
        vae=vae,
        text_encoder=encoders.clip.model,
        tokenizer=encoders.clip.tokenizer,
        text_encoder_2=denoiser.t5 if encoders.frozen_t5 is None else encoders.frozen_t5,
        tokenizer_2=encoders.tokenizer_2,
        joiner=denoiser.joiner,
        unet=denoiser.unet,
        scheduler=make_scheduler(diffusion.prediction_type, diffusion.zero_terminal_snr),
    )
    save_pipeline(pipeline, model, torch.float16)
    if encoders.whole_clip is not None:
        export_clip(encoders.whole_clip, encoders.clip.tokenizer, model, domain=config.domain)


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
