"""The pool's pictures, decoded into memory or when they are wanted; texts; and what is held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from photogenic.core.console import progress
from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.records import Locator, Sample
from photogenic.core.run import seed_for
from photogenic.core.shards import Sources, atomic_path, fingerprint, read_json, write_json
from photogenic.measures.decode import MAX_PIXELS, Header, centre, decode, read_header, square
from photogenic.measures.headers import quick_header

Fit = Literal["crop", "pad"]

DECODE_MARGIN = (
    2  # decoded at twice the model's size: enough for a clean reduction, and for cropping 1:2 pictures
)
BEGINNING_BYTES = 2**16  # of a file: where nearly every JPEG has said how large it is, and how it is turned


class PoolReader:
    """Pictures of the pool, read by offset and decoded when they are wanted."""

    def __init__(self, sources: Sources, samples: Sequence[Sample], log: Callable[[str], None]) -> None:
        self.sources = sources
        self.locators: list[Locator] = [sample.locator for sample in samples]
        self.log = log
        self.broken: set[int] = set()  # rows whose header was sound, and whose pixels are not

    def read(self, row: int, min_long_side_px: int) -> np.ndarray | None:
        """uint8 [H, W, 3]; None where it cannot be decoded, which is said once.

        Raises:
            StorageError: its bytes cannot be reached.
        """
        locator = self.locators[row]
        try:
            return decode(self.sources.read(locator), min_long_side_px=min_long_side_px).rgb
        except DecodeError as error:
            if row not in self.broken:
                self.broken.add(row)
                self.log(
                    f"{locator.source}/{locator.member} has no pixels: {error.what}. Autoencoder and CLIP see"
                    " a white square in its place; it counts nothing in the denoiser's losses."
                )
            return None


@dataclass(frozen=True)
class InlineSquares:
    """As an array uint8 [N, S, S, 3] of pictures padded to squares, but each is decoded when it is wanted.

    One that cannot be decoded is white.
    """

    reader: PoolReader
    rows: np.ndarray  # int64 [N], of the reader
    size_px: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.size_px, self.size_px, 3

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, wanted: slice | np.ndarray) -> np.ndarray:
        return np.stack([self._square(int(row)) for row in self.rows[wanted]])

    def subset(self, indices: np.ndarray) -> InlineSquares:
        """Those at `indices`, still not decoded."""
        return InlineSquares(self.reader, self.rows[indices], self.size_px)

    def _square(self, row: int) -> np.ndarray:
        rgb = self.reader.read(row, DECODE_MARGIN * self.size_px)
        return np.full(self.shape[1:], 255, np.uint8) if rgb is None else square(rgb, self.size_px)


@dataclass(frozen=True)
class Pictures:
    """A set of image-text pairs.

    `rgb`: uint8 [N, S, S, 3], on white, padded to a square. `sizes`: int32 [N, 2], original height and width,
    pixels.
    """

    rgb: np.ndarray | InlineSquares
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
            self.rgb.subset(indices) if isinstance(self.rgb, InlineSquares) else self.rgb[indices],
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


def read_sizes(samples: Sequence[Sample], sources: Sources, cache: Path) -> tuple[np.ndarray, dict[str, str]]:
    """Height and width of every sample by its header, int32 [N, 2], and what cannot be read with its reason.

    Of a JPEG only the beginning is read, where it says enough; other files are read whole, because a PNG's
    orientation may stand behind its pixels. A second call with the same samples reads the cache.
    """
    folder = cache / fingerprint("sizes", [sample.sample_id for sample in samples])
    if not (folder / "unreadable.json").exists():
        sizes, unreadable = [], {}
        with progress("read headers", len(samples)) as advance:
            for sample in samples:
                advance()
                try:
                    header = _header(sample.locator, sources)
                    sizes.append((header.height_px, header.width_px))
                except (DecodeError, StorageError) as error:
                    unreadable[sample.sample_id] = error.what
        _save_array(folder / "sizes.npy", np.array(sizes, np.int32).reshape(-1, 2))
        write_json(folder / "unreadable.json", unreadable)  # last: its existence means complete
    return np.load(folder / "sizes.npy"), read_json(folder / "unreadable.json")


def _header(locator: Locator, sources: Sources) -> Header:
    """Of a picture, by its first bytes where they say all, else by the whole file.

    Raises:
        DecodeError: it is no picture.
        StorageError: its bytes cannot be reached, or are fewer than when it was indexed.
    """
    if _has_beginning(locator, sources):
        header = quick_header(sources.read(replace(locator, size_bytes=BEGINNING_BYTES)))
        if header is not None and header.width_px * header.height_px <= MAX_PIXELS:
            return header
    return read_header(sources.read(locator))


def _has_beginning(locator: Locator, sources: Sources) -> bool:
    """Whether less than the whole can be read of it; a table's cell comes whole.

    A file of this machine that has become shorter is read whole, which says so now and not within a step.
    """
    path = sources.path(locator)
    if locator.size_bytes <= BEGINNING_BYTES or path.suffix.lower() == ".parquet":
        return False
    if not isinstance(path, Path):
        return True
    return path.is_file() and path.stat().st_size >= locator.offset + locator.size_bytes


def _save_array(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)


def held_out(concepts: Sequence[str], ratio: float, split_seed: int) -> np.ndarray:
    """Which samples belong to held-out concepts, bool [N].

    A function of the concept's name alone, so that all pictures of a concept fall on the same side.
    """
    limit = int(ratio * 2**32)
    return np.array([seed_for("held-out", split_seed, concept) % 2**32 < limit for concept in concepts])
