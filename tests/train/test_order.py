"""Batches are a function of (seed, step), and no sample is dropped."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogenic.train.order import batch_indices


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 5))
def test_every_sample_is_seen_equally_often(num_samples: int, batch_size: int, seed: int) -> None:
    steps = num_samples  # batch_size whole epochs
    seen = Counter(i for step in range(steps) for i in batch_indices(seed, step, batch_size, num_samples))
    assert seen == dict.fromkeys(range(num_samples), batch_size)


@pytest.mark.parametrize("step", [0, 3, 17])
def test_a_step_does_not_depend_on_the_steps_before(step: int) -> None:
    assert np.array_equal(batch_indices(1, step, 8, 21), batch_indices(1, step, 8, 21))
    assert not np.array_equal(batch_indices(1, step, 8, 21), batch_indices(2, step, 8, 21))
