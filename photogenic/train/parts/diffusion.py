"""U-Net, T5 and joiner, trained together on latents."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import SchedulerMixin, UNet2DConditionModel
from torch import nn
from transformers import CLIPModel, CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from photogenic.core.run import seed_for
from photogenic.core.shards import fingerprint, is_done, mark_done
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.joiner import TextJoiner
from photogenic.models.unet import build_t5, build_unet
from photogenic.train.config import DiffusionConfig
from photogenic.train.data import Pictures
from photogenic.train.haystack import Haystack
from photogenic.train.loop import train
from photogenic.train.noise import make_scheduler, process_of
from photogenic.train.objectives.autoencoder import encode_pictures
from photogenic.train.objectives.diffusion import DiffusionObjective, LatentSet
from photogenic.train.text import LiveText, clip_texts, size_conditioning


class Denoiser(NamedTuple):
    """What is trained together."""

    unet: UNet2DConditionModel
    t5: T5EncoderModel
    joiner: TextJoiner

    def module(self) -> nn.ModuleDict:
        return nn.ModuleDict(self._asdict())


def text_tower(clip: CLIPModel) -> CLIPTextModelWithProjection:
    """CLIP's text half as the class that pipelines expect."""
    config = clip.config.text_config
    config.projection_dim = clip.config.projection_dim
    tower = CLIPTextModelWithProjection(config)
    tower.text_model.load_state_dict(clip.text_model.state_dict())
    tower.text_projection.load_state_dict(clip.text_projection.state_dict())
    return tower.eval()


def encode_latents(autoencoder: FourierAutoencoderKL, pictures: Pictures, size_px: int) -> LatentSet:
    """All pictures through the encoder once."""
    with torch.no_grad():
        latents = autoencoder.normalise(encode_pictures(autoencoder, pictures.rgb))
    return LatentSet(latents, size_conditioning(pictures.sizes, size_px), pictures.sample_ids)


def build_denoiser(
    config: DiffusionConfig,
    size_px: int,
    latent_channels: int,
    clip: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
) -> Denoiser:
    """U-Net, T5 and joiner with random weights."""
    text = clip.config.text_config
    unet = build_unet(
        latent_channels=latent_channels,
        sample_size=size_px // 8,
        pooled_dim=clip.config.projection_dim,
        **config.unet.model_dump(),
    )
    t5 = build_t5(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **config.t5.model_dump())
    length = tokenizer.model_max_length
    joiner = TextJoiner(
        (text.hidden_size, config.t5.d_model), (length, length), config.unet.cross_attention_dim
    )
    return Denoiser(unet, t5, joiner)


def train_diffusion(
    config: DiffusionConfig,
    size_px: int,
    haystack: Haystack,
    autoencoder: FourierAutoencoderKL,
    clip: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seed: int,
    *,
    upstream: str,
) -> Denoiser:
    """The denoiser with averaged weights. `upstream` identifies the autoencoder and the CLIP below it."""
    torch.manual_seed(seed_for(seed, "diffusion"))
    denoiser = build_denoiser(config, size_px, autoencoder.config.latent_channels, clip, tokenizer)
    fit_denoiser(
        denoiser,
        config,
        size_px,
        haystack,
        autoencoder,
        text_tower(clip),
        tokenizer,
        make_scheduler(config.prediction_type, config.zero_terminal_snr),
        folder,
        seed,
        upstream=upstream,
    )
    return denoiser


def fit_denoiser(
    denoiser: Denoiser,
    config: DiffusionConfig,
    size_px: int,
    haystack: Haystack,
    autoencoder: FourierAutoencoderKL,
    text_encoder: CLIPTextModelWithProjection,
    tokenizer: PreTrainedTokenizerFast,
    scheduler: SchedulerMixin,
    folder: Path,
    seed: int,
    *,
    upstream: str,
) -> None:
    """Train U-Net, T5 and joiner from where they are; a finished training is loaded instead."""
    parts = config.counted(exclude={"loop"})
    key = fingerprint(
        "diffusion", parts, config.loop.identity(), size_px, haystack.train.sample_ids, seed, upstream
    )
    done_key = fingerprint(key, config.loop.max_steps)
    if is_done(folder, done_key):
        _load(denoiser, folder)
        return
    pictures = haystack.pictures
    texts = clip_texts(text_encoder, tokenizer, pictures.texts)
    objective = DiffusionObjective(
        denoiser.module(),
        denoiser.unet,
        LiveText(texts, denoiser.t5, denoiser.joiner, tokenizer, pictures.texts),
        encode_latents(autoencoder, pictures, size_px),
        np.flatnonzero(~haystack.is_validation),
        np.flatnonzero(haystack.is_validation),
        process_of(scheduler, config.loss),
        config.loss,
        seed,
    )
    train(objective, config.loop, folder, key=key, seed=seed, description="U-Net, T5")
    _save(denoiser, folder)
    mark_done(folder, done_key)


def _save(denoiser: Denoiser, folder: Path) -> None:
    for name, module in denoiser._asdict().items():
        module.save_pretrained(folder / "model" / name)


def _load(denoiser: Denoiser, folder: Path) -> None:
    for name, module in denoiser._asdict().items():
        trained = type(module).from_pretrained(folder / "model" / name)
        module.load_state_dict(trained.state_dict())
