from __future__ import annotations

import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photogenic.measures import duplicates
from photogenic.measures.duplicates import hamming, near_duplicate_groups


def by_hand(hashes: np.ndarray, max_distance: int) -> list[int]:
    """Connected components by comparing every pair."""
    labels = list(range(len(hashes)))
    for i, first in enumerate(hashes.tolist()):
        for j, second in enumerate(hashes.tolist()[:i]):
            if (first ^ second).bit_count() <= max_distance:
                old, new = max(labels[i], labels[j]), min(labels[i], labels[j])
                labels = [new if label == old else label for label in labels]
    return labels


def flipped(rng: np.random.Generator, hashes: np.ndarray, num_bits: int) -> np.ndarray:
    masks = [sum(1 << int(b) for b in rng.choice(64, num_bits, replace=False)) for _ in hashes]
    return hashes ^ np.array(masks, np.uint64)


def test_hamming_counts_differing_bits() -> None:
    assert int(hamming(0, 2**64 - 1)) == 64
    assert hamming(np.array([1, 3, 8], np.uint64), np.array([1, 0, 7], np.uint64)).tolist() == [0, 2, 4]


@pytest.mark.parametrize("max_distance", [0, 1, 3, 4, 6, 7, 9, 15])
def test_groups_equal_those_of_comparing_every_pair(max_distance: int) -> None:
    rng = np.random.default_rng(max_distance)
    seeds = rng.integers(0, 2**64, 40, np.uint64)
    family = [seeds] + [flipped(rng, rng.choice(seeds, 20), n) for n in range(10)]
    hashes = rng.permutation(np.concatenate(family))
    assert near_duplicate_groups(hashes, max_distance).tolist() == by_hand(hashes, max_distance)


@given(st.lists(st.integers(0, 2**10 - 1), max_size=30), st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_groups_of_crowded_hashes(values: list[int], max_distance: int) -> None:
    hashes = np.array(values, np.uint64)
    assert near_duplicate_groups(hashes, max_distance).tolist() == by_hand(hashes, max_distance)


@pytest.mark.parametrize("num_equal", [1, 2, 3, 5])
@pytest.mark.parametrize("max_distance", [1, 2, 6])
def test_however_the_bits_are_cut_the_groups_are_the_same(
    monkeypatch: pytest.MonkeyPatch, max_distance: int, num_equal: int
) -> None:
    rng = np.random.default_rng(num_equal)
    seeds = rng.integers(0, 2**64, 30, np.uint64)
    hashes = np.concatenate([seeds, *(flipped(rng, rng.choice(seeds, 20), n) for n in range(9))])
    monkeypatch.setattr(duplicates, "_cheapest", lambda *_: (0.0, num_equal))
    assert near_duplicate_groups(hashes, max_distance).tolist() == by_hand(hashes, max_distance)


@pytest.mark.parametrize("max_distance", [1, 2, 3])
def test_one_long_run_of_look_alikes(max_distance: int) -> None:
    """Every two of 32 bits set: few blocks tell them apart, and from 2 bits on they are all connected."""
    pairs = np.array([1 << i | 1 << j for i in range(32) for j in range(i)], np.uint64)
    alone = np.array([2**63 | 2**61 | 2**59 | 2**57], np.uint64)
    hashes = np.random.default_rng(0).permutation(np.concatenate([pairs, alone, alone << np.uint64(1)]))
    labels = near_duplicate_groups(hashes, max_distance)
    assert labels.tolist() == by_hand(hashes, max_distance)
    assert len(set(labels.tolist())) == (len(hashes) if max_distance == 1 else 3)


def test_the_expected_time_grows_far_slower_than_the_square() -> None:
    """By it the bits are cut: into more blocks for more hashes, and for hashes of fewer lively bits."""
    million, billion = duplicates.expected_seconds(1e6), duplicates.expected_seconds(1e9)
    assert 1 < million < 10 and 3_000 * million < billion < 30_000 * million
    assert duplicates.expected_seconds(1e6, 0) == 0
    assert duplicates.expected_seconds(1e6, 4) < million < duplicates.expected_seconds(1e6, 8)
    chosen = [duplicates._cheapest(num, 6, 64)[1] for num in (1e3, 1e6, 1e8, 1e10)]
    assert chosen == sorted(set(chosen))
    assert duplicates._cheapest(1e6, 6, 40)[1] > duplicates._cheapest(1e6, 6, 64)[1]


def test_entropy_tells_what_hashes_are_worth() -> None:
    """All 64 bits at random; half of them where the others are equal; less where each comes four times."""
    rng, bits = np.random.default_rng(0), np.arange(64)
    hashes, half, quarter = (rng.integers(0, 2**size, 50_000, np.uint64) for size in (64, 32, 16))
    assert duplicates._entropy(hashes, bits) == pytest.approx(64, abs=1)
    assert duplicates._entropy(half, bits) == pytest.approx(32, abs=1)
    fourfold = sum((quarter << np.uint64(shift) for shift in (16, 32, 48)), quarter)
    assert 16 <= duplicates._entropy(fourfold, rng.permutation(bits)) < 56
    assert duplicates._entropy(hashes[:1], bits) == 64


def test_labels_are_the_first_members() -> None:
    hashes = np.array([7, 2**40, 6, 2**63, 2**40 + 1], np.uint64)
    assert near_duplicate_groups(hashes, 1).tolist() == [0, 1, 0, 3, 1]
    assert near_duplicate_groups(np.array([], np.uint64)).tolist() == []


def test_senseless_distances_are_refused() -> None:
    for distance in (-1, 16, 64):
        with pytest.raises(ValueError):
            near_duplicate_groups(np.zeros(3, np.uint64), distance)


def test_many_equal_hashes_and_grey_pools_stay_within_memory() -> None:
    """100,000 blank pictures, and 30,000 whose 24 bits of chroma are all equal."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 2**40, 30_000, np.uint64) << np.uint64(24)
    hashes = np.concatenate([np.zeros(100_000, np.uint64), grey, flipped(rng, grey[:500], 3)])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    labels = near_duplicate_groups(hashes, 4)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 600_000
    assert (labels[:100_000] == 0).all()
    assert (labels[-500:] == labels[100_000:100_500]).mean() > 0.99
