"""Does a model draw its needles from memory? The nearest needle of every picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photogenic.evaluate.space import Space
from photogenic.measures.decode import Rgb
from photogenic.measures.phash import phash

HASH_BITS = 64
ROWS_AT_ONCE = 512
CELLS_AT_ONCE = 2**23  # bounds the memory, whatever the number of needles: pictures x needles


@dataclass(frozen=True)
class Looks:
    """What pictures are compared by; both of one length."""

    hashes: NDArray[np.uint64]  # [n] perceptual hashes
    embeds: NDArray[np.float32] | None  # [n, D], L2-normalised; None without a CLIP that fits


@dataclass(frozen=True)
class NearestNeedles:
    """For each of n pictures: its nearest needle and how near that is."""

    needle: NDArray[np.int64]  # [n] row of the needle
    num_bits: NDArray[np.int64]  # [n] differing bits of the perceptual hashes, 0..64
    cosine: NDArray[np.float64]  # [n] of the embeddings; NaN without them
    is_copy: NDArray[np.bool_]  # [n] within both limits

    def nearest_first(self) -> list[int]:
        """Rows of the pictures: near-copies, then the others, each the nearest first."""
        distance = self.num_bits / HASH_BITS + 1 - np.nan_to_num(self.cosine, nan=1.0)
        return [int(row) for row in np.lexsort((distance, ~self.is_copy))]


def looks_of(pictures: Sequence[Rgb], space: Space | None) -> Looks:
    """Of pictures [H, W, 3] as they are to be compared: cropped or padded, and of one size."""
    hashes = np.array([phash(rgb) for rgb in pictures], np.uint64)
    return Looks(hashes, None if space is None else space.clip.embed_images(pictures))


def joined(parts: Sequence[Looks]) -> Looks:
    """One after the other; without embeddings where one of them has none."""
    embeds = [part.embeds for part in parts if part.embeds is not None]
    whole = np.concatenate(embeds) if embeds and len(embeds) == len(parts) else None
    return Looks(np.concatenate([part.hashes for part in parts]), whole)


def nearest_needles(
    pictures: Looks,
    needles: Looks,
    *,
    max_bits: int,
    min_cosine: float,
    itself: NDArray[np.int64] | None = None,
) -> NearestNeedles:
    """The needle with the least (differing bits / 64 + 1 - cosine); a near-copy is within both limits.

    Two signals, for each alone errs: hashes confuse sparse pictures, embeddings two pictures of one thing. A
    near-copy is looked for among all needles, not only at the nearest.

    Args:
        itself: [n] the needle that each picture is; it does not count as its own copy.
    """
    if len(needles.hashes) == 0:
        raise ValueError("there are no needles to compare with")
    rows = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // len(needles.hashes)))
    parts = [
        _nearest(
            _part(pictures, begin, rows),
            needles,
            max_bits,
            min_cosine,
            None if itself is None else itself[begin : begin + rows],
        )
        for begin in range(0, len(pictures.hashes), rows)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0)] * 4
    needle, num_bits, cosine, is_copy = columns
    return NearestNeedles(
        needle.astype(np.int64), num_bits.astype(np.int64), cosine.astype(np.float64), is_copy.astype(bool)
    )


def _part(looks: Looks, begin: int, num: int) -> Looks:
    rows = slice(begin, begin + num)
    return Looks(looks.hashes[rows], None if looks.embeds is None else looks.embeds[rows])


def _nearest(
    pictures: Looks, needles: Looks, max_bits: int, min_cosine: float, itself: NDArray[np.int64] | None
) -> tuple[NDArray[np.generic], ...]:
    bits = np.bitwise_count(pictures.hashes[:, None] ^ needles.hashes[None, :]).astype(np.int64)
    if pictures.embeds is None or needles.embeds is None:
        cosine, distance = np.full(bits.shape, np.nan), bits / HASH_BITS
        is_copy = bits <= max_bits
    else:
        cosine = pictures.embeds.astype(np.float64) @ needles.embeds.astype(np.float64).T
        distance = bits / HASH_BITS + 1 - cosine
        is_copy = (bits <= max_bits) & (cosine >= min_cosine)
    if itself is not None:
        rows = np.arange(len(itself))
        distance[rows, itself], is_copy[rows, itself] = np.inf, False
    nearest = np.argmin(np.where(is_copy, distance - HASH_BITS, distance), axis=1)
    rows = np.arange(len(nearest))
    return nearest, bits[rows, nearest], cosine[rows, nearest], is_copy[rows, nearest]
