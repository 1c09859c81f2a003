"""What has become of a run: each stage's state, and the funnel's counts."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from photogenic.core.errors import PhotogenicError
from photogenic.core.shards import read_json
from photogenic.review.settled import left_by_finish
from photogenic.road import Road


def show(road: Road) -> None:
    """Print each stage's state and, where the funnel has run, its counts."""
    out = Console()
    out.print(_stages_table(road))
    if captions := _captions(road):
        out.print(f"[yellow]{captions}[/yellow]", soft_wrap=True)
    counts_path = road.run.folder / "curate" / "counts.json"
    if counts_path.exists():
        out.print(_funnel_table(read_json(counts_path)))
    report = road.run.folder / "report.html"
    if report.exists():
        out.print(f"The whole story: {report}", soft_wrap=True)


def _stages_table(road: Road) -> Table:
    took = road.seconds()
    table = Table("stage", "state", box=SIMPLE_HEAD, title=str(road.run.folder), title_justify="left")
    table.add_column("seconds", justify="right")
    for stage in road.stages():
        seconds = took.get(stage.name)
        table.add_row(stage.name, _state(road, stage.name), "" if seconds is None else f"{seconds:.1f}")
    return table


def _state(road: Road, name: str) -> str:
    try:
        return road.state(name)
    except PhotogenicError as error:
        return f"cannot be told: {error.what}"


def _captions(road: Road) -> str:
    """What people's captions still lack, or what the needles have because something lacked."""
    config, folder = road.recipe.review, road.run.folder / "review"
    if config is None or config.decisions != "people":
        return ""
    if left := left_by_finish(road.run.folder):
        return f"Captions of the needles: {left}."
    if not (folder / "review.db").exists():
        return ""  # no round has begun, or they lie in a team's database, which the lead's desk tells of
    from photogenic.review.administration import captions_left
    from photogenic.review.desk import Review

    left = captions_left(Review(config, road.run, road.recipe.seed))
    return f"Captions are not settled: {left}." if left else ""


def _funnel_table(counts: dict[str, Any]) -> Table:
    table = Table("step", box=SIMPLE_HEAD, title="The funnel", title_justify="left")
    for name in ("in", "dropped", "failed", "left"):
        table.add_column(name, justify="right")
    for step in counts["steps"]:
        entered, dropped, failed = step["entered"], step["dropped"], step["failed"]
        numbers = (entered, dropped, failed, entered - dropped - failed)
        table.add_row(step["name"], *(f"{number:,}" for number in numbers))
    return table
