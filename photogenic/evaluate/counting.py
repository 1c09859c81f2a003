"""From votes to outcomes: which votes count, and what the majority of them says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.core.statistics import majority

TIE = "tie"


@dataclass(frozen=True)
class Ballots:
    """The votes by what they are good for, each kind in the order of vote_id."""

    counted: Sequence[Vote]
    repeats: Sequence[Vote]  # of these only the rater's consistency is told
    attention_checks: Sequence[Vote]
    num_doubles: int  # the same vote delivered again


@dataclass(frozen=True)
class Outcome:
    """What the raters of one kind together say of one pair."""

    pair_id: str
    prompt_id: str
    votes: Sequence[Vote]
    result: int  # 1: the model won; -1: the other one; 0: a tie, or no majority


def sort_votes(votes: Iterable[Vote]) -> Ballots:
    """Leave out doubles, set repeats and attention checks aside; the order of `votes` does not matter.

    A double has the vote_id of another vote, or is by the same rater, of the same pair and question, with the
    same answer.

    Raises:
        RunError: votes contradict each other; the sentence names them.
    """
    votes = sorted(votes, key=lambda vote: (vote.vote_id, vote.seconds or 0.0))
    unique = _by_id(votes)
    _refuse_two_kinds(unique)
    _refuse_two_meanings(unique)
    plain = [vote for vote in unique if not (vote.is_repeat or vote.is_attention_check)]
    counted = _one_each(plain)
    return Ballots(
        counted=counted,
        repeats=[vote for vote in unique if vote.is_repeat and not vote.is_attention_check],
        attention_checks=[vote for vote in unique if vote.is_attention_check],
        num_doubles=len(votes) - len(unique) + len(plain) - len(counted),
    )


def outcomes(votes: Iterable[Vote], model: str) -> list[Outcome]:
    """The majority's answer of each pair, as seen from `model`; pairs in the order of their ids.

    More than half of a pair's votes must prefer the same model, be their number odd or even: two of four are
    no majority, three are. All answers without a preference (tie, both, neither) are alike here, and a pair
    without a majority is a tie.
    """
    of_pair: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        of_pair[vote.pair_id].append(vote)
    return [
        Outcome(pair_id, cast[0].prompt_id, cast, _result(cast, model))
        for pair_id, cast in sorted(of_pair.items())
    ]


def usual_raters(found: Iterable[Outcome]) -> int:
    """How many raters most pairs have; of two numbers that are equally frequent, the larger."""
    numbers = Counter(len(one.votes) for one in found)
    return max(numbers, key=lambda number: (numbers[number], number))


def _result(votes: Sequence[Vote], model: str) -> int:
    # None stands for "no preference"; a model may be called "tie", so the word alone would not do.
    answers = ["model" if v.preferred == model else TIE if v.preferred is None else "other" for v in votes]
    return {"model": 1, "other": -1, TIE: 0}[majority(answers, TIE)]


def _by_id(votes: Sequence[Vote]) -> list[Vote]:
    found: dict[str, Vote] = {}
    for vote in votes:
        first = found.setdefault(vote.vote_id, vote)
        if replace(vote, seconds=first.seconds) != first:
            raise RunError(
                f"Vote {vote.vote_id!r} is there twice with different content"
                f" (raters {first.rater!r} and {vote.rater!r}, answers {first.answer} and {vote.answer}).",
                "A vote never changes; give another vote another vote_id.",
            )
    return list(found.values())


def _one_each(votes: Sequence[Vote]) -> list[Vote]:
    found: dict[tuple[str, str, str], Vote] = {}
    for vote in votes:
        first = found.setdefault((vote.rater, vote.pair_id, vote.question), vote)
        if choice(first) != choice(vote):
            raise RunError(
                f"Rater {vote.rater!r} gave two different answers to the pair {vote.pair_id!r}"
                f" ({vote.question}): votes {first.vote_id!r} and {vote.vote_id!r}.",
                "Mark the later one as a repeat (is_repeat), or leave out the one that does not hold.",
            )
    return list(found.values())


def choice(vote: Vote) -> tuple[str, str]:
    """What was chosen, whatever the sides: a model, or an answer without a preference."""
    return ("answer", vote.answer) if vote.preferred is None else ("model", vote.preferred)


def _refuse_two_kinds(votes: Sequence[Vote]) -> None:
    _refuse_change(
        votes, lambda vote: vote.rater, lambda vote: vote.rater_kind, "Rater {} is once a {} and once a {}"
    )


def _refuse_two_meanings(votes: Sequence[Vote]) -> None:
    """A pair is of the same two models and one prompt, a prompt of one text, category and challenge."""
    compared = [vote for vote in votes if not vote.is_attention_check]
    _refuse_change(
        compared,
        lambda vote: vote.pair_id,
        lambda vote: " and ".join(sorted((vote.left_model, vote.right_model))),
        "Pair {} is once of {} and once of {}",
    )
    _refuse_change(
        compared, lambda vote: vote.pair_id, lambda vote: vote.prompt_id, "Pair {} is of prompts {} and {}"
    )
    for told, what in (
        (lambda vote: vote.prompt, "text"),
        (lambda vote: vote.category, "category"),
        (lambda vote: vote.challenge, "challenge"),
    ):
        _refuse_change(
            compared, lambda vote: vote.prompt_id, told, f"Prompt {{}} has the {what} {{!r}} and {{!r}}"
        )


def _refuse_change(
    votes: Sequence[Vote], name: Callable[[Vote], str], told: Callable[[Vote], str], sentence: str
) -> None:
    first: dict[str, Vote] = {}
    for vote in votes:
        before = first.setdefault(name(vote), vote)
        if told(before) != told(vote):
            said = sentence.format(repr(name(vote)), told(before), told(vote))
            raise RunError(f"{said}: votes {before.vote_id!r} and {vote.vote_id!r}.")
