"""Which samples make up a step: a pure function of (seed, step), so a resumed run sees the same ones."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from photogenic.core.run import seed_for


@lru_cache(maxsize=4)
def epoch_order(seed: int, epoch: int, num_samples: int) -> np.ndarray:
    """The permutation of an epoch, int64 [num_samples]."""
    return np.random.default_rng(seed_for("order", seed, epoch)).permutation(num_samples)


def batch_indices(seed: int, global_step: int, batch_size: int, num_samples: int) -> np.ndarray:
    """Indices of the batch at `global_step`, int64 [batch_size].

    Epochs are joined end to end: no sample is ever dropped, however small the set. A set smaller than the
    batch appears more than once in it.
    """
    first = global_step * batch_size
    positions = np.arange(first, first + batch_size)
    epochs, places = positions // num_samples, positions % num_samples
    return np.array([epoch_order(seed, int(e), num_samples)[p] for e, p in zip(epochs, places, strict=True)])


def repeats(global_step: int, batch_size: int, num_samples: int) -> np.ndarray:
    """Which time each sample of a batch comes in it, counted in epochs from 0, int64 [batch_size].

    So a sample that comes again in one step gets other noise, or a batch would be no larger than the set.
    Where the set is not smaller than the batch it is 0: there a sample comes twice only where an epoch ends.
    """
    if batch_size <= num_samples:
        return np.zeros(batch_size, np.int64)
    epochs = (global_step * batch_size + np.arange(batch_size)) // num_samples
    return epochs - epochs[0]


def mark_of_repeats(batch_size: int, num_samples: int) -> list[str]:
    """What keys count where `repeats` are not all 0: such trainings once had one noise for all of them."""
    return ["repeats"] if batch_size > num_samples else []


class Part(NamedTuple):
    """Samples that share a forward pass."""

    indices: np.ndarray
    repeats: np.ndarray  # which time each of them comes in the batch
    share: float  # of the global batch


def parts_of_batch(
    indices: np.ndarray,
    rank: int,
    size: int,
    micro_batch_size: int,
    *,
    groups: np.ndarray | None = None,
    evenly: bool = False,
    repeats: np.ndarray | None = None,
) -> list[Part]:
    """What one of `size` processes computes of a global batch, in parts of at most `micro_batch_size`.

    Args:
        groups: of all samples; those of one group have one shape, and only they share a part. The batch is
            then dealt out sorted by group, so that a process meets few of them.
        evenly: all processes get equally many parts, as they must where they compute together: what one lacks
            is filled by a sample of its own that counts nothing.
        repeats: of the batch; by default all come once.
    """
    again = np.zeros(len(indices), np.int64) if repeats is None else repeats
    of_batch = None if groups is None else groups[indices]
    cut = [_cut(own, micro_batch_size, of_batch) for own in _dealt(len(indices), size, of_batch)]
    mine = [Part(indices[places], again[places], len(places) / len(indices)) for places in cut[rank]]
    missing = max(map(len, cut)) - len(mine) if evenly else 0
    return mine + [Part(part.indices[:1], part.repeats[:1], 0.0) for part in mine[:1]] * missing


def _dealt(count: int, size: int, groups: np.ndarray | None) -> list[np.ndarray]:
    """Places in the batch, for each process."""
    if groups is None:
        return [np.arange(rank, count, size) for rank in range(size)]
    return np.array_split(np.argsort(groups, kind="stable"), size)


def _cut(own: np.ndarray, micro_batch_size: int, groups: np.ndarray | None) -> list[np.ndarray]:
    runs = [own]
    if groups is not None:
        runs = np.split(own, np.flatnonzero(np.diff(groups[own])) + 1)
    return [run[at : at + micro_batch_size] for run in runs for at in range(0, len(run), micro_batch_size)]
