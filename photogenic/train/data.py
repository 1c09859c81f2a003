"""Pictures and texts in memory, and which of them are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from photogenic.core.console import progress
from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.records import Sample
from photogenic.core.run import seed_for
from photogenic.core.shards import Sources, atomic_path, fingerprint, read_json, write_json
from photogenic.measures.decode import decode, square

Fit = Literal["crop", "pad"]

DECODE_MARGIN = (
    2  # decoded at twice the model's size: enough for a clean reduction, and for cropping 1:2 pictures
)


@dataclass(frozen=True)
class Pictures:
    """A decoded set of image-text pairs.

    `rgb`: uint8 [N, S, S, 3], on white, padded to a square. `sizes`: int32 [N, 2], original height and width,
    pixels.
    """

    rgb: np.ndarray
    sizes: np.ndarray
    texts: tuple[str, ...]
    sample_ids: tuple[str, ...]
    concepts: tuple[str, ...]
    unreadable: dict[str, str] = field(default_factory=dict)  # sample_id -> reason

    def __len__(self) -> int:
        return len(self.texts)

    def subset(self, indices: np.ndarray) -> Pictures:
        """The rows at `indices`, in that order."""

        def pick(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(values[i] for i in indices)

        return Pictures(
            self.rgb[indices],
            self.sizes[indices],
            pick(self.texts),
            pick(self.sample_ids),
            pick(self.concepts),
        )


def to_tensor(rgb: np.ndarray) -> torch.Tensor:
    """uint8 [B, H, W, 3] => float32 [B, 3, H, W] in [-1, 1], channels_last."""
    pixels = torch.from_numpy(np.array(rgb)).permute(0, 3, 1, 2)  # a copy: the cache is mapped read-only
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1.0)


def load_pictures(
    samples: Sequence[Sample],
    texts: Sequence[str],
    concepts: Sequence[str],
    sources: Sources,
    size_px: int,
    cache: Path,
    *,
    fit: Fit = "pad",
) -> Pictures:
    """Decode every sample once; a second call with the same samples and size reads the cache.

    What cannot be read or decoded is left out and named in `unreadable`, never silently.
    """
    folder = cache / fingerprint("pictures", [sample.sample_id for sample in samples], size_px, fit)
    if not (folder / "unreadable.json").exists():
        _decode_all(samples, sources, size_px, fit, folder)
    unreadable: dict[str, str] = read_json(folder / "unreadable.json")
    kept = [i for i, sample in enumerate(samples) if sample.sample_id not in unreadable]
    return Pictures(
        np.load(folder / "rgb.npy", mmap_mode="r"),
        np.load(folder / "sizes.npy"),
        tuple(texts[i] for i in kept),
        tuple(samples[i].sample_id for i in kept),
        tuple(concepts[i] for i in kept),
        unreadable,
    )


def _decode_all(samples: Sequence[Sample], sources: Sources, size_px: int, fit: Fit, folder: Path) -> None:
    rgb, sizes, unreadable = [], [], {}
    with progress("decode", len(samples)) as advance:
        for sample in samples:
            advance()
            try:
                picture = decode(sources.read(sample.locator), min_long_side_px=DECODE_MARGIN * size_px)
            except (DecodeError, StorageError) as error:
                unreadable[sample.sample_id] = error.what
                continue
            rgb.append(square(picture.rgb if fit == "pad" else centre(picture.rgb), size_px))
            sizes.append((picture.height_px, picture.width_px))
    _save_array(folder / "rgb.npy", np.stack(rgb) if rgb else np.zeros((0, size_px, size_px, 3), np.uint8))
    _save_array(folder / "sizes.npy", np.array(sizes, np.int32).reshape(-1, 2))
    write_json(folder / "unreadable.json", unreadable)  # last: its existence means complete


def centre(rgb: np.ndarray) -> np.ndarray:
    """The largest centred square of uint8 [H, W, 3]."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def _save_array(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)


def held_out(concepts: Sequence[str], ratio: float, split_seed: int) -> np.ndarray:
    """Which samples belong to held-out concepts, bool [N].

    A function of the concept's name alone, so that all pictures of a concept fall on the same side.
    """
    limit = int(ratio * 2**32)
    return np.array([seed_for("held-out", split_seed, concept) % 2**32 < limit for concept in concepts])
