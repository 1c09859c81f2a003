"""How likely a photograph is a good, finished one and none that was spoiled: a forest over pixel measures.

What the appeal score's terms cannot see (noise of colour, over-sharpening, a collage) leaves traces in many
measures at once, each of them weak. The forest has learnt from photographs and from what was made of them
how these traces go together; `benchmarks/learning_finish.py` made `finish.npz`, which holds numbers and no
code. It knows photographs: of drawings it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.core.weights import PACKAGED
from photogenic.measures import pixel
from photogenic.measures.appeal import appeal_score
from photogenic.measures.craft import CRAFT_COLUMNS, craft
from photogenic.measures.decode import decode
from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX, reduced

Floats = NDArray[np.float64]

FILE = PACKAGED / "finish.npz"
COLUMNS = (*pixel.COLUMNS, *CRAFT_COLUMNS)
LEAF = -1


def measured(data: bytes) -> dict[str, float]:
    """All COLUMNS of a file; without those of craft where it has none.

    Raises:
        DecodeError: the file is no picture that can be decoded.
    """
    picture = decode(data, exact=False)
    values = pixel.measure(picture, data)
    return values | craft(reduced(picture.rgb, CANONICAL_LONG_SIDE_PX))


def finish(data: bytes) -> tuple[float | None, float | None]:
    """P(finished), 0-1, and that times the appeal score, 0-10.

    The product, because each sees faults that the other was not taught. None when the shorter side has less
    than MIN_SIDE_PX at the canonical size: a small picture, or one more than four times as long as high.
    """
    values = measured(data)
    if len(values) < len(COLUMNS):
        return None, None
    probability = float(forest().score(matrix_of([values]))[0])
    return probability, probability * appeal_score(values)


def matrix_of(rows: Sequence[Mapping[str, float]]) -> Floats:
    """[N, number of COLUMNS]; NaN where a value is missing."""
    return np.array([[row.get(name, np.nan) for name in COLUMNS] for row in rows], np.float64)


@dataclass(frozen=True)
class Forest:
    """Binary trees in one row of nodes, each tree depth first: a node's left child is the next node."""

    columns: tuple[str, ...]
    roots: NDArray[np.int32]  # [T], where each tree begins
    features: NDArray[np.int8]  # [M], which column is asked; LEAF where none is
    numbers: NDArray[np.float32]  # [M], at most this goes left; of a leaf, its answer
    rights: NDArray[np.uint16]  # [M], how many nodes further the right child is

    @classmethod
    def of_trees(cls, trees: Sequence[Any], columns: Sequence[str]) -> Forest:
        """From the `tree_` of scikit-learn's classifiers of two classes, whose nodes are depth first."""
        sizes = [tree.node_count for tree in trees]
        is_leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        asked = np.concatenate([tree.feature for tree in trees])
        limits = np.concatenate([tree.threshold for tree in trees])
        shares = np.concatenate([tree.value[:, 0, :] for tree in trees])
        steps = np.concatenate([tree.children_right - np.arange(tree.node_count) for tree in trees])
        return cls(
            columns=tuple(columns),
            roots=np.cumsum([0, *sizes[:-1]]).astype(np.int32),
            features=np.where(is_leaf, LEAF, asked).astype(np.int8),
            numbers=np.where(is_leaf, shares[:, 1] / shares.sum(axis=1), limits).astype(np.float32),
            rights=np.where(is_leaf, 0, steps).astype(np.uint16),
        )

    def score(self, matrix: Floats) -> Floats:
        """Mean answer of the trees: [N, C] => [N], 0-1."""
        rows = np.arange(len(matrix))[:, None]
        values = matrix.astype(np.float32)
        nodes = np.repeat(self.roots[None].astype(np.int64), len(matrix), axis=0)
        while (asks := self.features[nodes] != LEAF).any():
            is_left = values[rows, self.features[nodes]] <= self.numbers[nodes]
            nodes += np.where(asks, np.where(is_left, 1, self.rights[nodes]), 0)
        return np.asarray(self.numbers[nodes].mean(axis=1, dtype=np.float64), np.float64)

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            columns=np.array(self.columns),
            roots=self.roots,
            features=self.features,
            numbers=self.numbers,
            rights=self.rights,
        )

    @classmethod
    def load(cls, path: Path) -> Forest:
        with np.load(path, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in ("roots", "features", "numbers", "rights")}
            return cls(tuple(arrays["columns"].tolist()), **parts)


@lru_cache(maxsize=1)
def forest() -> Forest:
    """The one that comes along."""
    return Forest.load(FILE)
