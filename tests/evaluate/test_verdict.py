from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.core.statistics import bootstrap_interval, wilson_interval
from photogenic.evaluate.compare import Settings
from photogenic.evaluate.verdict import Contest, judge

from .raters_of_known_strength import CATEGORIES, cast, vote

QUICK = Settings(confidence=0.95, num_resamples=400, seed=0)


def pair(number: int, answers: str, **changes: str) -> list[Vote]:
    """One vote per letter: t(uned), b(ase) or = (tie); the sides alternate."""
    votes = []
    for rater, letter in enumerate(answers):
        tuned_left = (rater + number) % 2 == 0
        side = {"t": "left", "b": "right"}[letter] if letter != "=" else "tie"
        if not tuned_left and side != "tie":
            side = {"left": "right", "right": "left"}[side]
        sides = ("tuned", "base") if tuned_left else ("base", "tuned")
        votes.append(
            vote(
                vote_id=f"v{number}-{rater}",
                pair_id=f"p{number}",
                **{"prompt_id": f"f{number}", "prompt": "", **changes},
                left_model=sides[0],
                right_model=sides[1],
                answer=side,
                rater=f"r{rater}",
            )
        )
    return votes


def only_contest(votes: list[Vote], base: str | None = None) -> Contest:
    findings = judge(votes, base=base, settings=QUICK)
    return findings.panels[0].contests[0]


# Won 4, tied 1, lost 1; of 30 votes 18 for tuned, 4 ties, 8 for base.
WORKED = [
    *pair(0, "ttttt", category="Animals"),
    *pair(1, "tttbb", category="Animals"),
    *pair(2, "ttt=b", category="Food"),
    *pair(3, "tttt=", category="Food"),
    *pair(4, "tt=bb"),
    *pair(5, "bbb=t"),
]


def test_a_worked_example() -> None:
    contest = only_contest(WORKED)
    assert (contest.model, contest.against) == ("tuned", "base")
    assert (contest.pairs.wins, contest.pairs.ties, contest.pairs.losses) == (4, 1, 1)
    assert contest.net_win.mean == pytest.approx(3 / 6)
    assert contest.pairs.win_rate_without_ties == contest.win_rate.mean == pytest.approx(4 / 5)
    assert contest.pairs.win_rate_with_half_ties == pytest.approx(4.5 / 6)
    assert (contest.votes.wins, contest.votes.ties, contest.votes.losses) == (18, 4, 8)
    assert contest.vote_rate.mean == pytest.approx(18 / 26)
    assert contest.p_value == pytest.approx(binomtest(4, 5).pvalue)
    wilson = binomtest(4, 5).proportion_ci(method="wilson")
    assert contest.prompts.interval() == pytest.approx((wilson.low, wilson.high))
    assert contest.num_short == 0
    slices = contest.slices["category"]
    assert {name: one.prompts.wins for name, one in slices.items()} == {"Animals": 2, "Food": 2}
    assert "challenge" not in contest.slices


def test_agreement_by_hand() -> None:
    contest = only_contest(WORKED)
    agreeing = [10, 3 + 1, 3, 6, 1 + 1, 3]  # of the ten pairs of raters of each pair of pictures
    assert contest.agreement.num_pairs == 6
    assert contest.agreement.percent == pytest.approx(sum(agreeing) / 60)
    n, counts = 30, np.array([18, 4, 8])
    expected = 1 - np.sum(counts * (counts - 1)) / (n * (n - 1))
    assert contest.agreement.alpha == pytest.approx(1 - (1 - sum(agreeing) / 60) / expected)
    chance = np.sum(counts / 30 * (1 - counts / 30)) / 2
    assert contest.agreement.ac1 == pytest.approx((sum(agreeing) / 60 - chance) / (1 - chance))


def test_which_model_is_the_base() -> None:
    turned = only_contest(WORKED, base="tuned")
    assert (turned.model, turned.against) == ("base", "tuned")
    assert (turned.pairs.wins, turned.pairs.losses) == (1, 4)
    renamed = [
        replace(
            v,
            left_model=v.left_model.replace("base", "other"),
            right_model=v.right_model.replace("base", "other"),
        )
        for v in WORKED
    ]
    assert (only_contest(renamed).model, only_contest(renamed).against) == ("tuned", "other")
    with pytest.raises(RunError, match="No vote is about 'sdxl'"):
        judge(WORKED, base="sdxl")


def test_several_pairs_of_a_prompt_are_one_prompt() -> None:
    votes = [*pair(0, "ttt", prompt_id="f"), *pair(1, "ttt", prompt_id="f"), *pair(2, "bbb", prompt_id="f")]
    contest = only_contest([*votes, *pair(3, "bbb"), *pair(4, "tbb")])
    assert (contest.pairs.wins, contest.pairs.losses) == (2, 3)
    assert (contest.prompts.wins, contest.prompts.losses) == (1, 2)
    assert contest.p_value == pytest.approx(binomtest(1, 3).pvalue)


def test_raters_a_pair_are_what_was_told_or_else_what_is_usual() -> None:
    votes = [*pair(0, "tttb"), *pair(1, "ttbb"), *pair(2, "tt"), *pair(3, "b=")]
    usual = judge(votes, settings=QUICK).panels[0]
    assert (usual.raters_a_pair, usual.is_planned) == (4, False)  # as frequent as two, and larger
    [contest] = usual.contests
    assert (contest.pairs.wins, contest.pairs.ties, contest.pairs.losses) == (2, 2, 0)  # half is no majority
    assert contest.num_short == 2
    told = judge(votes, planned={"visual_appeal": 5}, settings=QUICK).panels[0]
    assert (told.raters_a_pair, told.is_planned, told.contests[0].num_short) == (5, True, 4)
    assert told.contests[0].pairs == contest.pairs
    assert not judge(votes, planned={"text_faithfulness": 3}, settings=QUICK).panels[0].is_planned


def test_models_that_vote_have_panels_of_their_own() -> None:
    people = cast({"base": 0.0, "tuned": 2.0}, num_prompts=30)
    models = cast({"base": 2.0, "tuned": 0.0}, num_prompts=30, kind="model")
    findings = judge([*people, *models], settings=QUICK)
    of_people, of_models = findings.panels
    assert (of_people.rater_kind, of_models.rater_kind) == ("person", "model")
    assert of_people.num_votes == of_models.num_votes == 150
    assert of_people.contests[0].net_win.low > 0 > of_models.contests[0].net_win.high
    alone = judge(people, settings=QUICK).panels[0]
    assert alone.contests == of_people.contests


def test_holm_over_categories_and_challenges() -> None:
    contest = only_contest(cast({"base": 0.0, "tuned": 0.8}, num_prompts=60))
    slices = [one for of in contest.slices.values() for one in of.values()]
    assert set(contest.slices["category"]) == set(CATEGORIES)
    assert len(slices) == 5
    smallest = min(slices, key=lambda one: one.prompts.p_value)
    assert smallest.p_value_holm == pytest.approx(5 * smallest.prompts.p_value)
    assert all(one.p_value_holm >= one.prompts.p_value for one in slices)


def test_flagged_raters_still_count() -> None:
    votes = cast({"base": 0.0, "tuned": 1.0}, num_prompts=30)
    hasty = [replace(v, seconds=0.2) if v.rater == "person 0" else v for v in votes]
    findings = judge(hasty, settings=QUICK)
    assert [rater.name for rater in findings.raters if rater.flags] == ["person 0"]
    contest, before = findings.panels[0].contests[0], only_contest(votes)
    assert contest.pairs == before.pairs == before.without_flagged
    alone = only_contest([v for v in votes if v.rater != "person 0"])
    assert contest.without_flagged == alone.pairs != contest.pairs


def test_a_lean_to_one_side_is_seen() -> None:
    votes = cast({"base": 0.0, "tuned": 0.0}, num_prompts=80)
    fair = judge(votes, settings=QUICK).panels[0].left_share
    assert fair.low < 0.5 < fair.high
    rng = np.random.default_rng(0)
    leaning = [replace(v, answer="left") if rng.random() < 0.3 else v for v in votes]
    assert judge(leaning, settings=QUICK).panels[0].left_share.low > 0.5


def test_few_votes_that_are_all_alike_are_not_certain() -> None:
    votes = [replace(v, answer="left") for n in range(3) for v in pair(n, "t")]
    assert judge(votes, settings=QUICK).panels[0].left_share.low < 0.5
    contest = only_contest([v for n in range(4) for v in pair(n, "ttt")])
    wilson = wilson_interval(4, 4)
    for one in (contest.win_rate, contest.vote_rate):
        assert (one.mean, one.low, one.high) == pytest.approx((1.0, *wilson))
    assert contest.net_win.low == pytest.approx(2 * wilson.low - 1)


def test_three_models_on_one_scale() -> None:
    panel = judge(cast({"base": 0.0, "sdxl": 0.3, "tuned": 1.5}, num_prompts=80), settings=QUICK).panels[0]
    assert panel.models == ["base", "sdxl", "tuned"]
    assert [(one.model, one.against) for one in panel.contests] == [
        ("sdxl", "base"),
        ("tuned", "base"),
        ("tuned", "sdxl"),
    ]
    assert panel.strengths is not None
    assert panel.strengths.rank_ranges()[2] == (1, 1)
    assert panel.contests[0].p_value_holm >= panel.contests[0].p_value
    assert judge(WORKED, settings=QUICK).panels[0].strengths is None


def test_one_that_never_lost_has_no_finite_strength() -> None:
    votes = cast({"base": 0.0, "sdxl": 0.0, "tuned": 30.0}, num_prompts=20)
    assert judge(votes, settings=QUICK).panels[0].strengths is None


def test_nothing_to_count() -> None:
    with pytest.raises(RunError, match="no vote to count"):
        judge([])
    with pytest.raises(RunError, match="no vote to count"):
        judge([vote(is_repeat=True)])


def test_intervals_hold_the_truth() -> None:
    """Five raters, prompts that differ: 2,000 simulations, 95 % intervals hold in 93 to 97 %.

    A prompt's chance that a rater prefers our model is drawn from Beta(3, 2), mean 0.6: the votes of one
    prompt depend on each other, and the majority's win rate is the integral of P(X >= 3 | p).
    """
    rng = np.random.default_rng(11)
    num_prompts = 100
    grid = np.linspace(0, 1, 20001)
    majority_rate = float(np.trapezoid(binom.sf(2, 5, grid) * beta.pdf(grid, 3, 2), grid))
    prompts = np.arange(num_prompts).tolist()
    wilson, clustered, unclustered = 0, 0, 0
    for _ in range(2000):
        votes = rng.binomial(5, rng.beta(3, 2, num_prompts))
        low, high = wilson_interval(int(np.sum(votes >= 3)), num_prompts)
        wilson += low <= majority_rate <= high
        low, high = bootstrap_interval(votes / 5, prompts, num_resamples=400, seed=int(rng.integers(2**31)))
        clustered += low <= 0.6 <= high
        low, high = wilson_interval(int(votes.sum()), 5 * num_prompts)
        unclustered += low <= 0.6 <= high
    assert 0.93 < wilson / 2000 < 0.97, wilson
    assert 0.93 < clustered / 2000 < 0.97, clustered
    assert unclustered / 2000 < 0.9  # what comes of taking votes of one prompt for independent ones
