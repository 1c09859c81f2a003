"""Ready-made text encoders from folders of `transformers`: CLIP's text tower and T5's encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoTokenizer,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    T5EncoderModel,
)
from transformers.utils import logging

from photogenic.core.errors import MissingModelError
from photogenic.models.checkpoint import quiet_loading
from photogenic.models.folder import check_weights


class TextEncoder(NamedTuple):
    """An encoder of texts and the tokenizer that it was trained with."""

    tokenizer: PreTrainedTokenizerFast
    model: CLIPTextModelWithProjection | T5EncoderModel

    @property
    def width(self) -> int:
        """Of a token's hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def max_length(self) -> int:
        """Tokens of a text that it reads; a longer text is cut."""
        return int(self.tokenizer.model_max_length)


def load_clip_text(folder: Path, dtype: torch.dtype) -> TextEncoder:
    """The frozen text tower of a CLIP, with its projection; it reads as many tokens as it has positions.

    Raises:
        MissingModelError: the folder holds none, or not all of it.
    """
    model = _load(CLIPTextModelWithProjection, folder, dtype)
    return _with_tokenizer(model, folder, model.config.max_position_embeddings)


def load_t5_encoder(folder: Path, dtype: torch.dtype, max_length: int) -> TextEncoder:
    """The frozen encoder of a T5, with or without the decoder beside it.

    Raises:
        MissingModelError: the folder holds none, or not all of it.
    """
    return _with_tokenizer(_load(T5EncoderModel, folder, dtype), folder, max_length)


def _load(family: Any, folder: Path, dtype: torch.dtype) -> Any:
    check_weights(folder)
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # else it lists every weight of the half that is not wanted
    try:
        with quiet_loading():
            model, told = family.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise MissingModelError(f"{folder} cannot be loaded as a {family.__name__}: {error}") from error
    finally:
        logging.set_verbosity(loud)
    missing = sorted(told["missing_keys"])
    if missing:  # transformers fills them with random numbers and goes on
        raise MissingModelError(
            f"{folder} lacks {len(missing)} weights of a {family.__name__}, {missing[0]} the first of them.",
            "Copy or fetch the model again.",
        )
    return model.requires_grad_(False).eval()


def _with_tokenizer(model: Any, folder: Path, max_length: int) -> TextEncoder:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise MissingModelError(
            f"{folder} has no tokenizer that can be loaded: {error}",
            "Put its tokenizer.json beside the weights.",
        ) from error
    if len(tokenizer) > model.config.vocab_size or tokenizer.pad_token is None:
        raise MissingModelError(
            f"The tokenizer in {folder} does not belong to the model: it knows {len(tokenizer)} tokens, the"
            f" model {model.config.vocab_size}, and it pads with {tokenizer.pad_token}.",
            "Copy or fetch the model again.",
        )
    tokenizer.model_max_length = max_length
    return TextEncoder(tokenizer, model)
