"""How likely a photograph is a good, finished one and none that was spoiled: forests over pixel measures.

What the appeal score's terms cannot see (noise of colour, over-sharpening, a collage, a cast) leaves traces
in many measures at once, each of them weak; that a house leans is seen by the networks of `darkroom.py`. For
each aspect in which a photograph can fail, a forest has learnt from photographs and from what was made of
them how all this goes together, and the odds against it in all aspects add up.
`benchmarks/learning_finish.py` made `finish.npz`, which holds numbers and no code. It knows photographs: of
drawings it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photogenic.core.weights import PACKAGED
from photogenic.measures import pixel
from photogenic.measures.appeal import MAX_SCORE, appeal_score
from photogenic.measures.craft import CRAFT_COLUMNS, craft
from photogenic.measures.darkroom import DARKROOM_COLUMNS, darkroom
from photogenic.measures.decode import Picture, decode
from photogenic.measures.finest import FINEST_COLUMNS, finest
from photogenic.measures.light import LIGHT_COLUMNS, light
from photogenic.measures.lines import LINE_COLUMNS, lines
from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX, reduced
from photogenic.measures.watermark import watermark_score

Floats = NDArray[np.float64]

FILE = PACKAGED / "finish.npz"
STAMPED = "watermark_score"
PIXEL_COLUMNS = (*pixel.COLUMNS, *CRAFT_COLUMNS, *LIGHT_COLUMNS, *LINE_COLUMNS, *FINEST_COLUMNS, STAMPED)
COLUMNS = (*PIXEL_COLUMNS, *DARKROOM_COLUMNS)
LEAF = -1
APPEAL_POWER = 0.25
LEAST = 0.005  # an answer of nothing would make all others worth nothing
SURER = 1.5  # the power of the odds: the mean of many trees is nearer to the middle than what they know
PRIORS = {"proportions": 0.25}  # of aspects in which pictures fail less often than in others, against those


def measured(data: bytes) -> dict[str, float]:
    """All COLUMNS of a file; only those of `pixel` where it is too small for those of craft.

    Raises:
        DecodeError: the file is no picture that can be decoded.
    """
    picture = decode(data, exact=False)
    values = pixels_measured(picture, data)
    return values if STAMPED not in values else values | darkroom()(picture.rgb)


def pixels_measured(picture: Picture, data: bytes) -> dict[str, float]:
    """PIXEL_COLUMNS of a decoded file; only those of `pixel` where it is too small for those of craft."""
    values = pixel.measure(picture, data)
    rgb = reduced(picture.rgb, CANONICAL_LONG_SIDE_PX)
    crafted = craft(rgb)
    if not crafted:
        return values
    values |= crafted | light(rgb) | lines(rgb) | finest(picture.rgb)
    return values | {STAMPED: watermark_score(picture.rgb)}


class Finish(NamedTuple):
    """P(finished), 0-1; the finish score, 0-10: that times the fourth root of the appeal score, taken 0-1;
    and the aspect in which the picture is most likely to fail.

    Probability and appeal, because each sees faults that the other was not taught.
    """

    probability: float
    score: float
    weakest: str


def finish(data: bytes) -> Finish | None:
    """None when the shorter side has less than craft's MIN_SIDE_PX at the canonical size: a small picture, or
    one more than four times as long as high.
    """
    values = measured(data)
    if len(values) < len(COLUMNS):
        return None
    (odds,) = forest().odds(matrix_of([values]))
    probability = 1 / (1 + float(odds.sum()))
    score = MAX_SCORE * probability * (appeal_score(values) / MAX_SCORE) ** APPEAL_POWER
    return Finish(probability, score, forest().aspects[int(odds.argmax())])


def matrix_of(rows: Sequence[Mapping[str, float]]) -> Floats:
    """[N, number of COLUMNS]; NaN where a value is missing."""
    return np.array([[row.get(name, np.nan) for name in COLUMNS] for row in rows], np.float64)


@dataclass(frozen=True)
class Forest:
    """Binary trees in one row of nodes, each tree depth first: a node's left child is the next node.

    Each aspect has the same number of trees; they stand one aspect after the other.
    """

    columns: tuple[str, ...]
    aspects: tuple[str, ...]
    roots: NDArray[np.int32]  # [T], where each tree begins
    features: NDArray[np.int16]  # [M], which column is asked; LEAF where none is
    numbers: NDArray[np.float32]  # [M], at most this goes left; of a leaf, its answer
    rights: NDArray[np.uint16]  # [M], how many nodes further the right child is

    @classmethod
    def of_trees(cls, trees: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> Forest:
        """Of each aspect the `tree_` of scikit-learn's classifiers of two classes: nodes depth first."""
        all_trees = [tree for of_one in trees.values() for tree in of_one]
        sizes = [tree.node_count for tree in all_trees]
        is_leaf = np.concatenate([tree.children_left for tree in all_trees]) < 0
        asked = np.concatenate([tree.feature for tree in all_trees])
        limits = np.concatenate([tree.threshold for tree in all_trees])
        shares = np.concatenate([tree.value[:, 0, :] for tree in all_trees])
        steps = np.concatenate([tree.children_right - np.arange(tree.node_count) for tree in all_trees])
        return cls(
            columns=tuple(columns),
            aspects=tuple(trees),
            roots=np.cumsum([0, *sizes[:-1]]).astype(np.int32),
            features=np.where(is_leaf, LEAF, asked).astype(np.int16),
            numbers=np.where(is_leaf, shares[:, 1] / shares.sum(axis=1), limits).astype(np.float32),
            rights=np.where(is_leaf, 0, steps).astype(np.uint16),
        )

    def score(self, matrix: Floats) -> Floats:
        """P(finished) in all aspects together: [N, C] => [N], 0-1.

        By Bayes' rule, where a picture is finished or fails in one of the aspects: the odds add up.
        """
        return np.asarray(1 / (1 + self.odds(matrix).sum(axis=1)), np.float64)

    def odds(self, matrix: Floats) -> Floats:
        """Against a picture in each aspect, all of them equally likely before it is looked at but for
        PRIORS: [N, C] => [N, A], from 0.
        """
        priors = np.array([PRIORS.get(aspect, 1.0) for aspect in self.aspects])
        return np.asarray(priors * (1 / np.maximum(self.answers(matrix), LEAST) - 1) ** SURER, np.float64)

    def answers(self, matrix: Floats) -> Floats:
        """In each aspect the mean answer of its trees: [N, C] => [N, A], 0-1."""
        rows = np.arange(len(matrix))[:, None]
        values = matrix.astype(np.float32)
        nodes = np.repeat(self.roots[None].astype(np.int64), len(matrix), axis=0)
        while (asks := self.features[nodes] != LEAF).any():
            is_left = values[rows, self.features[nodes]] <= self.numbers[nodes]
            nodes += np.where(asks, np.where(is_left, 1, self.rights[nodes]), 0)
        leaves = self.numbers[nodes].reshape(len(matrix), len(self.aspects), -1)
        return np.asarray(leaves.mean(axis=2, dtype=np.float64), np.float64)

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            columns=np.array(self.columns),
            aspects=np.array(self.aspects),
            roots=self.roots,
            features=self.features,
            numbers=self.numbers,
            rights=self.rights,
        )

    @classmethod
    def load(cls, path: Path) -> Forest:
        with np.load(path, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in ("roots", "features", "numbers", "rights")}
            return cls(tuple(arrays["columns"].tolist()), tuple(arrays["aspects"].tolist()), **parts)


@lru_cache(maxsize=1)
def forest() -> Forest:
    """The one that comes along."""
    return Forest.load(FILE)
