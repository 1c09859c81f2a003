from __future__ import annotations

from photogenic.core.records import Vote
from photogenic.evaluate.counting import sort_votes
from photogenic.evaluate.raters import Rater, rate

from .raters_of_known_strength import vote


def one_rater(votes: list[Vote]) -> Rater:
    (rater,) = rate(sort_votes(votes))
    return rater


def pairs(num: int, **changes: object) -> list[Vote]:
    return [vote(vote_id=f"v{i}", pair_id=f"p{i}", prompt_id=f"f{i}", **changes) for i in range(num)]


def turned(votes: list[Vote]) -> list[Vote]:
    """The same choices with every second pair shown the other way round."""
    return [
        vote(
            vote_id=v.vote_id,
            pair_id=v.pair_id,
            prompt_id=v.prompt_id,
            left_model="base",
            right_model="tuned",
            answer="right",
            seconds=v.seconds,
        )
        if i % 2
        else v
        for i, v in enumerate(votes)
    ]


def test_a_careful_rater_has_no_flag() -> None:
    votes = turned(pairs(40, seconds=4.0))
    again = [vote(vote_id=f"r{i}", pair_id=f"p{i}", prompt_id=f"f{i}", is_repeat=True) for i in range(5)]
    rater = one_rater([*votes, *again])
    assert (rater.num_votes, rater.num_repeats, rater.num_consistent) == (40, 5, 5)
    assert (rater.num_left, rater.num_right, rater.median_s) == (20, 20, 4.0)
    assert rater.flags == ()


def test_a_failed_check_is_flagged() -> None:
    checks = [
        vote(
            vote_id=f"c{i}",
            pair_id=f"c{i}",
            is_attention_check=True,
            expected="left",
            answer="left" if i else "right",
        )
        for i in range(4)
    ]
    rater = one_rater([vote(), *checks])
    assert (rater.num_checks, rater.num_checks_passed) == (4, 3)
    assert rater.flags == ("failed 1 of 4 attention checks",)


def test_changing_answers_are_flagged() -> None:
    again = [
        vote(vote_id=f"r{i}", pair_id=f"p{i}", prompt_id=f"f{i}", is_repeat=True, answer="tie")
        for i in range(3)
    ]
    assert one_rater([*pairs(4), *again]).flags == ("answered 0 of 3 repeats as before",)
    assert one_rater([*pairs(4), *again[:2]]).flags == ()  # two say nothing


def test_a_repeat_on_the_other_side_is_the_same_answer() -> None:
    again = vote(vote_id="r", is_repeat=True, left_model="base", right_model="tuned", answer="right")
    assert one_rater([vote(), again]).num_consistent == 1


def test_a_repeat_without_its_first_answer_is_not_compared() -> None:
    assert one_rater([vote(), vote(vote_id="r", pair_id="p9", is_repeat=True)]).num_repeats == 0


def test_haste_is_flagged_in_people_only() -> None:
    assert one_rater(pairs(3, seconds=0.4)).flags == ("needs 0.4 s for a pair",)
    assert one_rater(pairs(3, seconds=0.4, rater_kind="model")).flags == ()


def test_one_side_only_is_flagged() -> None:
    assert one_rater(pairs(11)).flags == ("chose left 11 and right 0 times",)
    assert one_rater(pairs(10)).flags == ()  # p = 0.002
