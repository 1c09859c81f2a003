"""Batches are a function of (seed, step), and no sample is dropped."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogenic.train.order import batch_indices, parts_of_batch, repeats


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 5))
def test_every_sample_is_seen_equally_often(num_samples: int, batch_size: int, seed: int) -> None:
    steps = num_samples  # batch_size whole epochs
    seen = Counter(i for step in range(steps) for i in batch_indices(seed, step, batch_size, num_samples))
    assert seen == dict.fromkeys(range(num_samples), batch_size)


@pytest.mark.parametrize("step", [0, 3, 17])
def test_a_step_does_not_depend_on_the_steps_before(step: int) -> None:
    assert np.array_equal(batch_indices(1, step, 8, 21), batch_indices(1, step, 8, 21))
    assert not np.array_equal(batch_indices(1, step, 8, 21), batch_indices(2, step, 8, 21))


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 5), st.integers(1, 3), st.integers(1, 7))
def test_no_two_places_of_a_batch_are_the_same_draw(
    num_samples: int, batch_size: int, step: int, size: int, micro: int
) -> None:
    """A set smaller than the batch is gone through again, and each time is another draw of noise."""
    batch_size = max(batch_size, num_samples, size)
    indices, again = batch_indices(0, step, batch_size, num_samples), repeats(step, batch_size, num_samples)
    parts = [
        part for rank in range(size) for part in parts_of_batch(indices, rank, size, micro, repeats=again)
    ]
    drawn = [pair for part in parts for pair in zip(part.indices, part.repeats, strict=True)]
    assert len(drawn) == batch_size
    if batch_size > num_samples:
        assert len(set(drawn)) == batch_size
    else:
        assert not again.any()
