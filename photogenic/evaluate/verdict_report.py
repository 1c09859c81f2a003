"""verdict.html and verdict.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from photogenic.core.shards import atomic_path, write_json
from photogenic.core.statistics import Interval, Tally
from photogenic.evaluate.beside import MEASURES_PAGE, VERDICT, VERDICT_PAGE
from photogenic.evaluate.compare import Estimate
from photogenic.evaluate.counting import Outcome
from photogenic.evaluate.leanings import Leanings
from photogenic.evaluate.leanings_page import HEADING, INTRODUCTION, leanings_table
from photogenic.evaluate.marks import extent_of, interval_track, number, p_value, percent, signed
from photogenic.evaluate.raters import Rater
from photogenic.evaluate.sentences import in_a_sentence, panel_title
from photogenic.evaluate.verdict import Contest, Findings, Panel
from photogenic.evaluate.verdict_json import as_json, sheet
from photogenic.evaluate.votes import ANSWERS
from photogenic.web.page import render, thumbnail_uri

TEMPLATE = Path(__file__).with_name("verdict.html.j2")
NUM_SHOWN = 8
THUMBNAIL_PX = 224

Pictures = Mapping[str, Mapping[str, Path]]  # pair_id -> model -> file


def write_verdict(
    folder: Path,
    findings: Findings,
    pictures: Pictures | None = None,
    leanings: Sequence[Leanings] = (),
) -> Path:
    """Write `verdict.json` and the page beside it; the page is self-contained. Returns the page's path.

    Where the page of the measures lies in the same folder, this one leads to it.

    Args:
        pictures: with them the page shows the pairs that were won and lost most clearly.
        leanings: what the raters went by, where their pictures have been measured.
    """
    told = as_json(findings, leanings)
    write_json(folder / VERDICT, told)
    page = folder / VERDICT_PAGE
    measures_page = MEASURES_PAGE if (folder / MEASURES_PAGE).exists() else None
    with atomic_path(page) as temporary:
        temporary.write_text(_page(findings, told, pictures or {}, measures_page), encoding="utf-8")
    return page


def _page(findings: Findings, told: Mapping[str, Any], pictures: Pictures, measures_page: str | None) -> str:
    context = _context(findings) | {"measures_page": measures_page, "leanings_heading": HEADING}
    for panel, its_json in zip(context["panels"], told["panels"], strict=True):
        panel["leanings"] = (
            Markup("\n").join([INTRODUCTION, leanings_table(its_json["leanings"])])
            if "leanings" in its_json
            else None
        )
        for contest in panel["contests"]:
            for row in (*contest["best"], *contest["worst"]):
                row["pictures"] = _thumbnails(pictures.get(row["pair_id"], {}), contest)
    return render(TEMPLATE, "What the raters say", **context)


def _thumbnails(files: Mapping[str, Path], contest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(model, picture as a URI) of a pair, the winner of the contest's heading first."""
    found = []
    for model in (contest["model"], contest["against"]):
        if model in files and files[model].exists():
            with Image.open(files[model]) as image:
                found.append((model, thumbnail_uri(image, THUMBNAIL_PX)))
    return found


def _sentences(findings: Findings, kind: str) -> list[str]:
    return [
        in_a_sentence(panel, contest)
        for panel in findings.panels
        if panel.rater_kind == kind
        for contest in panel.contests
    ]


def _context(findings: Findings) -> dict[str, Any]:
    kinds = [rater.kind for rater in findings.raters]
    facts = sheet(findings)
    versions = facts.pop("versions")
    return {
        "num_people": kinds.count("person"),
        "num_voting_models": kinds.count("model"),
        "num_votes": len(findings.ballots.counted),
        "num_prompts": len({vote.prompt_id for vote in findings.ballots.counted}),
        "sentences": _sentences(findings, "person"),
        "model_sentences": _sentences(findings, "model"),
        "panels": [_panel(panel, findings) for panel in findings.panels],
        "raters": [_rater(rater) for rater in findings.raters],
        "num_flagged": sum(bool(rater.flags) for rater in findings.raters),
        "confidence": f"{100 * findings.settings.confidence:g} %",
        "num_resamples": findings.settings.num_resamples,
        "facts": [
            (
                name.removeprefix("num_").replace("_", " "),
                ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in fact.items())
                if isinstance(fact, dict)
                else fact,
            )
            for name, fact in (*facts.items(), ("versions", versions))
        ],
    }


# --- panels and contests -------------------------------------------------------------------------------


def _panel(panel: Panel, findings: Findings) -> dict[str, Any]:
    people = panel.rater_kind == "person"
    share = panel.left_share
    return {
        "title": panel_title(panel.question, panel.rater_kind),
        "by_people": people,
        "raters": _named(panel.num_raters, people),
        "num_raters": panel.num_raters,
        "num_votes": panel.num_votes,
        "num_prompts": panel.num_prompts,
        "raters_a_pair": panel.raters_a_pair,
        "is_planned": panel.is_planned,
        "ties": " and ".join(word for word in ANSWERS[panel.question] if word not in ("left", "right")),
        "contests": [_contest(contest, findings.settings.confidence) for contest in panel.contests],
        "left": f"{percent(share.mean)} ({_span(share)})",
        "left_biased": share.low > 0.5 or share.high < 0.5,
        "three": len(panel.models) > 2,
        "strengths": _strengths(panel, findings.settings.confidence),
    }


def _contest(contest: Contest, confidence: float) -> dict[str, Any]:
    pairs, votes = contest.pairs, contest.votes
    flagged = contest.without_flagged
    return {
        "model": contest.model,
        "against": contest.against,
        "counts": (pairs.wins, pairs.ties, pairs.losses),
        "bars": _bars(pairs),
        "vote_bars": _bars(votes),
        "vote_counts": (votes.wins, votes.ties, votes.losses),
        "net_win": signed_percent(contest.net_win.mean),
        "net_interval": _signed_span(contest.net_win),
        "track": interval_track(contest.net_win, max(1.0, extent_of([contest.net_win]) / 1.1)),
        "win_rate": percent(pairs.win_rate_without_ties),
        "win_rate_wilson": _span(contest.prompts.interval(confidence)),
        "win_rate_bootstrap": _span(contest.win_rate),
        "half_ties": percent(pairs.win_rate_with_half_ties),
        "vote_rate": percent(votes.win_rate_without_ties),
        "vote_interval": _span(contest.vote_rate),
        "p_value": p_value(contest.p_value),
        "p_value_holm": p_value(contest.p_value_holm),
        "prompts": contest.prompts if contest.prompts.n != pairs.n else None,
        "agreement": [
            ("percent agreement", percent(contest.agreement.percent)),
            ("Krippendorff's alpha", number(contest.agreement.alpha)),
            ("Gwet's AC1", number(contest.agreement.ac1)),
        ],
        "num_agreement_pairs": contest.agreement.num_pairs,
        "num_short": contest.num_short,
        "num_pairs": pairs.n,
        "without_flagged": flagged if flagged != pairs else None,
        "slices": [
            {
                "column": column,
                "rows": [
                    _slice(value, one.prompts, one.p_value_holm, confidence) for value, one in of.items()
                ],
            }
            for column, of in contest.slices.items()
        ],
        "best": _shown(contest.outcomes, contest.model, 1),
        "worst": _shown(contest.outcomes, contest.model, -1),
    }


def _named(num_raters: int, people: bool) -> str:
    if people:
        return "person" if num_raters == 1 else "people"
    return "model" if num_raters == 1 else "models"


def _bars(tally: Tally) -> list[tuple[str, float]]:
    parts = (("won", tally.wins), ("tied", tally.ties), ("lost", tally.losses))
    return [(name, 100 * count / tally.n) for name, count in parts if count]


def _slice(value: str, prompts: Tally, adjusted: float, confidence: float) -> dict[str, Any]:
    return {
        "value": value,
        "counts": (prompts.wins, prompts.ties, prompts.losses),
        "win_rate": percent(prompts.win_rate_without_ties),
        "interval": _span(prompts.interval(confidence)) if prompts.wins + prompts.losses else "",
        "p_value": p_value(adjusted),
    }


def _shown(found: Sequence[Outcome], model: str, side: int) -> list[dict[str, Any]]:
    """The pairs that `model` won (side 1) or lost (-1) by the largest share of the votes."""
    told = []
    for one in found:
        wins = sum(vote.preferred == model for vote in one.votes)
        ties = sum(vote.preferred is None for vote in one.votes)
        losses = len(one.votes) - wins - ties
        if one.result == side:
            told.append((-side * (wins - losses) / len(one.votes), one, f"{wins} : {ties} : {losses}"))
    told.sort(key=lambda row: (row[0], row[1].pair_id))
    return [
        {"prompt": one.votes[0].prompt or one.prompt_id, "pair_id": one.pair_id, "votes": votes}
        for _, one, votes in told[:NUM_SHOWN]
    ]


def _strengths(panel: Panel, confidence: float) -> list[dict[str, Any]]:
    if panel.strengths is None:
        return []
    strengths = panel.strengths
    estimates = [
        Estimate(float(theta), *interval)
        for theta, interval in zip(strengths.log_strengths, strengths.intervals(confidence), strict=True)
    ]
    extent = extent_of(estimates)
    rows = [
        {
            "order": -estimate.mean,
            "model": model,
            "strength": signed(estimate.mean),
            "interval": f"{signed(estimate.low)} to {signed(estimate.high)}",
            "track": interval_track(estimate, extent),
            "ranks": str(best) if best == worst else f"{best} to {worst}",
        }
        for model, estimate, (best, worst) in zip(
            panel.models, estimates, strengths.rank_ranges(confidence), strict=True
        )
    ]
    return sorted(rows, key=lambda row: row["order"])


# --- raters --------------------------------------------------------------------------------------------


def _rater(rater: Rater) -> dict[str, Any]:
    return {
        "name": rater.name,
        "kind": rater.kind,
        "num_votes": rater.num_votes,
        "checks": _of(rater.num_checks_passed, rater.num_checks),
        "repeats": _of(rater.num_consistent, rater.num_repeats),
        "left": _of(rater.num_left, rater.num_left + rater.num_right),
        "median_s": number(rater.median_s if rater.median_s is not None else math.nan),
        "flags": "; ".join(rater.flags),
    }


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else number(math.nan)


# --- numbers -------------------------------------------------------------------------------------------


def signed_percent(share: float) -> str:
    """+12 %; a dash where nothing is known."""
    return signed_whole(100 * share) if math.isfinite(share) else number(share)


def signed_whole(value: float) -> str:
    return f"{value:+.0f} %".replace("-", "\N{MINUS SIGN}") if round(value) else "0 %"


def _span(ends: Interval | Estimate) -> str:
    if not (math.isfinite(ends.low) and math.isfinite(ends.high)):
        return "too few prompts for an interval"
    return f"{percent(ends.low)} to {percent(ends.high)}"


def _signed_span(ends: Estimate) -> str:
    if not (math.isfinite(ends.low) and math.isfinite(ends.high)):
        return "too few prompts for an interval"
    return f"{signed_percent(ends.low)} to {signed_percent(ends.high)}"
