"""Pairs: blind, in an order of chance, with repeats behind their pairs and sides thrown for each rater."""

from __future__ import annotations

from typing import Any

import pytest

from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.pairs import MIN_GAP, arrange, build_pairs, left_first, num_checks, pair_id_for


def rows(num: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "prompt_id": f"p{n}",
            "prompt": f"prompt {n}",
            "category": "",
            "challenge": None,
            "seed": n,
            "file": f"{n}.png",
        }
        | changes
        for n in range(num)
    ]


def test_pairs_are_of_one_prompt_and_seed_and_hide_the_model_in_their_order() -> None:
    pairs = build_pairs({"base": rows(200), "tuned": rows(200)[:-1]}, VotingConfig(), seed=1)
    assert len(pairs) == 199 and len({pair.pair_id for pair in pairs}) == 199
    for pair in pairs:
        assert {picture.split("/")[1] for picture in pair.pictures} == {f"{pair.prompt_id[1:]}.png"}
        assert [picture.split("/")[0] for picture in pair.pictures] == list(pair.models)
        assert "base" not in pair.pair_id and "tuned" not in pair.pair_id
    firsts = sum(pair.models[0] == "base" for pair in pairs)
    assert 70 < firsts < 130  # a fair coin: outside once in 60,000
    assert [pair.prompt_id for pair in pairs] != [f"p{n}" for n in range(199)]
    assert pairs == build_pairs({"tuned": rows(200)[:-1], "base": rows(200)}, VotingConfig(), seed=1)
    assert pair_id_for("a", "b", "p", 1) == pair_id_for("b", "a", "p", 1)


def test_three_models_meet_two_by_two_and_max_pairs_is_of_each_two() -> None:
    drawn = {name: rows(20) for name in ("a", "b", "c")}
    pairs = build_pairs(drawn, VotingConfig(max_pairs=5), seed=0)
    assert len(pairs) == 15
    assert {frozenset(pair.models) for pair in pairs} == {
        frozenset("ab"),
        frozenset("ac"),
        frozenset("bc"),
    }


@pytest.mark.parametrize("seed", range(5))
def test_repeats_come_later_than_their_pairs(seed: int) -> None:
    pairs = build_pairs({"a": rows(100), "b": rows(100)}, VotingConfig(), seed=seed)
    order = arrange(pairs, [], VotingConfig(repeat_ratio=0.1), seed=seed)
    repeats = [place for place, one in enumerate(order) if one.purpose == "repeat"]
    assert len(repeats) == 10 and len(order) == 110
    for place in repeats:
        first = next(at for at, one in enumerate(order) if one.pair_id == order[place].pair_id)
        assert order[first].is_pair and place - first > MIN_GAP


def test_few_pairs_are_repeated_as_late_as_there_is_room() -> None:
    pairs = build_pairs({"a": rows(4), "b": rows(4)}, VotingConfig(), seed=0)
    order = arrange(pairs, [], VotingConfig(repeat_ratio=0.5), seed=0)
    assert [one.purpose for one in order] == ["pair"] * 4 + ["repeat"] * 2


@pytest.mark.parametrize(
    ("pairs", "ratio", "wanted"), [(100, 0.03, 3), (5, 0.03, 1), (5, 0.0, 0), (0, 0.1, 0)]
)
def test_there_is_at_least_one_check_where_any_is_asked_for(pairs: int, ratio: float, wanted: int) -> None:
    assert num_checks(pairs, VotingConfig(check_ratio=ratio)) == wanted


def test_sides_are_a_coin_for_each_rater_and_showing() -> None:
    throws = [left_first("secret", f"item{i}", f"person{p}") for i in range(100) for p in range(10)]
    assert 430 < sum(throws) < 570  # 4.4 standard deviations
    assert throws == [left_first("secret", f"item{i}", f"person{p}") for i in range(100) for p in range(10)]
    assert throws != [left_first("other", f"item{i}", f"person{p}") for i in range(100) for p in range(10)]
