"""What the raters said and what the measures say: two pages of one evaluation, and each leads to the other.

The measures are there first. When votes have been counted, the page of the measures says so, and where; votes
on earlier pictures are not passed off as votes on those that it shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from photogenic.core.shards import (
    atomic_path,
    file_fingerprint,
    fingerprint,
    read_json,
    read_table,
    write_json,
)
from photogenic.evaluate.leanings_page import HEADING, INTRODUCTION, leanings_table
from photogenic.evaluate.results import NOBODY_JUDGED
from photogenic.evaluate.sentences import panel_title

MEASURES_PAGE, VERDICT_PAGE, VERDICT = "report.html", "verdict.html", "verdict.json"
VOTED_ON = "voted-on.json"  # which pictures the votes are about; beside the votes, and beside their verdict
# Parts of the page of the measures that are written anew when votes have been counted.
OPENING, WENT_BY = "votes", "went by"


@dataclass(frozen=True)
class Said:
    """What the votes of an evaluation came to."""

    num_people: int
    num_models: int  # that voted
    by_people: Sequence[str]  # a sentence for each contest
    by_models: Sequence[str]
    is_of_these: bool  # the pictures that were voted on are those that are there
    leanings: Sequence[tuple[str, Mapping[str, Any]]]  # title of a panel, and what its raters went by


def said_by_raters(run_folder: Path) -> Said | None:
    """What RUN/evaluate/verdict.json tells; None where no vote has been counted."""
    folder = run_folder / "evaluate"
    if not (folder / VERDICT).exists():
        return None
    told = read_json(folder / VERDICT)
    marker = folder / VOTED_ON
    return Said(
        num_people=told["num_people"],
        num_models=told["num_models_voting"],
        by_people=_sentences(told["panels"], "person"),
        by_models=_sentences(told["panels"], "model"),
        is_of_these=_is_of(marker, run_folder),
        leanings=[
            (panel_title(panel["question"], panel["rater_kind"]), panel["leanings"])
            for panel in told["panels"]
            if "leanings" in panel
        ],
    )


def note_pictures(voting: Path, run_folder: Path) -> None:
    """Remember, where the votes will lie, that they are about the pictures that are there now."""
    write_json(voting / VOTED_ON, {"pictures": pictures_mark(run_folder)})


def is_of_these(voting: Path, run_folder: Path) -> bool:
    """Whether the votes in `voting` are about the pictures that are there now."""
    return _is_of(voting / VOTED_ON, run_folder)


def note_counted(voting: Path, run_folder: Path) -> None:
    """The counted votes are about what they were given on, whatever has been drawn since."""
    if (voting / VOTED_ON).exists():
        write_json(run_folder / "evaluate" / VOTED_ON, read_json(voting / VOTED_ON))


def mention_votes(run_folder: Path) -> None:
    """Let the page of the measures, where it is written already, say what the raters said."""
    page = run_folder / "evaluate" / MEASURES_PAGE
    if not page.exists():
        return
    html, said = page.read_text(encoding="utf-8"), said_by_raters(run_folder)
    html = _replaced(html, OPENING, opening(said))
    html = _replaced(html, WENT_BY, went_by(said))
    with atomic_path(page) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _part(name: str, lines: Sequence[Markup]) -> Markup:
    return Markup("\n").join([Markup(f"<!-- {name} -->"), *lines, Markup(f"<!-- /{name} -->")])


def _replaced(html: str, name: str, part: Markup) -> str:
    return re.sub(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _: str(part), html, count=1, flags=re.DOTALL)


def opening(said: Said | None) -> Markup:
    """What the page of the measures says first: whether anybody has judged, and where that is told."""
    if said is None:
        lines = [
            Markup(
                '<p class="lede"><strong>{}</strong> With <code>judges: people</code>,'
                " <code>photogenic evaluate</code> serves the page on which they vote.</p>"
            ).format(NOBODY_JUDGED)
        ]
    else:
        lines = [_who(said), *(Markup("<p>{}</p>").format(one) for one in (*said.by_people, *said.by_models))]
    return _part(OPENING, lines)


def went_by(said: Said | None) -> Markup:
    """What the raters of these pictures went by; nothing where that is not known."""
    lines: list[Markup] = []
    if said is not None and said.is_of_these and said.leanings:
        lines += [Markup("<h2>{}</h2>").format(HEADING), INTRODUCTION]
        for title, told in said.leanings:
            lines += [Markup("<h3>{}</h3>").format(title), leanings_table(told)]
    return _part(WENT_BY, lines)


def _who(said: Said) -> Markup:
    pictures = "these pictures" if said.is_of_these else "earlier pictures of this run, not these"
    told, besides = NOBODY_JUDGED, ""
    if said.num_people:
        told = f"{said.num_people:,} {_of(said.num_people, 'person has', 'people have')} judged {pictures}."
    if said.num_models:
        besides = f"{said.num_models:,} {_of(said.num_models, 'model', 'models')} voted on {pictures}. "
    return Markup(
        '<p class="lede{}"><strong>{}</strong> {}<a href="{}">What the raters say</a> has all of it.</p>'
    ).format("" if said.num_people and said.is_of_these else " warning", told, besides, VERDICT_PAGE)


def _of(number: int, one: str, several: str) -> str:
    return one if number == 1 else several


def _sentences(panels: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    return [
        contest["sentence"]
        for panel in panels
        if panel["rater_kind"] == kind
        for contest in panel["contests"]
        if "sentence" in contest  # verdicts of earlier versions have none
    ]


def _is_of(marker: Path, run_folder: Path) -> bool:
    # Without the marker, which earlier versions did not write, nobody knows better.
    return not marker.exists() or bool(read_json(marker)["pictures"] == pictures_mark(run_folder))


def pictures_mark(run_folder: Path) -> str:
    """What tells these drawn pictures from all others."""
    return fingerprint(
        sorted(
            (manifest.parent.name, file, file_fingerprint(manifest.parent / file))
            for manifest in (run_folder / "generate").glob("*/manifest.parquet")
            for file in read_table(manifest, ["file"])["file"].to_pylist()
            if (manifest.parent / file).exists()
        )
    )
