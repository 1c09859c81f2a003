"""Which samples make up a step: a pure function of (seed, step), so a resumed run sees the same ones."""

from __future__ import annotations

from functools import lru_cache

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
