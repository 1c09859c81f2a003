"""Is a drawing nearer to training pictures than to those that were held out, concept for concept?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photogenic.copies.rulers import Floats, Rows, Vectors, squared_distances

NUM_SPLITS = 400  # other choices of what might have been held out
CHANCE = (0.025, 0.975)


@dataclass(frozen=True)
class Pile:
    """Pictures by what they show."""

    vectors: Vectors  # [n, D]
    concepts: Sequence[str]  # [n]


@dataclass(frozen=True)
class Odds:
    """How often, on average, the nearest picture of all is one of training; both 0 to 1."""

    of_all: float
    of_other_things: float  # training pictures of what the prompt names do not count
    by_chance: tuple[float, float]  # 95 % of `of_other_things` where a model is drawn to neither


def odds_of_training(
    drawn: Vectors, training: Pile, held_out: Pile, own: Sequence[frozenset[str]], seed: int
) -> Odds:
    """That a drawing is nearer to m random training concepts than to all m held out; a half by chance.

    There are more training than held-out concepts, so one is nearer: only as many are compared. No
    sample is drawn, the chance is computed: of N training concepts k have a nearer picture. Concepts, not
    pictures, because concepts are held out, and the pictures of one resemble each other.

    What was held out is one choice of many: the range by chance is what NUM_SPLITS other ones give.

    Args:
        drawn: [n, D].
        own: [n] the concepts that a drawing's prompt names.
    """
    concepts, columns = np.unique([*training.concepts, *held_out.concepts], return_inverse=True)
    vectors = np.concatenate([training.vectors, held_out.vectors])
    number_of = {str(name): number for number, name in enumerate(concepts)}
    split = np.unique(columns[len(training.concepts) :])
    rng = np.random.default_rng(seed)
    splits = [rng.choice(len(concepts), len(split), replace=False) for _ in range(NUM_SPLITS)]
    num_others = len(concepts) - len(split)
    total, totals = 0.0, np.zeros(1 + NUM_SPLITS)
    for row, distances in _by_concept(drawn, vectors, columns):
        total += float(_chances(distances, [split], num_others)[0])
        mine = [number_of[name] for name in own[row] if name in number_of]
        distances[mine] = np.inf
        totals += _chances(distances, [split, *splits], num_others - len(mine))
    low, high = np.quantile(totals[1:] / len(drawn), CHANCE)
    return Odds(total / len(drawn), float(totals[0]) / len(drawn), (float(low), float(high)))


def _by_concept(drawn: Vectors, vectors: Vectors, columns: Rows) -> Iterator[tuple[int, Floats]]:
    """Of each drawing: its number, and the squared distance to the nearest picture of each concept."""
    order = np.argsort(columns, kind="stable")
    begins = np.flatnonzero(np.diff(columns[order], prepend=-1))
    for rows, distances in squared_distances(drawn, vectors[order]):
        nearest = np.minimum.reduceat(distances, begins, axis=1)
        yield from enumerate(nearest, rows.start)


def _chances(distances: Floats, splits: Sequence[Rows], num_others: int) -> Floats:
    """Of each split, the chance for one drawing."""
    limits = np.array([distances[split].min() for split in splits])
    num_nearer = np.searchsorted(np.sort(distances), limits)  # none of them is of the split
    return chance_of_one(num_nearer, num_others, len(splits[0]))


def chance_of_one(num_wanted: NDArray[np.int64], num: int, num_drawn: int) -> Floats:
    """[n] that one of `num_wanted` [n] or more is among `num_drawn` drawn from `num` without putting back.

    1 - C(num - num_wanted, num_drawn) / C(num, num_drawn).
    """
    from scipy.special import gammaln

    others = num - num_wanted
    left = np.maximum(others - num_drawn, 0)
    log_none = (
        gammaln(others + 1) - gammaln(left + 1) - gammaln(num + 1) + gammaln(max(0, num - num_drawn) + 1)
    )
    chances: Floats = np.where(others < num_drawn, num_wanted > 0, -np.expm1(log_none))
    return chances
