"""The order of a round: every row once, and where each kind of row stands."""

from __future__ import annotations

import numpy as np
import pytest

from photogenic.review.arrange import BLOCK, arrange


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("order", ["shuffled", "taste", "manifest"])
def test_every_row_once_whatever_the_wishes(order: str) -> None:
    num = 2 * BLOCK + 37
    rows = arrange(
        num,
        order=order,
        rng=rng(),
        taste=rng(1).random(num),
        groups=[str(i % 7) for i in range(num)],
        duplicates=np.arange(num) // 3,
    )
    assert sorted(rows) == list(range(num))
    again = arrange(num, order="shuffled", rng=rng())
    assert (again == arrange(num, order="shuffled", rng=rng())).all()
    assert (again != np.arange(num)).any()


def test_by_taste_the_likeliest_come_first_but_for_a_random_tenth() -> None:
    taste = rng(1).random(1000)
    rows = arrange(1000, order="taste", rng=rng(), taste=taste, random_ratio=0.1)
    descending = np.argsort(-taste)
    # The nine tenths that are ranked stand in falling order; the others are spread over the whole queue.
    steps = np.diff(taste[rows]) > 0
    assert 90 <= steps.sum() <= 110
    rank = np.empty(1000, int)
    rank[descending] = np.arange(1000)
    far = np.abs(rank[rows] - np.arange(1000)) > 150
    places = np.flatnonzero(far)
    assert 50 <= len(places) <= 100
    assert places.min() < 150 and places.max() > 850
    assert (arrange(1000, order="taste", rng=rng(), taste=taste, random_ratio=0.0) == descending).all()


def test_without_a_taste_its_order_is_a_shuffle() -> None:
    assert (arrange(50, order="taste", rng=rng()) == arrange(50, order="shuffled", rng=rng())).all()


def test_groups_take_turns_within_each_block() -> None:
    num = 2 * BLOCK
    groups = ["rare" if i < 40 else "common" for i in range(num)]
    rows = arrange(num, order="manifest", rng=rng(), groups=groups)
    assert [groups[row] for row in rows[:80]] == ["rare", "common"] * 40
    assert set(rows[:BLOCK]) == set(range(BLOCK)), "a block keeps its rows"


def test_near_duplicates_stand_side_by_side_where_the_first_is() -> None:
    labels = np.array([0, 1, 2, 0, 3, 2, 4, 0])
    rows = arrange(8, order="manifest", rng=rng(), duplicates=labels)
    assert rows.tolist() == [0, 3, 7, 1, 2, 5, 4, 6]
    shuffled = arrange(8, order="shuffled", rng=rng(3), duplicates=labels)
    for label in (0, 2):
        places = np.flatnonzero(labels[shuffled] == label)
        assert (np.diff(places) == 1).all()
