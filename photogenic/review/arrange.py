"""The order in which a round shows its pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
BLOCK = 600  # pictures; people who work at the same time are in the same few blocks


def arrange(
    num: int,
    *,
    order: str,
    rng: np.random.Generator,
    taste: NDArray[np.float64] | None = None,
    random_ratio: float = 0.1,
    groups: Sequence[str] | None = None,
    duplicates: NDArray[np.int64] | None = None,
) -> Indices:
    """Positions -> rows: [num], every row once.

    Args:
        order: shuffled | taste | manifest. With `taste` a share `random_ratio` stands at random places.
        taste: [num] how likely each is to be kept; needed by order `taste`.
        groups: [num] labels that take turns within each block.
        duplicates: [num] labels of near-duplicates: those of one label stand together, where the first is.
    """
    if order == "taste" and taste is None:
        order = "shuffled"
    rows = np.arange(num) if order == "manifest" else rng.permutation(num)
    if order == "taste" and taste is not None:
        rows = _likeliest_first(rows, taste, random_ratio, rng)
    if groups is not None:
        blocks = [rows[start : start + BLOCK] for start in range(0, num, BLOCK)]
        rows = np.concatenate([_in_turns(block, groups) for block in blocks]) if blocks else rows
    return rows if duplicates is None else _together(rows, duplicates)


def _likeliest_first(
    shuffled: Indices, taste: NDArray[np.float64], random_ratio: float, rng: np.random.Generator
) -> Indices:
    """By taste, but a random share of the rows at random places."""
    num_random = round(random_ratio * len(shuffled))
    drawn, others = shuffled[:num_random], shuffled[num_random:]
    ranked = others[np.argsort(-taste[others], kind="stable")]
    places = np.zeros(len(shuffled), bool)
    places[rng.choice(len(shuffled), num_random, replace=False)] = True
    rows = np.empty(len(shuffled), np.int64)
    rows[places], rows[~places] = drawn, ranked
    return rows


def _in_turns(block: Indices, groups: Sequence[str]) -> Indices:
    """Each group gives its next row in turn, as far as its rows go."""
    seen: dict[str, int] = defaultdict(int)
    turns = np.empty(len(block), np.int64)
    for place, row in enumerate(block):
        turns[place] = seen[groups[row]]
        seen[groups[row]] += 1
    return block[np.argsort(turns, kind="stable")]


def _together(rows: Indices, labels: NDArray[np.int64]) -> Indices:
    """Rows of one label moved up behind its first."""
    first: dict[int, int] = {}
    leaders = np.empty(len(rows), np.int64)
    for place, row in enumerate(rows):
        leaders[place] = first.setdefault(int(labels[row]), place)
    return rows[np.argsort(leaders, kind="stable")]
