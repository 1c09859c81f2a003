import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogenic.curate import lookalikes
from photogenic.curate.lookalikes import look_alikes
from photogenic.curate.select import best_first, equal_parts, hamming_distance, keepers, top


def strings(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def test_best_first_breaks_ties_by_id_and_puts_the_unmeasured_last() -> None:
    scores = np.array([0.5, np.nan, 0.9, 0.5])
    assert best_first(scores, strings("d", "a", "b", "c")).tolist() == [2, 3, 0, 1]


def test_the_best_stands_for_its_group() -> None:
    labels = np.array([7, 7, 3, 7, 3, 9])
    hashes = np.array([1, 1, 2, 1, 2, 5], dtype=np.uint64)
    scores = np.array([0.1, 0.9, 0.5, 0.9, np.nan, 0.3])
    ids = strings("a", "c", "b", "b2", "e", "f")
    assert keepers(labels, hashes, scores, ids, 4).tolist() == [3, 3, 2, 3, 2, 5]


def test_nobody_is_dropped_for_one_that_does_not_look_alike() -> None:
    hashes = np.array([0b0, 0b11, 0b1111, 0b111111], dtype=np.uint64)  # a chain of steps of two bits
    labels = np.zeros(4, dtype=np.int64)
    best_at_an_end = keepers(labels, hashes, np.array([4.0, 3.0, 2.0, 1.0]), strings(*"abcd"), 2)
    assert best_at_an_end.tolist() == [0, 0, 2, 2]
    best_in_the_middle = keepers(labels, hashes, np.array([1.0, 4.0, 3.0, 2.0]), strings(*"abcd"), 2)
    assert best_in_the_middle.tolist() == [1, 1, 1, 3]


def test_keepers_of_nothing() -> None:
    nothing = np.zeros(0)
    assert keepers(nothing.astype(int), nothing.astype(np.uint64), nothing, strings(), 2).tolist() == []


def test_hamming_distance() -> None:
    left = np.array([0, 2**64 - 1, 0b1011], dtype=np.uint64)
    right = np.array([0, 0, 0b0010], dtype=np.uint64)
    assert hamming_distance(left, right).tolist() == [0, 64, 2]


def test_equal_parts_share_what_small_groups_cannot_give() -> None:
    assert equal_parts(np.array([100, 100, 100]), 30).tolist() == [10, 10, 10]
    assert equal_parts(np.array([2, 100, 100]), 30).tolist() == [2, 14, 14]
    assert equal_parts(np.array([1, 3, 100]), 9).tolist() == [1, 3, 5]
    assert equal_parts(np.array([5, 5, 5]), 4).tolist() == [2, 1, 1]
    assert equal_parts(np.array([2, 3]), 99).tolist() == [2, 3]
    assert equal_parts(np.array([0, 3]), 2).tolist() == [0, 2]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 400))
def test_equal_parts_are_as_equal_as_can_be(sizes: list[int], num: int) -> None:
    parts = equal_parts(np.array(sizes), num)
    assert parts.sum() == min(num, sum(sizes))
    assert (parts <= sizes).all() and (parts >= 0).all()
    unfilled = [part for part, size in zip(parts, sizes, strict=True) if part < size]
    if unfilled:  # nobody got more than one over those who could have given more
        assert max(parts) <= min(unfilled) + 1


def test_top_takes_the_best_of_each_group_and_tells_the_last_score_taken() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    groups = strings("cats", "cats", "cats", "dogs", "dogs")
    selection = top(scores, strings(*"abcde"), groups, 3)
    assert selection.selected.tolist() == [True, True, False, True, False]
    assert selection.thresholds.tolist() == [0.8, 0.8, 0.8, 0.2, 0.2]
    everyone = top(scores, strings(*"abcde"), groups, 3).selected
    without_groups = top(scores, strings(*"abcde"), strings(*[""] * 5), 3).selected
    assert everyone.sum() == without_groups.sum() == 3
    assert without_groups.tolist() == [True, True, True, False, False]


def test_cosines_are_those_with_whoever_stands_for_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = np.array([0.0, 0.1, 0.2, 0.3, 2.0, 2.05, 4.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    scores, ids = np.array([1.0, 4.0, 3.0, 2.0, 1.0, 2.0, 1.0]), np.arange(7, dtype=np.uint64)
    keeper, cosines = look_alikes(vectors, scores, ids, float(np.cos(0.12)))
    assert keeper.tolist() == [1, 1, 1, 3, 5, 5, 6], "the chain's end is not like its best"
    assert cosines.tolist() == pytest.approx(np.cos(angles - angles[keeper]).tolist(), abs=1e-6)
    monkeypatch.setattr(lookalikes, "BLOCK_ROWS", 3)
    assert look_alikes(vectors, scores, ids, float(np.cos(0.12)))[1].tolist() == cosines.tolist()
