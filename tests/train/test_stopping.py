"""The gate's choice: quality decides, within the margin of generality."""

from __future__ import annotations

from photogenic.train.stopping import GateRow, choose

BASE = GateRow(0, quality=3.0, generality=20.0)


def test_best_quality_within_the_margin() -> None:
    rows = [BASE, GateRow(10, 3.5, 20.5), GateRow(20, 4.0, 19.5), GateRow(30, 5.0, 15.0)]
    choice = choose(rows, max_generality_loss=0.05)
    assert choice.chosen_step == 20
    assert "1 lost more than 5% of it" in choice.sentence


def test_the_earliest_of_equals() -> None:
    rows = [BASE, GateRow(10, 4.0, 20.0), GateRow(20, 4.0, 21.0)]
    assert choose(rows, 0.05).chosen_step == 10


def test_base_when_all_forgot() -> None:
    rows = [BASE, GateRow(10, 4.0, 10.0)]
    choice = choose(rows, 0.05)
    assert choice.chosen_step == 0
    assert "all lost more than 5% of generality" in choice.sentence


def test_base_when_nothing_draws_better() -> None:
    assert choose([BASE, GateRow(10, 2.9, 20.0)], 0.05).chosen_step == 0


def test_without_a_clip_quality_decides_and_the_sentence_says_so() -> None:
    choice = choose([GateRow(0, 3.0, None), GateRow(10, 3.5, None)], 0.05)
    assert choice.chosen_step == 10
    assert "generality was not measured" in choice.sentence


def test_a_negative_clip_score_may_not_fall_far_either() -> None:
    rows = [GateRow(0, 3.0, -10.0), GateRow(10, 4.0, -12.0)]
    assert choose(rows, 0.1).chosen_step == 0
