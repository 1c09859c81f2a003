"""Who the raters were and how they worked: what stands out is flagged, nobody is dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from photogenic.core.records import Vote
from photogenic.core.statistics import sign_test
from photogenic.evaluate.counting import Ballots, choice

MIN_CHECKS_RATIO = 0.8  # of the attention checks answered as expected
MIN_CONSISTENT_RATIO = 0.6  # of the repeats answered as before; by chance, with three answers, a third
MIN_REPEATS = 3  # fewer say nothing of consistency
MIN_MEDIAN_S = 1.0  # two pictures cannot be compared faster
MAX_ONE_SIDE_P = 0.001  # of the sign test of left against right


@dataclass(frozen=True)
class Rater:
    """One rater's work."""

    name: str
    kind: str  # person | model
    num_votes: int  # that count; without repeats and checks
    num_checks: int
    num_checks_passed: int
    num_repeats: int  # whose first answer is there as well
    num_consistent: int
    median_s: float | None
    num_left: int
    num_right: int
    flags: tuple[str, ...]  # sentences


def rate(ballots: Ballots) -> list[Rater]:
    """Every rater, in the order of their names."""
    counted, repeats = _by_rater(ballots.counted), _by_rater(ballots.repeats)
    checks = _by_rater(ballots.attention_checks)
    return [
        _rater(name, counted.get(name, []), repeats.get(name, []), checks.get(name, []))
        for name in sorted({*counted, *repeats, *checks})
    ]


def _rater(name: str, counted: list[Vote], repeats: list[Vote], checks: list[Vote]) -> Rater:
    before = {(vote.pair_id, vote.question): choice(vote) for vote in counted}
    again = [vote for vote in repeats if (vote.pair_id, vote.question) in before]
    seconds = [vote.seconds for vote in (*counted, *repeats, *checks) if vote.seconds is not None]
    told = {
        "num_checks": len(checks),
        "num_checks_passed": sum(vote.answer == vote.expected for vote in checks),
        "num_repeats": len(again),
        "num_consistent": sum(before[vote.pair_id, vote.question] == choice(vote) for vote in again),
        "num_left": sum(vote.answer == "left" for vote in counted),
        "num_right": sum(vote.answer == "right" for vote in counted),
    }
    median_s = median(seconds) if seconds else None
    kind = (counted or repeats or checks)[0].rater_kind
    flags = tuple(_flags(told, median_s, kind))
    return Rater(name=name, kind=kind, num_votes=len(counted), median_s=median_s, flags=flags, **told)


def _flags(told: Mapping[str, int], median_s: float | None, kind: str) -> Iterable[str]:
    if told["num_checks_passed"] < MIN_CHECKS_RATIO * told["num_checks"]:
        failed = told["num_checks"] - told["num_checks_passed"]
        yield f"failed {failed} of {told['num_checks']} attention checks"
    if (
        told["num_repeats"] >= MIN_REPEATS
        and told["num_consistent"] < MIN_CONSISTENT_RATIO * told["num_repeats"]
    ):
        yield f"answered {told['num_consistent']} of {told['num_repeats']} repeats as before"
    if kind == "person" and median_s is not None and median_s < MIN_MEDIAN_S:
        yield f"needs {median_s:.2g} s for a pair"
    if sign_test(told["num_left"], told["num_right"]) < MAX_ONE_SIDE_P:
        yield f"chose left {told['num_left']} and right {told['num_right']} times"


def _by_rater(votes: Iterable[Vote]) -> dict[str, list[Vote]]:
    found: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        found[vote.rater].append(vote)
    return found
