"""The demo: draw a haystack, walk the whole road over it, and say what it took."""

from __future__ import annotations

import time
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from photogenic.core.console import console
from photogenic.core.run import Run
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.recipe import find_recipe, load_recipe
from photogenic.road import Road

RECIPE = "emu-tiny"
SOURCE = "stickers"  # the pool's source in the recipe
NUM_SAMPLES = 2000

# What each part may take on two cores, seconds. With the installation, some minutes, it stays below twelve.
BUDGET_S = {
    "haystack": 60,
    "pool": 5,
    "curate": 120,
    "review": 5,
    "pretrain": 5,
    "tune": 200,
    "generate": 45,
    "evaluate": 20,
    "report": 10,
}


def take_tour(run_folder: Path, workers: int) -> Path:
    """Run the demo into `run_folder`; returns the report. The haystack lies beside the run, as `haystack`."""
    budget = ", ".join(f"{name} {seconds} s" for name, seconds in BUDGET_S.items())
    console.print(f"Time budget on two cores: {budget}; together {sum(BUDGET_S.values()) / 60:.0f} minutes.")
    haystack = run_folder.parent / "haystack"
    begun = time.monotonic()
    summary = write_haystack(haystack, DEMO_SOURCES, num_samples=NUM_SAMPLES, workers=workers)
    drawn = time.monotonic()
    console.print(
        f"haystack: {summary.num_samples} pictures, {summary.spoiled_ratio:.0%} spoiled, in {haystack}"
    )
    recipe = load_recipe(find_recipe(RECIPE), [f"pool.sources.{SOURCE}.path={haystack}"])
    road = Road(recipe, Run(run_folder), workers)
    fresh = road.travel()
    if fresh:
        _print_times({"haystack": drawn - begun, **road.seconds()}, time.monotonic() - begun)
    else:
        console.print(f"Everything is done; looking took {time.monotonic() - begun:.1f} s.")
    report = run_folder / "report.html"
    Console().print(f"The whole story: {report}", soft_wrap=True)
    return report


def _print_times(took: dict[str, float], total_s: float) -> None:
    table = Table("part", box=SIMPLE_HEAD, title="Time", title_justify="left")
    table.add_column("budget, s", justify="right")
    table.add_column("taken, s", justify="right")
    for name, budget in BUDGET_S.items():
        seconds = took.get(name)
        table.add_row(name, str(budget), "" if seconds is None else f"{seconds:.1f}")
    table.add_row("this command", str(sum(BUDGET_S.values())), f"{total_s:.1f}", style="bold")
    console.print(table)
