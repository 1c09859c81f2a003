from __future__ import annotations

import numpy as np
import pytest

from photogenic.evaluate.copies import ROWS_AT_ONCE, Looks, nearest_needles


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_by_hash_when_there_is_no_embedding() -> None:
    needles = Looks(np.array([0b0, 0b1111, 0xFFFFFFFFFFFFFFFF], np.uint64), None)
    pictures = Looks(np.array([0b0111, 0xFFFFFFFFFFFFFFF0], np.uint64), None)
    nearest = nearest_needles(pictures, needles, max_bits=2, min_cosine=0.9)
    assert nearest.needle.tolist() == [1, 2]
    assert nearest.num_bits.tolist() == [1, 4]
    assert nearest.is_copy.tolist() == [True, False]
    assert np.isnan(nearest.cosine).all()


def test_a_near_copy_needs_both_signals() -> None:
    needles = Looks(np.array([0, 0], np.uint64), unit((1, 0), (0, 1)))
    same_hash_other_thing = Looks(np.array([0], np.uint64), unit((1, 1)))
    same_thing_other_hash = Looks(np.array([0xFFFF], np.uint64), unit((1, 0)))
    both = Looks(np.array([0b11], np.uint64), unit((0.05, 1)))
    limits = {"max_bits": 4, "min_cosine": 0.95}
    assert not nearest_needles(same_hash_other_thing, needles, **limits).is_copy[0]
    assert not nearest_needles(same_thing_other_hash, needles, **limits).is_copy[0]
    found = nearest_needles(both, needles, **limits)
    assert found.is_copy[0]
    assert found.needle[0] == 1
    assert found.cosine[0] == pytest.approx(1 / np.sqrt(1 + 0.05**2), abs=1e-6)


def test_a_near_copy_goes_before_a_needle_that_is_nearer_in_sum() -> None:
    # The first needle has the lesser sum (16 bits, cosine 1), only the second is within both limits.
    needles = Looks(np.array([0xFFFF, 0b11], np.uint64), unit((1, 0), (0.8, 0.6)))
    found = nearest_needles(
        Looks(np.array([0], np.uint64), unit((1, 0))), needles, max_bits=4, min_cosine=0.5
    )
    assert found.needle[0] == 1
    assert found.is_copy[0]


def test_many_pictures_go_through_in_parts() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 2 * ROWS_AT_ONCE + 5).astype(np.uint64)
    found = nearest_needles(Looks(hashes, None), Looks(hashes[::-1], None), max_bits=0, min_cosine=1.0)
    assert found.needle.tolist() == list(range(len(hashes)))[::-1]
    assert found.is_copy.all()


@pytest.mark.parametrize("cells", [2**23, 7 * 40])  # all at once, and seven rows at a time
def test_a_picture_is_no_copy_of_itself(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photogenic.evaluate.copies.CELLS_AT_ONCE", cells)
    hashes = np.random.default_rng(1).integers(0, 2**63, 40).astype(np.uint64)
    hashes[5] = hashes[9]  # a twin is one
    looks = Looks(hashes, None)
    found = nearest_needles(looks, looks, max_bits=3, min_cosine=1.0, itself=np.arange(40))
    assert np.flatnonzero(found.is_copy).tolist() == [5, 9]
    assert found.needle[[5, 9]].tolist() == [9, 5]
    assert not (found.needle == np.arange(40)).any()


def test_no_pictures_and_no_needles() -> None:
    none = Looks(np.empty(0, np.uint64), None)
    some = Looks(np.zeros(2, np.uint64), None)
    assert len(nearest_needles(none, some, max_bits=1, min_cosine=1.0).needle) == 0
    with pytest.raises(ValueError, match="no needles"):
        nearest_needles(some, none, max_bits=1, min_cosine=1.0)
