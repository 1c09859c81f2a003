"""Decide over the whole set: the best of each group of near-duplicates, the best of each concept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strings = NDArray[np.object_]


def best_first(scores: Floats, ids: Strings) -> Ints:
    """Indices, best score first; equal scores in the order of their ids, what was not measured last. [N]"""
    keys = (ids.astype(str), np.where(np.isnan(scores), np.inf, -scores))  # the last key sorts first
    return np.asarray(np.lexsort(keys), dtype=np.int64)


def keepers(
    labels: NDArray[Any], hashes: NDArray[np.uint64], scores: Floats, ids: Strings, max_distance: int
) -> Ints:
    """For each row the index of the row that stands for it: itself, or a better look-alike. [N]

    labels: groups of look-alikes, connected by steps of at most `max_distance` bits. The ends of a long chain
    need not look alike: within a group the best row stands for all that are near to it, then the best of
    the others for those near to that one, and so on.
    """

    def near(rows: Ints, best: int) -> NDArray[np.bool_]:
        return hamming_distance(hashes[rows], hashes[[best]]) <= max_distance

    return keepers_by(labels, near, scores, ids)


def keepers_by(
    labels: NDArray[Any], near: Callable[[Ints, int], NDArray[np.bool_]], scores: Floats, ids: Strings
) -> Ints:
    """As `keepers`, where near(rows, best) says which of the rows look like the row `best`."""
    keeper = np.arange(len(labels), dtype=np.int64)
    order = best_first(scores, ids)
    by_group = order[np.argsort(labels[order], kind="stable")]  # best first within each group
    starts = np.flatnonzero(np.diff(labels[by_group], prepend=labels[by_group][:1] - 1)).tolist()
    for start, stop in itertools.pairwise([*starts, len(labels)]):
        left = by_group[start:stop]
        while len(left) > 1:
            alike = near(left, int(left[0]))
            alike[0] = True  # whatever the arithmetic says of a row and itself
            keeper[left[alike]] = left[0]
            left = left[~alike]
    return keeper


def hamming_distance(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Ints:
    """Number of differing bits, 0-64. [N], [N] -> [N]"""
    return np.asarray(np.bitwise_count(left ^ right), dtype=np.int64)


def equal_parts(sizes: Ints, num: int) -> Ints:
    """How many of each group make up `num`: equal parts, and what a small group cannot give the others share.

    sizes: [G] members of each group. What is left over after equal parts goes to the first groups, one each.
    """
    parts = np.zeros_like(sizes)
    left = min(num, int(sizes.sum()))
    while left > 0:
        open_groups = np.flatnonzero(parts < sizes)
        share = left // len(open_groups)
        if share == 0:
            parts[open_groups[:left]] += 1
            break
        given = np.minimum(sizes[open_groups] - parts[open_groups], share)
        parts[open_groups] += given
        left -= int(given.sum())
    return parts


@dataclass(frozen=True)
class Selection:
    """Which rows are selected, and the score of the last one taken from each row's group. [N]"""

    selected: NDArray[np.bool_]
    thresholds: Floats


def top(scores: Floats, ids: Strings, groups: Strings, num: int) -> Selection:
    """The `num` best, with an equal part for each group as far as the groups can give it. [N]"""
    names, members = np.unique(groups.astype(str), return_inverse=True)
    order = best_first(scores, ids)
    parts = equal_parts(np.bincount(members, minlength=len(names)).astype(np.int64), num)
    selected = np.zeros(len(scores), dtype=bool)
    last = np.full(len(names), np.nan)
    for group in range(len(names)):
        taken = order[members[order] == group][: parts[group]]
        selected[taken] = True
        if len(taken):
            last[group] = scores[taken[-1]]
    return Selection(selected, last[members])
