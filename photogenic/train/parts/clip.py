"""The tokenizer and the contrastively trained CLIPs."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import CLIPModel, PreTrainedTokenizerFast

from photogenic.core.run import seed_for
from photogenic.core.shards import fingerprint, is_done, mark_done
from photogenic.models.clip import build_clip, train_tokenizer
from photogenic.train.config import ClipConfig, TokenizerConfig
from photogenic.train.distributed import current_world, own_device
from photogenic.train.haystack import Haystack
from photogenic.train.loop import train
from photogenic.train.objectives.clip import ClipObjective


def make_tokenizer(config: TokenizerConfig, haystack: Haystack, folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of both text encoders, from the texts of the whole haystack."""
    key = fingerprint("tokenizer 2", config, haystack.pictures.texts)
    world = current_world()
    if world.is_main and not is_done(folder, key):
        tokenizer = train_tokenizer(haystack.pictures.texts, config.vocab_size, config.max_length)
        tokenizer.save_pretrained(folder / "model")
        mark_done(folder, key)
    world.wait()
    return PreTrainedTokenizerFast.from_pretrained(folder / "model")


def train_clip(
    config: ClipConfig,
    size_px: int,
    haystack: Haystack,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seed: int,
) -> CLIPModel:
    """A small CLIP; with another `seed_offset` and split, the judge."""
    seed += config.seed_offset
    key = fingerprint("clip 2", config, size_px, haystack.train.sample_ids, haystack.train.texts, seed)
    if is_done(folder, key):
        return CLIPModel.from_pretrained(folder / "model")
    torch.manual_seed(seed_for(seed, "clip"))
    clip = build_clip(
        tokenizer,
        size_px=size_px,
        patch_size=config.patch_size,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        num_text_layers=config.num_text_layers,
        num_vision_layers=config.num_vision_layers,
        projection_dim=config.projection_dim,
    ).to(own_device())
    objective = ClipObjective(clip, tokenizer, haystack.train, haystack.validation, seed)
    train(objective, config.loop, folder, key=key, seed=seed, description=folder.name)
    clip, world = clip.cpu(), current_world()
    if world.is_main:
        clip.save_pretrained(folder / "model")
        mark_done(folder, key)
    world.wait()
    return clip
