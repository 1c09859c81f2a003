"""Needles and captions through the frozen encoders, once: what was encoded is kept and never goes stale.

Each latent and each caption's embedding lies in a file whose name is a fingerprint of all that it depends on:
the picture's bytes and crop, or the caption; the encoder's files; the number format. A change of any of them
asks for another file, so nothing old can be taken up. One picture goes through the encoder at a time, so that
what comes out does not depend on which others are there, nor on where an interrupted run was taken up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from diffusers import DiffusionPipeline
from safetensors import SafetensorError
from safetensors.torch import load_file

from photogenic.core.console import progress
from photogenic.core.errors import DecodeError, RunError, StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import Sources, fingerprint
from photogenic.core.weights import folder_fingerprint
from photogenic.measures.decode import centre, decode, square
from photogenic.models.families import Condition, encode_empty, encode_pixels, encode_texts, joined
from photogenic.train.data import DECODE_MARGIN, Fit, to_tensor
from photogenic.train.files import save_tensors
from photogenic.train.objectives.diffusion import LatentSet
from photogenic.train.text import size_conditioning

Tensor = torch.Tensor
StoredType = Literal["float32", "bfloat16", "float16"]

ENCODER_VERSION = 1  # raised when the same bytes would give other latents
TEXT_PARTS = ("text_encoder*/*", "tokenizer*/*", "joiner/*", "model_index.json")


@dataclass(frozen=True)
class EncodedNeedles:
    """N needles as the denoiser sees them; `text` has N + 1 rows, the last one for a dropped caption."""

    data: LatentSet
    text: Condition
    uids: tuple[str, ...]  # SHA-256 of the pictures' bytes
    captions: tuple[str, ...]


class EncodedFiles:
    """The cache: a folder of small safetensors files by fingerprint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors under `key`, made and stored where they are missing or damaged."""
        path = self.folder / f"{key}.safetensors"
        if path.exists():
            try:
                return load_file(path)
            except SafetensorError:
                path.unlink()  # cut off by a copy: made again
        tensors = make()
        save_tensors(tensors, path)
        return tensors


def encode_needles(
    needles: pa.Table,
    run: Run,
    pipeline: DiffusionPipeline,
    base: Path,
    size_px: int,
    *,
    fit: Fit,
    stored: StoredType,
) -> EncodedNeedles:
    """All needles and captions, from the cache where they are in it.

    Raises:
        RunError: there are no needles, or some cannot be read; all of those are named.
    """
    if needles.num_rows == 0:
        raise RunError("There are no needles to tune on.", "Loosen the funnel, or raise review.num_needles.")
    samples = list(iter_samples(needles))
    captions = tuple(caption or "" for caption in needles["caption"].to_pylist())
    files = EncodedFiles(run.stage("tune") / "encoded")
    pictures = _Pictures(files, pipeline, base, run.sources(), size_px, fit, stored)
    latents = _latents(samples, pictures)
    text = _texts(files, pipeline, base, captions, stored)
    data = LatentSet(
        torch.stack([latent.latents for latent in latents]),
        size_conditioning(np.array([latent.size for latent in latents]), size_px),
        tuple(sample.sample_id for sample in samples),
    )
    return EncodedNeedles(data, text, tuple(latent.uid for latent in latents), captions)


@dataclass(frozen=True)
class _Latent:
    uid: str
    latents: Tensor  # [C, h, w]
    size: tuple[int, int]  # height and width of the original, pixels


@dataclass(frozen=True)
class _Pictures:
    files: EncodedFiles
    pipeline: DiffusionPipeline
    base: Path
    sources: Sources
    size_px: int
    fit: Fit
    stored: StoredType

    def key(self, encoder: str, uid: str) -> str:
        """Of the latents of the picture with these bytes."""
        return fingerprint("latents", ENCODER_VERSION, encoder, uid, self.size_px, self.fit, self.stored)

    def encode(self, encoder: str, sample: Sample) -> _Latent:
        """One picture's latents.

        Raises:
            StorageError, DecodeError: it cannot be read.
        """
        content = self.sources.read(sample.locator)
        uid = sha256(content).hexdigest()
        tensors = self.files.get(self.key(encoder, uid), lambda: self._make(content))
        height, width = tensors["size"].tolist()
        return _Latent(uid, tensors["latents"], (height, width))

    def _make(self, content: bytes) -> dict[str, Tensor]:
        picture = decode(content, min_long_side_px=DECODE_MARGIN * self.size_px)
        rgb = square(picture.rgb if self.fit == "pad" else centre(picture.rgb), self.size_px)
        latents = encode_pixels(self.pipeline, to_tensor(rgb[None]))[0]
        size = torch.tensor([picture.height_px, picture.width_px])
        return {"latents": latents.cpu().to(getattr(torch, self.stored)).contiguous(), "size": size}


def _latents(samples: Sequence[Sample], pictures: _Pictures) -> list[_Latent]:
    encoder = folder_fingerprint(pictures.base, "vae/*")
    if pictures.pipeline.vae.dtype == torch.float16:  # once encoded in that, some of it infinite
        encoder += " in full precision"
    latents, unreadable = [], []
    with progress("encode pictures", len(samples)) as advance:
        for sample in samples:
            try:
                latents.append(pictures.encode(encoder, sample))
            except (DecodeError, StorageError) as error:
                unreadable.append(f"  {sample.source}/{sample.member}: {error.what}")
            advance()
    if unreadable:
        raise RunError(
            f"{len(unreadable)} of {len(samples)} needles cannot be read:\n" + "\n".join(unreadable),
            "Restore these files, or take them out of the needles.",
        )
    return latents


def _texts(
    files: EncodedFiles, pipeline: DiffusionPipeline, base: Path, captions: Sequence[str], stored: StoredType
) -> Condition:
    """Rows for each caption and, as the last one, for a dropped caption."""
    encoder = [folder_fingerprint(base, pattern) for pattern in TEXT_PARTS]
    dtype = getattr(torch, stored)

    def row(caption: str | None) -> Condition:
        def make() -> dict[str, Tensor]:
            one = encode_empty(pipeline) if caption is None else encode_texts(pipeline, [caption])
            parts = one.as_type(dtype)._asdict().items()
            return {name: part.contiguous() for name, part in parts if part is not None}

        return Condition(**files.get(fingerprint("text", ENCODER_VERSION, encoder, caption, stored), make))

    rows = []
    with progress("encode captions", len(captions) + 1) as advance:
        for caption in (*captions, None):
            rows.append(row(caption))
            advance()
    return joined(rows)
