from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.evaluate.counting import outcomes, sort_votes

from .raters_of_known_strength import cast, vote


def answers(given: Sequence[str], question: str = "visual_appeal") -> list[Vote]:
    """One pair; `tuned` is always left."""
    return [
        vote(vote_id=f"v{i}", rater=f"r{i}", answer=answer, question=question)
        for i, answer in enumerate(given)
    ]


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (["left", "left", "left", "right", "right"], 1),
        (["right", "right", "right", "tie", "left"], -1),
        (["left", "left", "right", "right", "tie"], 0),
        (["left", "left", "right", "tie", "tie"], 0),  # most frequent is not most of all
        (["left", "left", "right", "right"], 0),
        (["left", "left", "left", "right"], 1),
        (["left", "left", "tie", "right"], 0),  # half of an even number is not more than half
        (["right", "right"], -1),
        (["left", "tie"], 0),
        (["left"], 1),
    ],
)
def test_majority_of_any_number(given: list[str], result: int) -> None:
    assert [one.result for one in outcomes(answers(given), "tuned")] == [result]
    assert [one.result for one in outcomes(answers(given), "base")] == [-result]


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (["left", "left", "both"], 1),
        (["both", "neither", "left"], 0),
        (["left", "right", "both"], 0),
        (["neither", "right", "right"], -1),
    ],
)
def test_both_and_neither_are_ties(given: list[str], result: int) -> None:
    assert [one.result for one in outcomes(answers(given, "text_faithfulness"), "tuned")] == [result]


def test_a_model_may_be_called_tie() -> None:
    votes = [vote(vote_id=f"v{i}", rater=f"r{i}", left_model="tie", right_model="other") for i in range(3)]
    assert outcomes(votes, "tie")[0].result == 1
    assert outcomes(votes, "other")[0].result == -1


def test_sides_do_not_matter() -> None:
    votes = cast({"base": 0.0, "tuned": 1.0}, num_prompts=20)
    mirror = {"left": "right", "right": "left", "tie": "tie"}
    turned = [
        replace(v, left_model=v.right_model, right_model=v.left_model, answer=mirror[v.answer]) for v in votes
    ]
    assert [one.result for one in outcomes(votes, "tuned")] == [
        one.result for one in outcomes(turned, "tuned")
    ]


def test_doubles_are_ignored() -> None:
    again = vote(vote_id="v2", left_model="base", right_model="tuned", answer="right")  # the same, turned
    ballots = sort_votes([vote(), vote(), vote(seconds=3.0), again])
    assert len(ballots.counted) == 1
    assert ballots.num_doubles == 3


def test_one_pair_two_questions_two_raters() -> None:
    votes = [
        vote(),
        vote(vote_id="v2", question="text_faithfulness", answer="both"),
        vote(vote_id="v3", rater="bob", answer="right"),
    ]
    assert len(sort_votes(votes).counted) == 3


def test_repeats_and_checks_do_not_count() -> None:
    check = vote(vote_id="c", pair_id="c", is_attention_check=True, expected="left", right_model="spoiled")
    repeat = vote(vote_id="r", is_repeat=True, answer="right")
    ballots = sort_votes([check, repeat, vote()])
    assert (list(ballots.counted), list(ballots.repeats), list(ballots.attention_checks)) == (
        [vote()],
        [repeat],
        [check],
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (vote(vote_id="v2", answer="right"), "Rater 'ann' gave two different answers to the pair 'p1'"),
        (vote(answer="right"), "Vote 'v1' is there twice with different content"),
        (vote(rater="bob"), "Vote 'v1' is there twice with different content"),
        (
            vote(vote_id="v2", pair_id="p2", rater_kind="model"),
            "Rater 'ann' is once a person and once a model: votes 'v1' and 'v2'",
        ),
        (vote(vote_id="v2", rater="bob", right_model="sdxl"), "Pair 'p1' is once of base and tuned"),
        (vote(vote_id="v2", rater="bob", prompt_id="cat"), "Pair 'p1' is of prompts fox and cat"),
        (
            vote(vote_id="v2", pair_id="p2", prompt="a cat"),
            "Prompt 'fox' has the text 'a red fox' and 'a cat'",
        ),
        (vote(vote_id="v2", pair_id="p2", category="Animals"), "the category '' and 'Animals'"),
    ],
)
def test_contradictions_are_named(other: Vote, said: str) -> None:
    with pytest.raises(RunError) as caught:
        sort_votes([vote(), other])
    assert said in str(caught.value)
    with pytest.raises(RunError, match="v1"):
        sort_votes([other, vote()])


def test_the_order_of_rows_changes_nothing() -> None:
    votes = cast({"base": 0.0, "tuned": 0.5}, num_prompts=10)
    shuffled = [votes[i] for i in np.random.default_rng(0).permutation(len(votes))]
    assert sort_votes(shuffled) == sort_votes(votes)
