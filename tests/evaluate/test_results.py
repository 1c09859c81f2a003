"""The published results: what the page says is what the published votes come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.evaluate.verdict import judge
from photogenic.evaluate.votes import read_votes
from photogenic.measures.pixel import COLUMNS
from photogenic.measures.taste import load
from photogenic.review.imports import read_rows
from photogenic.review.last_words import is_export, last_words

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "results.md").read_text(encoding="utf-8")
FILES = {  # what the tables call it -> the votes, and against whom
    "base": ("votes-base", "base"),
    "random-300": ("votes-random", "random-300"),
    "base, both with guidance 4": ("votes-guided", "base"),
    "base with guidance 4, needles with 2": ("votes-each-guidance", "base"),
    "base, saturated": ("votes-saturated-needles", "base-saturated"),
    "base, saturated | base": ("votes-saturated-base", "base"),
    "the taste's first 307": ("votes-taste", "taste-300"),
    "base (plain names)": ("votes-names", "base"),
    "random-300 (plain names)": ("votes-names-random", "random-300"),
    "base (plain names), both with guidance 4": ("votes-names-guided", "base"),
    "base, third trial": ("votes-third-base", "base"),
    "random-300, third trial": ("votes-third-random", "random-300"),
    "base, third trial, both with guidance 4": ("votes-third-guided", "base"),
    "base, second trial": ("votes-second-base", "base"),
    "random-300, second trial": ("votes-second-random", "random-300"),
    "base, second trial, no guidance": ("votes-second-unguided", "base"),
    "base, first trial": ("votes-first-base", "base"),
    "random-300, first trial": ("votes-first-random", "random-300"),
}


@pytest.mark.parametrize("against", FILES)
def test_the_page_says_what_the_votes_come_to(against: str) -> None:
    file, base = FILES[against]
    findings = judge(read_votes(DOCS / "results" / f"{file}.parquet"), base=base)
    assert {rater.kind for rater in findings.raters} == {"model"}
    asked = {"visual_appeal"} if "saturated" in file else {"visual_appeal", "text_faithfulness"}
    assert {panel.question for panel in findings.panels} == asked
    for panel in findings.panels:
        (contest,) = panel.contests
        rate, pairs = contest.win_rate, contest.pairs
        share = f"{100 * rate.mean:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
        question = panel.question.replace("_", " ")
        told = f"| {against} | {question} | {pairs.wins}, {pairs.ties}, {pairs.losses} | {share} |"
        assert told in PAGE.replace("**", "")


def test_the_published_decisions_are_those_of_the_page() -> None:
    columns, rows = read_rows(DOCS / "results" / "decisions.parquet")
    assert is_export(columns)
    words = [word for _, word in last_words(rows, "sample_id")]
    needles = [word for word in words if word["keep"] == "1"]
    captions = [word for word in needles if word["caption"]]
    assert (len(words), len(needles), len(captions)) == (1000, 307, 306)
    assert all(
        number in PAGE for number in ("left 1,000 candidates", "| Needles | 307", "306 of the 307 captions")
    )


def test_the_recipes_taste_is_one_of_pictures() -> None:
    taste = load(DOCS.parent / "recipes" / "stickers-taste.json")
    assert (taste.num_kept, taste.num_dropped, len(taste.columns)) == (314, 1686, 30)
    assert len(taste.listens_to({*COLUMNS, "appeal_score"})) == 19  # decision 39
