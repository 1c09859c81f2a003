"""Agreement of pictures and texts by a CLIP or SigLIP: our own ONNX layout, or a folder of `transformers`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.measures.decode import Rgb, square
from photogenic.measures.inference import open_towers
from photogenic.measures.preparation import Pixels, read_preparation
from photogenic.measures.scales import MODEL_LEAST_PX, LeastSize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Embeddings = NDArray[np.float32]

FILES = ("clip.json", "clip-image.onnx", "clip-text.onnx", "tokenizer/tokenizer.json")
BATCH_SIZE = 64
PADDING_TOKENS = ("<pad>", "[PAD]", "<|endoftext|>")  # where the tokenizer's files do not name it
CLIP_LOGIT_SCALE = 100.0  # at which CLIP's training clips it, and where all known ones end


class ClipConfig(BaseModel):
    """clip.json: how pictures and texts become the model's inputs, and what it knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size_px: int  # of the square view
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # per channel, of pixels in 0-1
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    context_length: int  # tokens, padding included
    domain: tuple[str, ...]  # what it was trained on, such as "stickers"; elsewhere its scores mean little
    embedding_dim: int
    logit_scale: float = CLIP_LOGIT_SCALE  # cosine x this = logit
    logit_bias: float | None = None  # SigLIP's: each text is judged by itself, with a sigmoid


class ClipScorer:
    """Two towers: `embed_images` and `embed_texts` give unit vectors in one space.

    Raises:
        MissingModelError: the folder holds neither clip.json with its files nor a CLIP or SigLIP.
        MissingExtraError: it holds safetensors alone, and torch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        ours = (folder / "clip.json").is_file() or not (folder / "config.json").is_file()
        if ours:
            _check_files(folder)
        self.config = read_clip_config(folder)
        files = FILES if ours else [path.name for path in sorted(folder.glob("*")) if path.is_file()]
        self.revision = fingerprint(*(file_fingerprint(folder / name) for name in files))
        towers = open_towers(folder, "clip")
        self._image_tower, self._text_tower = towers["image"], towers["text"]
        self._view: Callable[[Rgb], Pixels] = self._square
        # Of the pictures that it is shown. The long side is enough for our view, which pads the shorter one.
        self.least_size: LeastSize | None = LeastSize(max(MODEL_LEAST_PX, self.config.size_px))
        if not ours:
            self._view = preparation = read_preparation(folder)
            self.least_size = preparation.least_size
        path = folder / ("tokenizer/tokenizer.json" if ours else "tokenizer.json")
        self._tokenizer = _tokenizer(path, self.config.context_length)

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
        return _unit(self._image_tower({"pixel_values": np.stack([self._view(rgb) for rgb in pictures])}))

    def _square(self, rgb: Rgb) -> Pixels:
        """The view of our own models: all of the picture, on white."""
        view = square(rgb, self.config.size_px).astype(np.float32) / 255
        mean, std = np.array(self.config.mean, np.float32), np.array(self.config.std, np.float32)
        return np.ascontiguousarray(((view - mean) / std).transpose(2, 0, 1))

    def _text_vectors(self, texts: Sequence[str]) -> Embeddings:
        encodings = self._tokenizer.encode_batch(list(texts))
        inputs = {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }
        return _unit(self._text_tower(inputs))

    def _joined(self, batches: list[Embeddings]) -> Embeddings:
        return np.concatenate([np.empty((0, self.config.embedding_dim), np.float32), *batches])


def read_clip_config(folder: Path) -> ClipConfig:
    """What clip.json says, or the config.json of a CLIP or SigLIP.

    Raises:
        MissingModelError: neither describes such a model.
    """
    path = folder / "clip.json"
    try:
        if path.is_file():
            return ClipConfig.model_validate_json(path.read_bytes())
        return _of_transformers(folder)
    except (ValidationError, ValueError, OSError) as error:
        raise MissingModelError(f"{path} does not describe a CLIP model: {error}") from error


def _of_transformers(folder: Path) -> ClipConfig:
    """config.json leaves out what is its class's default."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    vision, text = settings.get("vision_config") or {}, settings.get("text_config") or {}
    shared: dict[str, Any] = {"size_px": vision.get("image_size", 224), "domain": ()}
    match settings.get("model_type"):
        case "clip":
            return ClipConfig(
                context_length=text.get("max_position_embeddings", 77),
                embedding_dim=settings.get("projection_dim", 512),
                logit_scale=_number_in(folder, "logit_scale", math.log(CLIP_LOGIT_SCALE), math.exp),
                **shared,
            )
        case "siglip":
            return ClipConfig(
                context_length=text.get("max_position_embeddings", 64),
                embedding_dim=vision.get("hidden_size", 768),
                logit_scale=_number_in(folder, "logit_scale", math.nan, math.exp),
                logit_bias=_number_in(folder, "logit_bias", math.nan, float),
                **shared,
            )
        case kind:
            raise MissingModelError(f"{folder} is a {kind}, neither CLIP nor SigLIP.")


def _number_in(folder: Path, name: str, otherwise: float, convert: Callable[[float], float]) -> float:
    """A number among the weights; `otherwise` where only ONNX files are there."""
    from photogenic.measures.tensors import read_tensors

    for path in sorted(folder.glob("*.safetensors")):
        for tensor in read_tensors(path, lambda key: key == name).values():
            return convert(float(tensor.ravel()[0]))
    return convert(otherwise)


def _check_files(folder: Path) -> None:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise MissingModelError(
            f"{folder} holds no CLIP model: {', '.join(missing)} missing.", "Check the recipe's path to CLIP."
        )


def _tokenizer(path: Path, context_length: int) -> Tokenizer:
    """The tokenizer of the file, cutting and padding to exactly `context_length`."""
    from tokenizers import Tokenizer

    if not path.is_file():
        raise MissingModelError(f"There is no {path}.", "Save the model's fast tokenizer beside it.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the bindings raise bare Exception
        raise MissingModelError(f"{path} is no tokenizer: {error}") from error
    named = tokenizer.padding or {}
    candidates = [named.get("pad_token"), _pad_token(path.parent), *PADDING_TOKENS]
    known = [(token, tokenizer.token_to_id(token)) for token in candidates if token]
    pad_token, pad_id = next(((t, i) for t, i in known if i is not None), (PADDING_TOKENS[0], 0))
    tokenizer.enable_truncation(context_length)
    tokenizer.enable_padding(length=context_length, pad_id=pad_id, pad_token=pad_token)
    return tokenizer


def _pad_token(folder: Path) -> str | None:
    """As the files beside tokenizer.json name it."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            token = json.loads((folder / name).read_text(encoding="utf-8")).get("pad_token")
            if token:
                return str(token["content"] if isinstance(token, dict) else token)
    return None


def _unit(vectors: Embeddings) -> Embeddings:
    """Normalised here too: an export that forgot to would give scores out of range."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
