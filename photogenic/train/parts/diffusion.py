"""U-Net, T5 and joiner, trained together on latents."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import SchedulerMixin, UNet2DConditionModel
from torch import nn
from transformers import CLIPModel, CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from photogenic.core.console import console
from photogenic.core.run import seed_for
from photogenic.core.shards import fingerprint, is_done, mark_done, write_json
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.joiner import TextJoiner
from photogenic.models.unet import build_t5, build_unet
from photogenic.train.aspects import accounting_lines
from photogenic.train.config import DiffusionConfig, DiffusionLossConfig, LoopConfig
from photogenic.train.data import Pictures
from photogenic.train.distributed import current_world, own_device
from photogenic.train.haystack import Haystack
from photogenic.train.latents import AspectLatents
from photogenic.train.loop import train
from photogenic.train.noise import make_scheduler, process_of
from photogenic.train.objectives.autoencoder import encode_pictures
from photogenic.train.objectives.diffusion import DiffusionObjective, Latents, LatentSet
from photogenic.train.sharding import gathered
from photogenic.train.text import LiveText, clip_texts, size_conditioning


class Denoiser(NamedTuple):
    """What is trained together."""

    unet: UNet2DConditionModel
    t5: T5EncoderModel
    joiner: TextJoiner

    def module(self) -> nn.ModuleDict:
        return nn.ModuleDict(self._asdict())

    def gathered(self) -> Denoiser:
        """The same whole, where it is split over processes."""
        return Denoiser(gathered(self.unet), gathered(self.t5), gathered(self.joiner))


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
    return fit_denoiser(
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


class Stage(NamedTuple):
    """One resolution of a training."""

    size_px: int
    loop: LoopConfig
    loss: DiffusionLossConfig
    folder: Path
    key: str

    @property
    def done_key(self) -> str:
        return fingerprint(self.key, self.loop.max_steps)


def stages_of(
    config: DiffusionConfig, size_px: int, folder: Path, haystack: Haystack, seed: int, upstream: str
) -> list[Stage]:
    """The growing ones, then the last; only that has the noise offset (Emu, section 3.2)."""
    parts, samples = config.counted(exclude={"loop"}), haystack.train.sample_ids
    key = fingerprint("diffusion", parts, config.loop.identity(), size_px, samples, seed, upstream)
    last = Stage(size_px, config.loop, config.loss, folder, key)
    plain, stages, before = config.loss.model_copy(update={"noise_offset": 0.0}), [], ""
    for grown in config.growing:
        changes = {name: value for name, value in grown if name != "size_px" and value is not None}
        loop = config.loop.model_copy(update=changes)
        before = fingerprint("growing", before, key, grown.size_px, loop.identity(), loop.max_steps)
        stages.append(Stage(grown.size_px, loop, plain, folder / f"{grown.size_px}px", before))
    return [*stages, last]


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
) -> Denoiser:
    """U-Net, T5 and joiner, trained from where they are; a finished training is loaded instead."""
    stages = stages_of(config, size_px, folder, haystack, seed, upstream)
    if is_done(folder, stages[-1].done_key):
        _load(denoiser, folder)
        return denoiser
    texts = clip_texts(text_encoder, tokenizer, haystack.pictures.texts)
    for stage in stages:
        if is_done(stage.folder, stage.done_key):
            _load(denoiser, stage.folder)
            continue
        denoiser.module().to(own_device())
        objective = DiffusionObjective(
            denoiser.module(),
            denoiser.unet,
            LiveText(texts, denoiser.t5, denoiser.joiner, tokenizer, haystack.pictures.texts),
            latents_of(config, autoencoder, haystack, stage),
            np.flatnonzero(~haystack.is_validation),
            np.flatnonzero(haystack.is_validation),
            process_of(scheduler, stage.loss),
            stage.loss,
            seed,
        )
        words = "U-Net, T5" if len(stages) == 1 else f"U-Net, T5 at {stage.size_px} px"
        train(objective, stage.loop, stage.folder, key=stage.key, seed=seed, description=words)
        denoiser, world = denoiser.gathered(), current_world()
        if world.is_main:
            _save(denoiser, stage.folder)
            mark_done(stage.folder, stage.done_key)
        world.wait()
    return denoiser


def latents_of(
    config: DiffusionConfig, autoencoder: FourierAutoencoderKL, haystack: Haystack, stage: Stage
) -> Latents:
    """A stage's pictures; with aspect buckets, what became of them is printed and written beside."""
    if config.is_plain:
        return encode_latents(autoencoder, haystack.pictures, stage.size_px)
    latents = AspectLatents(
        autoencoder, haystack, stage.size_px, config.aspects, ahead=config.latents == "ahead"
    )
    if current_world().is_main:
        write_json(stage.folder / "buckets.json", latents.accounting)
        for line in accounting_lines(latents.accounting, len(haystack.pictures.unreadable)):
            console.print(line)
    return latents


def _save(denoiser: Denoiser, folder: Path) -> None:
    for name, module in denoiser._asdict().items():
        module.save_pretrained(folder / "model" / name)


def _load(denoiser: Denoiser, folder: Path) -> None:
    for name, module in denoiser._asdict().items():
        trained = type(module).from_pretrained(folder / "model" / name)
        module.load_state_dict(trained.state_dict())
