"""What the raters say of the models, rebuilt from their votes alone.

People and models that vote never meet in one number: each kind of rater has panels of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from photogenic.core.agreement import gwet_ac1, krippendorff_alpha, percent_agreement
from photogenic.core.errors import RunError
from photogenic.core.preference import Strengths, bradley_terry
from photogenic.core.records import Vote
from photogenic.core.statistics import Tally, holm, tally
from photogenic.evaluate.compare import Estimate, Settings, net_estimate, per_prompt, share_estimate
from photogenic.evaluate.counting import Ballots, Outcome, choice, outcomes, sort_votes, usual_raters
from photogenic.evaluate.raters import Rater, rate
from photogenic.evaluate.votes import ANSWERS, RATER_KINDS, votes_fingerprint

SETTINGS = Settings(confidence=0.95, num_resamples=2000, seed=0)


@dataclass(frozen=True)
class Slice:
    """The prompts of one category or challenge."""

    prompts: Tally
    p_value_holm: float  # over all categories and challenges of the contest


@dataclass(frozen=True)
class Agreement:
    """How far the raters of a pair agree; NaN where that cannot be told."""

    num_pairs: int  # with two votes or more
    percent: float
    alpha: float  # Krippendorff's
    ac1: float  # Gwet's


@dataclass(frozen=True)
class Contest:
    """One model against another, one question, one kind of rater. A win is a win of `model`."""

    model: str
    against: str
    outcomes: Sequence[Outcome]
    pairs: Tally  # after majority
    prompts: Tally  # the same, a prompt of several pairs going to who won more of them
    net_win: Estimate  # (wins - losses) / pairs
    win_rate: Estimate  # wins / (wins + losses) of pairs
    votes: Tally  # single votes, before majority
    vote_rate: Estimate  # preferring `model`, of the votes that have a preference
    p_value: float  # exact sign test over prompts
    p_value_holm: float  # for all contests of the panel
    slices: Mapping[str, Mapping[str, Slice]]  # category|challenge -> its value
    agreement: Agreement
    without_flagged: Tally  # pairs, had the flagged raters not voted
    num_short: int  # pairs with fewer votes than `Panel.raters_a_pair`


@dataclass(frozen=True)
class Panel:
    """All contests in which one kind of rater answered one question."""

    rater_kind: str
    question: str
    num_raters: int
    num_votes: int
    num_prompts: int
    raters_a_pair: int  # as planned; where nobody told, as most pairs have
    is_planned: bool  # whether somebody told
    contests: Sequence[Contest]
    left_share: Estimate  # left of left and right; 1/2 where raters do not look at the side
    models: Sequence[str]
    strengths: Strengths | None  # in the order of `models`; None with fewer than three, or where none exist


@dataclass(frozen=True)
class Findings:
    """Everything that the page and the JSON tell."""

    panels: Sequence[Panel]
    raters: Sequence[Rater]
    ballots: Ballots
    settings: Settings
    fingerprint: str


def judge(
    votes: Sequence[Vote],
    *,
    base: str | None = None,
    planned: Mapping[str, int] | None = None,
    settings: Settings = SETTINGS,
) -> Findings:
    """Count the votes and compare the models two by two.

    Args:
        base: the model that the others are held against; None takes the one that is called "base", if any.
        planned: question -> how many raters each pair was to have; by default what most pairs have.

    Raises:
        RunError: no vote counts, the votes contradict each other, or none is about `base`.
    """
    ballots = sort_votes(votes)
    if not ballots.counted:
        raise RunError(
            "There is no vote to count.", "Repeats and attention checks alone say nothing of models."
        )
    models = {model for vote in ballots.counted for model in (vote.left_model, vote.right_model)}
    if base is not None and base not in models:
        raise RunError(f"No vote is about {base!r}.", f"The votes are about {', '.join(sorted(models))}.")
    raters = rate(ballots)
    flagged = frozenset(rater.name for rater in raters if rater.flags)
    panels = [
        _panel(cast, base or "base", (planned or {}).get(question), flagged, settings)
        for kind in RATER_KINDS
        for question in ANSWERS
        if (cast := [v for v in ballots.counted if (v.rater_kind, v.question) == (kind, question)])
    ]
    return Findings(panels, raters, ballots, settings, votes_fingerprint(votes))


def _panel(
    votes: Sequence[Vote], base: str, planned: int | None, flagged: frozenset[str], settings: Settings
) -> Panel:
    """Of votes of one kind of rater on one question."""
    of_two: dict[frozenset[str], list[Vote]] = defaultdict(list)
    for vote in votes:
        of_two[frozenset((vote.left_model, vote.right_model))].append(vote)
    models = sorted(set().union(*of_two), key=lambda model: (model != base, model))
    contests = [
        _contest(model, against, of_two[frozenset((model, against))], flagged, settings)
        for against, model in combinations(models, 2)
        if frozenset((model, against)) in of_two
    ]
    raters_a_pair = planned or usual_raters(one for contest in contests for one in contest.outcomes)
    adjusted = holm([contest.p_value for contest in contests])
    contests = [
        replace(one, p_value_holm=float(p), num_short=_num_short(one, raters_a_pair))
        for one, p in zip(contests, adjusted, strict=True)
    ]
    sided = [vote for vote in votes if vote.preferred is not None]
    lefts = np.array([vote.answer == "left" for vote in sided], np.float64)
    return Panel(
        rater_kind=votes[0].rater_kind,
        question=votes[0].question,
        num_raters=len({vote.rater for vote in votes}),
        num_votes=len(votes),
        num_prompts=len({vote.prompt_id for vote in votes}),
        raters_a_pair=raters_a_pair,
        is_planned=planned is not None,
        contests=contests,
        left_share=share_estimate(lefts, [vote.prompt_id for vote in sided], settings),
        models=models,
        strengths=_strengths(models, contests) if len(models) > 2 else None,
    )


def _contest(
    model: str, against: str, votes: Sequence[Vote], flagged: frozenset[str], settings: Settings
) -> Contest:
    found = outcomes(votes, model)
    results = np.array([one.result for one in found], np.float64)
    prompt_ids = [one.prompt_id for one in found]
    prompts = tally(per_prompt(results, prompt_ids))
    singles = np.array([_sign(vote, model) for vote in votes], np.float64)
    voted_on = [vote.prompt_id for vote in votes]
    return Contest(
        model=model,
        against=against,
        outcomes=found,
        pairs=tally(results),
        prompts=prompts,
        net_win=net_estimate(results, prompt_ids, settings),
        win_rate=share_estimate(_decided(results), prompt_ids, settings),
        votes=tally(singles),
        vote_rate=share_estimate(_decided(singles), voted_on, settings),
        p_value=prompts.p_value,
        p_value_holm=prompts.p_value,
        slices=_slices(found),
        agreement=_agreement(found, model, against),
        without_flagged=tally(
            [one.result for one in outcomes((v for v in votes if v.rater not in flagged), model)]
        ),
        num_short=0,  # until it is known how many raters a pair of the panel has
    )


def _num_short(contest: Contest, raters_a_pair: int) -> int:
    return sum(len(one.votes) < raters_a_pair for one in contest.outcomes)


def _sign(vote: Vote, model: str) -> int:
    return 0 if vote.preferred is None else 1 if vote.preferred == model else -1


def _decided(
    results: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 for a win, 0 for a loss; a tie is unknown (NaN), and left out of the mean."""
    return np.where(results == 0, np.nan, (results + 1) / 2)


def _slices(found: Sequence[Outcome]) -> dict[str, dict[str, Slice]]:
    tallies: dict[tuple[str, str], Tally] = {}
    for column in ("category", "challenge"):
        values = [getattr(one.votes[0], column) for one in found]
        for value in sorted({value for value in values if value}):
            chosen = [one for one, its in zip(found, values, strict=True) if its == value]
            results = np.array([one.result for one in chosen], np.float64)
            tallies[column, value] = tally(per_prompt(results, [one.prompt_id for one in chosen]))
    adjusted = holm([one.p_value for one in tallies.values()])
    slices: dict[str, dict[str, Slice]] = {}
    for ((column, value), one), p in zip(tallies.items(), adjusted, strict=True):
        slices.setdefault(column, {})[value] = Slice(one, float(p))
    return slices


def _agreement(found: Sequence[Outcome], model: str, against: str) -> Agreement:
    """Of the answers as they were given: both and neither differ here, though both are ties in the count."""
    ratings = [[choice(vote) for vote in one.votes] for one in found]
    without = [word for word in ANSWERS[found[0].votes[0].question] if word not in ("left", "right")]
    categories = [("model", model), ("model", against), *(("answer", word) for word in without)]
    return Agreement(
        num_pairs=sum(len(row) > 1 for row in ratings),
        percent=percent_agreement(ratings),
        alpha=krippendorff_alpha(ratings),
        ac1=gwet_ac1(ratings, categories),
    )


def _strengths(models: Sequence[str], contests: Iterable[Contest]) -> Strengths | None:
    rows = [
        (models.index(contest.model), models.index(contest.against), one.result, one.prompt_id)
        for contest in contests
        for one in contest.outcomes
    ]
    first, second, results, prompt_ids = zip(*rows, strict=True)
    return bradley_terry(first, second, results, num_models=len(models), clusters=prompt_ids)
