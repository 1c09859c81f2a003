"""A contest in one sentence: for the page, its JSON, the terminal, and wherever else the verdict is told."""

from __future__ import annotations

from photogenic.core.statistics import Tally
from photogenic.evaluate.marks import p_value
from photogenic.evaluate.verdict import Contest, Panel

QUESTIONS = {"visual_appeal": "Visual appeal", "text_faithfulness": "Text faithfulness"}
ALPHA = 0.05


def panel_title(question: str, rater_kind: str) -> str:
    """A panel's heading."""
    who = "judged by people" if rater_kind == "person" else "answered by models"
    return f"{QUESTIONS[question]}, {who}"


def in_a_sentence(panel: Panel, contest: Contest) -> str:
    """Who was preferred, in words that do not claim more than the test."""
    who = "people" if panel.rater_kind == "person" else "models that voted"
    about = f"{QUESTIONS[panel.question]}, {contest.model} against {contest.against}: "
    p = p_value(contest.p_value_holm)
    told = f"({_counts(contest.pairs)}; p {p if p.startswith('<') else '= ' + p})"
    if contest.p_value_holm > ALPHA:
        return f"{about}{who} do not tell them apart {told}."
    favourite = contest.model if contest.prompts.net_win > 0 else contest.against
    return f"{about}{who} prefer {favourite} {told}."


def _counts(tally: Tally) -> str:
    return f"won {tally.wins}, tied {tally.ties}, lost {tally.losses}"
