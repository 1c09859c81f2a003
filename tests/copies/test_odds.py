from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from photogenic.copies.odds import Odds, Pile, chance_of_one, odds_of_training


@pytest.mark.parametrize(("num", "num_drawn"), [(50, 7), (5, 2), (4, 4), (3000, 150), (3, 8)])
def test_the_chance_is_the_hypergeometric_one(num: int, num_drawn: int) -> None:
    num_wanted = np.unique(np.linspace(0, num, 9).astype(np.int64))
    expected = stats.hypergeom(num, num_wanted, min(num, num_drawn)).sf(0)
    np.testing.assert_allclose(chance_of_one(num_wanted, num, num_drawn), expected, atol=1e-9)


def vectors(seed: int, num: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, 6)).astype(np.float32)


def families(seed: int, num: int, prefix: str) -> Pile:
    """Concepts of five pictures each, which resemble one another."""
    centres = np.repeat(vectors(seed, num), 5, axis=0)
    names = [f"{prefix}{number // 5}" for number in range(5 * num)]
    return Pile((centres + 0.2 * vectors(seed + 50, 5 * num)).astype(np.float32), names)


TRAINING, HELD_OUT = families(0, 300, "t"), families(1, 40, "h")


def odds(drawn: np.ndarray, own: list[frozenset[str]]) -> Odds:
    return odds_of_training(drawn.astype(np.float32), TRAINING, HELD_OUT, own, seed=0)


def test_who_copies_nothing_is_as_near_to_either() -> None:
    found = odds(vectors(2, 400), [frozenset()] * 400)
    low, high = found.by_chance
    assert low < found.of_all == found.of_other_things < high
    assert low < 0.5 < high and high - low < 0.3


def test_the_range_holds_what_other_choices_give() -> None:
    """Of forty choices of what is held out, drawn at random, few may lie outside: 5 % of them on average."""
    whole = Pile(
        np.concatenate([TRAINING.vectors, HELD_OUT.vectors]), [*TRAINING.concepts, *HELD_OUT.concepts]
    )
    concepts, drawn = np.array(whole.concepts), vectors(2, 60)
    outside = 0
    for seed in range(40):
        chosen = np.random.default_rng(seed).choice(np.unique(concepts), 40, replace=False)
        is_held = np.isin(concepts, chosen)
        piles = [Pile(whole.vectors[rows], concepts[rows].tolist()) for rows in (~is_held, is_held)]
        found = odds_of_training(drawn, *piles, [frozenset()] * 60, seed=1000 + seed)
        outside += not found.by_chance[0] <= found.of_other_things <= found.by_chance[1]
    assert outside <= stats.binom(40, 0.05).ppf(0.999)


def test_what_the_prompt_names_counts_as_often_as_it_is_compared() -> None:
    drawn = TRAINING.vectors[:200:5]  # pictures of forty concepts, whose prompts name these
    found = odds(drawn, [frozenset({f"t{number}"}) for number in range(40)])
    rest = found.of_other_things
    assert found.of_all == pytest.approx(rest + (1 - rest) * 40 / 300, abs=0.01)  # 40 of 300 are compared


def test_who_is_drawn_to_training_pictures_in_general_is_found() -> None:
    training = Pile(TRAINING.vectors + np.float32(0.7), TRAINING.concepts)
    drawn = vectors(2, 60) + np.float32(0.7)
    found = odds_of_training(drawn, training, HELD_OUT, [frozenset()] * 60, seed=0)
    assert found.of_other_things > found.by_chance[1] + 0.1


def test_the_same_seed_gives_the_same_range() -> None:
    drawn, own = vectors(4, 10), [frozenset[str]()] * 10
    assert odds(drawn, own) == odds(drawn, own)
