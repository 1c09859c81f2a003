"""Decide over the whole set: the best of each group of near-duplicates, the best of each concept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[Any]  # sample_ids, or numbers of the same order


def best_first(scores: Floats, ids: Ids) -> Ints:
    """Indices, best score first; equal scores in the order of their ids, what was not measured last. [N]"""
    ids = ids.astype(str) if ids.dtype == object else ids
    return np.asarray(np.lexsort((ids, _ascending(scores))), dtype=np.int64)  # the last key sorts first


def _ascending(scores: Floats) -> Floats:
    return np.where(np.isnan(scores), np.inf, -scores)


def keepers(
    labels: NDArray[Any], hashes: NDArray[np.uint64], scores: Floats, ids: Ids, max_distance: int
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
    labels: NDArray[Any], near: Callable[[Ints, int], NDArray[np.bool_]], scores: Floats, ids: Ids
) -> Ints:
    """As `keepers`, where near(rows, best) says which of the rows look like the row `best`."""
    keeper = np.arange(len(labels), dtype=np.int64)
    order = best_first(scores, ids)
    by_group = order[np.argsort(labels[order], kind="stable")]  # best first within each group
    starts = np.flatnonzero(np.diff(labels[by_group], prepend=labels[by_group][:1] - 1))
    stops = np.append(starts[1:], len(labels))
    has_others = stops - starts > 1  # of a million groups most are one picture
    for start, stop in zip(starts[has_others].tolist(), stops[has_others].tolist(), strict=True):
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


def top(scores: Floats, ids: Ids, groups: NDArray[Any], num: int) -> Selection:
    """The `num` best, with an equal part for each group as far as the groups can give it. [N]

    groups: names or numbers; what cannot be shared out goes to the first of them in order.
    """
    groups = groups.astype(str) if groups.dtype == object else groups
    names, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members, minlength=len(names)).astype(np.int64)
    by_group = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
    selected = np.zeros(len(scores), dtype=bool)
    last = np.full(len(names), np.nan)
    for group, part in enumerate(equal_parts(sizes, num).tolist()):
        taken = _best(by_group[group], scores, ids, part)
        selected[taken] = True
        if len(taken):
            last[group] = scores[taken[-1]]
    return Selection(selected, last[members])


def _best(rows: Ints, scores: Floats, ids: Ids, num: int) -> Ints:
    """The `num` best of `rows`, best first; only those that may be among them are sorted."""
    if 0 < num < len(rows):
        ranks = _ascending(scores[rows])
        rows = rows[ranks <= np.partition(ranks, num - 1)[num - 1]]
    return rows[best_first(scores[rows], ids[rows])][:num]
