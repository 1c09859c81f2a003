"""Pictures with what they are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from photogenic.copies.rulers import Ruler, Vectors
from photogenic.core.console import progress
from photogenic.evaluate.copies import Looks, joined, looks_of
from photogenic.evaluate.space import Space
from photogenic.measures.decode import Rgb
from photogenic.train.data import InlineSquares, Pictures

PICTURES_AT_ONCE = 64


@dataclass(frozen=True)
class Gallery:
    """Pictures of one size; all columns of length n."""

    rgb: np.ndarray | InlineSquares  # uint8 [n, S, S, 3]
    texts: Sequence[str]
    concepts: Sequence[str]
    looks: Looks
    vectors: Mapping[str, Vectors]  # ruler -> [n, D]

    def __len__(self) -> int:
        return len(self.texts)


def hang(
    pictures: Pictures, known: Sequence[Ruler], space: Space | None, what: str, *, once: bool = True
) -> Gallery:
    """Measure pictures; with `once`, those that are equal pixel by pixel are one."""
    kept: list[int] = []
    seen: set[bytes] = set()
    looks: list[Looks] = []
    vectors: dict[str, list[Vectors]] = {ruler.name: [] for ruler in known}
    with progress(f"measuring {what}", len(pictures)) as advance:
        for begin in range(0, len(pictures), PICTURES_AT_ONCE):
            part = list(pictures.rgb[begin : begin + PICTURES_AT_ONCE])
            fresh = [row for row, rgb in enumerate(part) if _is_new(rgb, seen) or not once]
            advance(len(part))
            if not fresh:
                continue
            kept += [begin + row for row in fresh]
            new = [part[row] for row in fresh]
            looks.append(looks_of(new, space))
            for ruler in known:
                vectors[ruler.name].append(ruler.vectors_of(new))
    chosen = pictures.subset(np.array(kept, np.int64))
    return Gallery(
        chosen.rgb,
        chosen.texts,
        chosen.concepts,
        joined(looks),
        {name: np.concatenate(parts) for name, parts in vectors.items()},
    )


def _is_new(rgb: Rgb, seen: set[bytes]) -> bool:
    digest = sha256(rgb.tobytes()).digest()
    is_new = digest not in seen
    seen.add(digest)
    return is_new
