"""Two ways to say how far pictures lie apart, and the nearest of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photogenic.evaluate.space import Space
from photogenic.measures.decode import Rgb
from photogenic.measures.vision import opencv

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]  # [n, D]

VIEW_PX = 16
CELLS_AT_ONCE = 2**22  # bounds the memory, whatever the number of pictures


@dataclass(frozen=True)
class Ruler:
    """Pictures as vectors, and what the square of their Euclidean distance is called in words and units."""

    name: str
    words: str
    vectors_of: Callable[[Sequence[Rgb]], Vectors]
    in_units: Callable[[Floats], Floats]


def rulers(space: Space | None) -> list[Ruler]:
    """The CLIP's embeddings, where there is a CLIP, and pixels: each may miss what the other sees.

    The CLIP of a model has been trained on the same pictures; pixels have not.
    """
    found = [Ruler("pixels", f"{VIEW_PX} x {VIEW_PX} pixels, root mean square, 0 to 1", _pixels, np.sqrt)]
    if space is not None:
        found.insert(0, Ruler("clip", f"{space.name}, 1 - cosine", space.clip.embed_images, lambda d: d / 2))
    return found


def _pixels(pictures: Sequence[Rgb]) -> Vectors:
    cv = opencv()
    views = [cv.resize(rgb, (VIEW_PX, VIEW_PX), interpolation=cv.INTER_AREA).ravel() for rgb in pictures]
    values = np.array(views, np.float32).reshape(len(views), VIEW_PX * VIEW_PX * 3)
    return values / np.float32(255 * VIEW_PX * np.sqrt(3))


def squared_distances(a: Vectors, b: Vectors) -> Iterator[tuple[slice, Floats]]:
    """Rows of `a` [n, D] a few at a time, and their squared distances to all of `b` [m, D]."""
    others = b.astype(np.float64)
    lengths = np.square(others).sum(axis=1)
    step = max(1, CELLS_AT_ONCE // max(1, len(others)))
    for begin in range(0, len(a), step):
        rows = slice(begin, begin + step)
        part = a[rows].astype(np.float64)
        products = part @ others.T
        yield rows, np.maximum(np.square(part).sum(axis=1)[:, None] + lengths - 2 * products, 0)


def nearest(a: Vectors, b: Vectors, itself: Rows | None = None) -> tuple[Rows, Floats]:
    """([n] row of `b`, [n] squared distance) of the nearest to each of `a`.

    Args:
        itself: [n] the row of `b` that each of `a` is, which does not count.
    """
    found, squared = np.empty(len(a), np.int64), np.empty(len(a))
    for rows, distances in squared_distances(a, b):
        if itself is not None:
            distances[np.arange(len(distances)), itself[rows]] = np.inf
        found[rows] = distances.argmin(axis=1)
        squared[rows] = distances.min(axis=1)
    return found, squared


def spread(vectors: Vectors, ruler: Ruler) -> float:
    """The mean distance over all pairs of [n, D], n >= 2."""
    total, columns = 0.0, np.arange(len(vectors))
    for rows, squared in squared_distances(vectors, vectors):
        is_later = columns[None] > columns[rows, None]
        total += float(ruler.in_units(squared[is_later]).sum())
    return total / (len(vectors) * (len(vectors) - 1) / 2)
