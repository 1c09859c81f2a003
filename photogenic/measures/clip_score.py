"""Agreement of pictures and texts by a CLIP model in a folder of ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.measures.decode import Rgb, square
from photogenic.measures.inference import onnx_session

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Embeddings = NDArray[np.float32]

FILES = ("clip.json", "clip-image.onnx", "clip-text.onnx", "tokenizer/tokenizer.json")
BATCH_SIZE = 64
PADDING_TOKENS = ("<pad>", "[PAD]", "<|endoftext|>")  # where the tokenizer's file does not name it


class ClipConfig(BaseModel):
    """clip.json: how pictures and texts become the model's inputs, and what it knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size_px: int  # of the square view
    mean: tuple[float, float, float]  # per channel, of pixels in 0-1
    std: tuple[float, float, float]
    context_length: int  # tokens, padding included
    domain: tuple[str, ...]  # what it was trained on, such as "stickers"; elsewhere its scores mean little
    embedding_dim: int


class ClipScorer:
    """Two towers, in one thread: `embed_images` and `embed_texts` give unit vectors in one space."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise MissingModelError(
                f"{folder} holds no CLIP model: {', '.join(missing)} missing.",
                "Check the recipe's path to CLIP.",
            )
        self.config = _read_config(folder / "clip.json")
        self.revision = fingerprint(*(file_fingerprint(folder / name) for name in FILES))
        self._image_tower = onnx_session(folder / "clip-image.onnx")
        self._text_tower = onnx_session(folder / "clip-text.onnx")
        self._tokenizer = _tokenizer(folder / "tokenizer" / "tokenizer.json", self.config.context_length)

    def embed_images(self, pictures: Sequence[Rgb]) -> Embeddings:
        """[B, D] unit vectors of pictures [H, W, 3] of any sizes."""
        batches = [pictures[i : i + BATCH_SIZE] for i in range(0, len(pictures), BATCH_SIZE)]
        return self._joined([self._image_vectors(batch) for batch in batches])

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """[B, D] unit vectors; a text longer than the context is cut."""
        batches = [texts[i : i + BATCH_SIZE] for i in range(0, len(texts), BATCH_SIZE)]
        return self._joined([self._text_vectors(batch) for batch in batches])

    def score(self, pictures: Sequence[Rgb], texts: Sequence[str]) -> NDArray[np.float32]:
        """[B]: 100 x cosine of each picture and its text, -100 to 100.

        So CLIPScore is usually printed; Hessel et al. (2021) define it as 2.5 x max(cosine, 0).
        """
        if len(pictures) != len(texts):
            raise ValueError(f"{len(pictures)} pictures, but {len(texts)} texts")
        products = self.embed_images(pictures) * self.embed_texts(texts)
        return np.asarray(100 * products.sum(axis=1), np.float32)

    def _image_vectors(self, pictures: Sequence[Rgb]) -> Embeddings:
        views = np.stack([square(rgb, self.config.size_px) for rgb in pictures]).astype(np.float32) / 255
        mean, std = np.array(self.config.mean, np.float32), np.array(self.config.std, np.float32)
        pixel_values = ((views - mean) / std).transpose(0, 3, 1, 2)
        (vectors,) = self._image_tower.run(
            ["image_embeds"], {"pixel_values": np.ascontiguousarray(pixel_values)}
        )
        return _unit(vectors)

    def _text_vectors(self, texts: Sequence[str]) -> Embeddings:
        encodings = self._tokenizer.encode_batch(list(texts))
        inputs = {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }
        (vectors,) = self._text_tower.run(["text_embeds"], inputs)
        return _unit(vectors)

    def _joined(self, batches: list[Embeddings]) -> Embeddings:
        return np.concatenate([np.empty((0, self.config.embedding_dim), np.float32), *batches])


def _read_config(path: Path) -> ClipConfig:
    try:
        return ClipConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise MissingModelError(f"{path} does not describe a CLIP model: {error}") from error


def _tokenizer(path: Path, context_length: int) -> Tokenizer:
    """The tokenizer of the file, cutting and padding to exactly `context_length`."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the bindings raise bare Exception
        raise MissingModelError(f"{path} is no tokenizer: {error}") from error
    named = tokenizer.padding or {}
    candidates = [named.get("pad_token"), *PADDING_TOKENS]
    known = [(token, tokenizer.token_to_id(token)) for token in candidates if token]
    pad_token, pad_id = next(((t, i) for t, i in known if i is not None), (PADDING_TOKENS[0], 0))
    tokenizer.enable_truncation(context_length)
    tokenizer.enable_padding(length=context_length, pad_id=pad_id, pad_token=pad_token)
    return tokenizer


def _unit(vectors: Embeddings) -> Embeddings:
    """Normalised here too: an export that forgot to would give scores out of range."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
