"""U-Net and joiner, and T5 where it is not ready-made, trained together on latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import SchedulerMixin, UNet2DConditionModel
from torch import nn
from transformers import T5EncoderModel

from photogenic.core.console import console
from photogenic.core.run import seed_for
from photogenic.core.shards import fingerprint, is_done, mark_done, write_json
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.models.compiled import compiled
from photogenic.models.joiner import TextJoiner
from photogenic.models.text_encoders import TextEncoder
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
from photogenic.train.order import mark_of_repeats
from photogenic.train.parts.text import Encoders
from photogenic.train.sharding import gathered
from photogenic.train.text import InlineWords, JoinedText, Words, frozen_words, size_conditioning


class Denoiser(NamedTuple):
    """What is trained together."""

    unet: UNet2DConditionModel
    t5: T5EncoderModel | None  # None where it is frozen
    joiner: TextJoiner

    def learning(self) -> dict[str, Any]:
        """All that there is, by name."""
        return {name: part for name, part in self._asdict().items() if part is not None}

    def module(self) -> nn.ModuleDict:
        return nn.ModuleDict(self.learning())

    def gathered(self) -> Denoiser:
        """The same whole, where it is split over processes."""
        t5 = None if self.t5 is None else gathered(self.t5)
        return Denoiser(gathered(self.unet), t5, gathered(self.joiner))


def encode_latents(autoencoder: FourierAutoencoderKL, pictures: Pictures, size_px: int) -> LatentSet:
    """All pictures through the encoder once."""
    with torch.no_grad():
        latents = autoencoder.normalise(encode_pictures(autoencoder, pictures.rgb[:]))
    return LatentSet(latents, size_conditioning(pictures.sizes, size_px), pictures.sample_ids)


def build_denoiser(
    config: DiffusionConfig,
    size_px: int,
    latent_channels: int,
    encoders: Encoders,
) -> Denoiser:
    """U-Net and joiner with random weights, and a T5 where none is ready-made."""
    clip, tokenizer, t5 = encoders.clip, encoders.tokenizer_2, encoders.frozen_t5
    unet = build_unet(
        latent_channels=latent_channels,
        sample_size=size_px // 8,
        pooled_dim=clip.model.config.projection_dim,
        **config.unet.model_dump(),
    )
    learning = None
    if t5 is None:
        sizes = config.t5.model_dump()
        learning = build_t5(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **sizes)
    width = TextEncoder(tokenizer, learning if t5 is None else t5).width
    lengths = (clip.max_length, int(tokenizer.model_max_length))
    return Denoiser(unet, learning, TextJoiner((clip.width, width), lengths, config.unet.cross_attention_dim))


def train_diffusion(
    config: DiffusionConfig,
    size_px: int,
    haystack: Haystack,
    autoencoder: FourierAutoencoderKL,
    encoders: Encoders,
    folder: Path,
    seed: int,
    *,
    upstream: str,
) -> Denoiser:
    """The denoiser with averaged weights. `upstream` identifies autoencoder and text encoders below it."""
    torch.manual_seed(seed_for(seed, "diffusion"))
    denoiser = build_denoiser(config, size_px, autoencoder.config.latent_channels, encoders)
    return fit_denoiser(
        denoiser,
        config,
        size_px,
        haystack,
        autoencoder,
        encoders,
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
    key = fingerprint(
        *("diffusion", parts, config.loop.identity(), size_px, samples, seed, upstream),
        *mark_of_repeats(config.loop.batch_size, len(samples)),
    )
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
    encoders: Encoders,
    scheduler: SchedulerMixin,
    folder: Path,
    seed: int,
    *,
    upstream: str,
) -> Denoiser:
    """The denoiser, trained from where it is; a finished training is loaded instead."""
    stages = stages_of(config, size_px, folder, haystack, seed, upstream)
    if is_done(folder, stages[-1].done_key):
        _load(denoiser, folder)
        return denoiser
    autoencoder.to(own_device())  # a finished model that is trained further comes on the CPU
    clip, t5 = _frozen_words(encoders, config, haystack.pictures.texts)
    for stage in stages:
        if is_done(stage.folder, stage.done_key):
            _load(denoiser, stage.folder)
            continue
        denoiser.module().to(own_device())
        objective = DiffusionObjective(
            denoiser.module(),
            denoiser.unet,
            JoinedText(clip, t5 or _learning_words(denoiser, encoders, haystack), denoiser.joiner),
            latents_of(config, autoencoder, haystack, stage),
            np.flatnonzero(~haystack.is_validation),
            np.flatnonzero(haystack.is_validation),
            process_of(scheduler, stage.loss),
            stage.loss,
            seed,
        )
        words = "U-Net" if denoiser.t5 is None else "U-Net, T5"
        words = words if len(stages) == 1 else f"{words} at {stage.size_px} px"
        with compiled(denoiser.unet, stage.loop.compile):
            train(objective, stage.loop, stage.folder, key=stage.key, seed=seed, description=words)
        denoiser, world = denoiser.gathered(), current_world()
        if world.is_main:
            _save(denoiser, stage.folder)
            mark_done(stage.folder, stage.done_key)
        world.wait()
    return denoiser


def _frozen_words(
    encoders: Encoders, config: DiffusionConfig, texts: Sequence[str]
) -> tuple[Words, Words | None]:
    """CLIP's words, and T5's where it does not learn."""
    inline = config.embeddings == "inline"
    encoders.to(own_device())
    clip = frozen_words(encoders.clip, texts, inline=inline)
    t5: Words | None = None
    if encoders.frozen_t5 is not None:
        encoder = TextEncoder(encoders.tokenizer_2, encoders.frozen_t5)
        t5 = frozen_words(encoder, texts, inline=inline)
    if not inline:
        encoders.to("cpu")  # their memory is for what learns
    return clip, t5


def _learning_words(denoiser: Denoiser, encoders: Encoders, haystack: Haystack) -> Words:
    return InlineWords(TextEncoder(encoders.tokenizer_2, denoiser.t5), haystack.pictures.texts)


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
    for name, module in denoiser.learning().items():
        module.save_pretrained(folder / "model" / name)


def _load(denoiser: Denoiser, folder: Path) -> None:
    for name, module in denoiser.learning().items():
        trained = type(module).from_pretrained(folder / "model" / name)
        module.load_state_dict(trained.state_dict())
