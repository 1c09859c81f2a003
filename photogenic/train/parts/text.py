"""The text encoders of a pre-training: a CLIP that was trained here with a T5 to come, or both ready-made."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import CLIPModel, CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from photogenic.core.shards import fingerprint
from photogenic.measures.hub import ModelFolder, model_folder
from photogenic.models.text_encoders import TextEncoder, load_clip_text, load_t5_encoder
from photogenic.train.config import DiffusionConfig, TextEncodersConfig
from photogenic.train.distributed import current_world
from photogenic.train.ready_made import Kind, described


class Encoders(NamedTuple):
    """What becomes of a text before the joiner. CLIP is frozen; T5 is frozen, or learns beside the U-Net."""

    clip: TextEncoder
    tokenizer_2: PreTrainedTokenizerFast  # T5's
    frozen_t5: T5EncoderModel | None  # None: one that learns
    fingerprint: str
    whole_clip: CLIPModel | None = None  # with its vision tower, where it was trained here

    def to(self, device: torch.device | str) -> Encoders:
        """The same with what is frozen on `device`."""
        for model in (self.clip.model, self.frozen_t5):
            if model is not None:
                model.to(device)
        return self


def own_encoders(clip: CLIPModel, tokenizer: PreTrainedTokenizerFast, trained: str) -> Encoders:
    """A CLIP that was trained here, which `trained` identifies; its tokenizer serves a T5 to be trained."""
    tower = text_tower(clip).requires_grad_(False)
    return Encoders(TextEncoder(tokenizer, tower), tokenizer, None, trained, clip)


def text_tower(clip: CLIPModel) -> CLIPTextModelWithProjection:
    """CLIP's text half as the class that pipelines expect."""
    config = clip.config.text_config
    config.projection_dim = clip.config.projection_dim
    tower = CLIPTextModelWithProjection(config)
    tower.text_model.load_state_dict(clip.text_model.state_dict())
    tower.text_projection.load_state_dict(clip.text_projection.state_dict())
    return tower.eval()


def ready_encoders(config: TextEncodersConfig, diffusion: DiffusionConfig) -> Encoders:
    """CLIP and T5 that others have trained, in the precision in which the U-Net computes.

    Raises:
        MissingModelError: one of them is not there, or no such encoder.
    """
    clip, t5 = _folder(config.clip, "clip"), _folder(config.t5, "t5")
    dtype = getattr(torch, diffusion.loop.precision)
    encoder = load_t5_encoder(t5.path, dtype, config.t5_tokens)
    return Encoders(
        load_clip_text(clip.path, dtype),
        encoder.tokenizer,
        encoder.model,
        fingerprint("ready-made", clip.revision, t5.revision, config.t5_tokens),
    )


def _folder(name: str, kind: Kind) -> ModelFolder:
    """The main process goes first, so that a model of the hub is fetched once."""
    found = current_world().first(lambda: model_folder(name))
    described(found.path, kind)
    return found
