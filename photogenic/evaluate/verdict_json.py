"""verdict.json: every number of the verdict; what is unknown or unbounded is null."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from photogenic.core.statistics import Tally
from photogenic.evaluate import raters
from photogenic.evaluate.compare import Estimate
from photogenic.evaluate.leanings import Leanings
from photogenic.evaluate.sentences import in_a_sentence
from photogenic.evaluate.verdict import Contest, Findings, Panel

LIBRARIES = ("photogenic", "numpy", "scipy")


def as_json(findings: Findings, leanings: Sequence[Leanings] = ()) -> dict[str, Any]:
    """The content of verdict.json. It depends on the votes alone, not on their file or order.

    Only what raters went by (`leanings`) depends on the pictures too.
    """
    went_by = {(one.rater_kind, one.question): _leanings(one) for one in leanings}
    confidence = findings.settings.confidence
    return {
        "num_people": sum(rater.kind == "person" for rater in findings.raters),
        "num_models_voting": sum(rater.kind == "model" for rater in findings.raters),
        "panels": [
            _panel(panel, confidence) | went_by.get((panel.rater_kind, panel.question), {})
            for panel in findings.panels
        ],
        "raters": [asdict(rater) | {"flags": list(rater.flags)} for rater in findings.raters],
        "reproduce": sheet(findings),
    }


def sheet(findings: Findings) -> dict[str, Any]:
    """What somebody needs to arrive at the same numbers."""
    ballots, settings = findings.ballots, findings.settings
    return {
        "votes_fingerprint": findings.fingerprint,
        "num_votes_counted": len(ballots.counted),
        "num_repeats": len(ballots.repeats),
        "num_attention_checks": len(ballots.attention_checks),
        "num_doubles_ignored": ballots.num_doubles,
        "raters_a_pair": "; ".join(_raters_in_words(panel) for panel in findings.panels),
        "majority": "more than half of a pair's votes, be their number odd or even (two of four are none);"
        " otherwise a tie; both and neither are ties",
        "confidence": settings.confidence,
        "num_resamples": settings.num_resamples,
        "seed": settings.seed,
        "flagged_below_checks_ratio": raters.MIN_CHECKS_RATIO,
        "flagged_below_consistent_ratio": raters.MIN_CONSISTENT_RATIO,
        "flagged_below_median_s": raters.MIN_MEDIAN_S,
        "flagged_below_side_p": raters.MAX_ONE_SIDE_P,
        "versions": {library: version(library) for library in LIBRARIES},
    }


def _raters_in_words(panel: Panel) -> str:
    told = "as planned" if panel.is_planned else "the most usual number"
    who = "people" if panel.rater_kind == "person" else "models"
    return f"{panel.question}, {who}: {panel.raters_a_pair}, {told}"


def _panel(panel: Panel, confidence: float) -> dict[str, Any]:
    return {
        "rater_kind": panel.rater_kind,
        "question": panel.question,
        "num_raters": panel.num_raters,
        "num_votes": panel.num_votes,
        "num_prompts": panel.num_prompts,
        "raters_a_pair": panel.raters_a_pair,
        "raters_a_pair_planned": panel.is_planned,
        "left_share": _estimate(panel.left_share),
        "contests": [_contest(panel, contest, confidence) for contest in panel.contests],
        "strengths": _strengths(panel, confidence),
    }


def _leanings(leanings: Leanings) -> dict[str, Any]:
    measures = {one.measure: _estimate(one.share) | {"num_equal": one.num_equal} for one in leanings.measures}
    return {"leanings": {"num_pairs": leanings.num_pairs, "measures": measures}}


def _contest(panel: Panel, contest: Contest, confidence: float) -> dict[str, Any]:
    return {
        "model": contest.model,
        "against": contest.against,
        "sentence": in_a_sentence(panel, contest),
        "pairs": tally_json(contest.pairs),
        "prompts": tally_json(contest.prompts)
        | {"win_rate_wilson": numbers(contest.prompts.interval(confidence))},
        "net_win": _estimate(contest.net_win),
        "win_rate_without_ties": _estimate(contest.win_rate),
        "p_value": contest.p_value,
        "p_value_holm": contest.p_value_holm,
        "votes": tally_json(contest.votes),
        "vote_rate_without_ties": _estimate(contest.vote_rate),
        "agreement": {
            name: numbers([value])[0] if name != "num_pairs" else value
            for name, value in asdict(contest.agreement).items()
        },
        "without_flagged_raters": tally_json(contest.without_flagged),
        "num_pairs_short_of_raters": contest.num_short,
        "slices": {
            column: {
                value: tally_json(one.prompts)
                | {
                    "win_rate_wilson": numbers(one.prompts.interval(confidence)),
                    "p_value": one.prompts.p_value,
                    "p_value_holm": one.p_value_holm,
                }
                for value, one in values.items()
            }
            for column, values in contest.slices.items()
        },
    }


def _strengths(panel: Panel, confidence: float) -> dict[str, Any] | None:
    if panel.strengths is None:
        return None
    strengths = panel.strengths
    told = zip(
        panel.models,
        strengths.log_strengths,
        strengths.intervals(confidence),
        strengths.rank_ranges(confidence),
        strict=True,
    )
    return {
        "method": "Bradley-Terry with Davidson's ties, on pairs after majority, errors clustered by prompt",
        "tie_propensity": strengths.tie_propensity,
        "models": {
            model: {"log_strength": float(theta), "interval": numbers(interval), "ranks": list(ranks)}
            for model, theta, interval, ranks in told
        },
    }


def tally_json(one: Tally) -> dict[str, Any]:
    rates = numbers([one.net_win, one.win_rate_without_ties, one.win_rate_with_half_ties])
    return {"wins": one.wins, "ties": one.ties, "losses": one.losses} | dict(
        zip(("net_win", "win_rate_without_ties", "win_rate_with_half_ties"), rates, strict=True)
    )


def numbers(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return dict(
        zip(("mean", "low", "high"), numbers([estimate.mean, estimate.low, estimate.high]), strict=True)
    )
