"""`photogenic plan`: what a recipe would take at another size. One part for each thing that is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from photogenic.core.errors import RecipeError
from photogenic.core.words import counted
from photogenic.options import RecipeArgument, RunOption, SetOption, open_road

if TYPE_CHECKING:
    from rich.table import Table

    from photogenic.curate.planning import CuratePlan
    from photogenic.road import Road


def plan(
    recipe: RecipeArgument,
    pool_size: Annotated[
        float | None,
        typer.Option("--pool-size", min=1, metavar="N", help="Samples, such as 1.1e9; default: the pool's."),
    ] = None,
    days: Annotated[
        float, typer.Option("--days", min=0.01, metavar="D", help="In which curating should be done.")
    ] = 7.0,
    sample: Annotated[
        int, typer.Option("--sample", min=10, metavar="N", help="Pictures to measure on this machine.")
    ] = 100,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, metavar="N", help="Plan the training, on N GPUs.")
    ] = None,
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Say what a larger pool, or the training, would take.

    Time, machines and storage: of curating, step by step, or with --gpus of training.

    Measures some of the recipe's pictures on this machine; where its run folder holds a curated pool, the
    shares that pass are those. All assumptions are printed.

    \b
    Examples:
      photogenic plan recipes/own-photographs.yaml --pool-size 1.1e9
      photogenic plan recipes/emu.yaml --gpus 256
    """
    road = open_road(recipe, run, overrides, None)
    if gpus is not None:
        show_training(road, gpus)
        return
    if road.recipe.pool is None or road.recipe.curate is None:
        raise RecipeError("The recipe has no sections `pool` and `curate` to plan.")
    show_curation(road, pool_size, days, sample)


def show_curation(road: Road, pool_size: float | None, days: float, sample: int) -> None:
    """Print the plan of curating."""
    from rich.console import Console

    from photogenic.curate.planning import plan_curation

    pool, curate = road.recipe.pool, road.recipe.curate
    if pool is None or curate is None:
        return
    planned = plan_curation(pool, curate, road.run, pool_size=pool_size, num_measured=sample)
    out = Console()
    out.print(_table(planned))
    for line in _summary(planned, days):
        out.print(line, highlight=False)
    out.print("\n[bold]Assumptions[/bold]")
    for assumption in planned.assumptions:
        out.print(f"- {assumption}", highlight=False)


def show_training(road: Road, gpus: int) -> None:
    """Print the plan of training."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from photogenic.train.planning import plan_training

    recipe = road.recipe
    if recipe.pretrain is None or recipe.pretrain.weights is not None:
        raise RecipeError("The recipe makes no model of its own to plan.", "Try recipes/emu.yaml.")
    planned = plan_training(recipe.pretrain, recipe.tune, gpus)
    title = f"Training on {counted(gpus, 'GPU')}"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    for name in ("samples", "FLOP", "days", "reads", "saves", "GPU"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in planned.stages:
        table.add_row(
            stage.name,
            in_count(stage.samples),
            f"{stage.operations:.2g}",
            f"{stage.days:.3g}",
            in_bytes(stage.read_bytes),
            in_bytes(stage.checkpoint_bytes),
            in_bytes(stage.gpu_bytes),
        )
    out = Console()
    out.print(table)
    days = sum(stage.days for stage in planned.stages)
    out.print(f"In all {days:,.1f} days. `saves`: a checkpoint; `GPU`: memory on each.", highlight=False)
    out.print("\n[bold]Assumptions[/bold]")
    for assumption in planned.assumptions:
        out.print(f"- {assumption}", highlight=False)


def _table(planned: CuratePlan) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"Curating {planned.pool_size:,.0f} samples"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("scored by", no_wrap=True)
    for name in ("enter", "pass", "ms each", "core time", "read"):
        table.add_column(name, justify="right")
    for step in planned.steps:
        share = step.left / step.entered if step.entered else 0.0
        table.add_row(
            step.name,
            ", ".join(step.scorers),
            in_count(step.entered),
            f"{100 * share:.1f} %",
            f"{1000 * step.seconds_each:,.1f}" if step.scorers else "",
            in_core_time(step.core_hours) if step.scorers else "",
            in_bytes(step.read_bytes) if step.scorers else "",
        )
    return table


def _summary(planned: CuratePlan, days: float) -> list[str]:
    machines = planned.machines(days)
    alone = in_time(planned.core_hours / planned.num_cores)
    tables = in_bytes(planned.pool_size * planned.row_bytes)
    rate = planned.read_bytes / (days * 86400)
    reading = f"Reading: {in_bytes(planned.read_bytes)} in all"
    return [
        f"Time: {in_core_time(planned.core_hours)} of one core; {alone} on this machine"
        f" ({counted(planned.num_cores, 'core')}).",
        "Machines: this one is enough."
        if machines == 1
        else f"Machines: {machines:,} like this one for {days:g} days, or"
        f" {machines * planned.num_cores:,} such cores (`--shard i/n` or `--engine ray`).",
        f"Storage: {in_bytes(planned.pool_size * planned.picture_bytes)} of pictures, which stay where they"
        f" are; {tables} of tables in the run folder.",
        f"{reading}." if machines == 1 else f"{reading}, {in_bytes(rate)}/s to be done in {days:g} days.",
        f"Kept: about {planned.steps[-1].left:,.0f}.",
    ]


def in_count(number: float) -> str:
    """1,089,000,000 as "1,089 M"."""
    return f"{number:,.0f}" if number < 1e7 else f"{number / 1e6:,.0f} M"


def in_bytes(number: float) -> str:
    """1234567 as "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} PB"


def in_core_time(hours: float) -> str:
    """Hours as "36 s", "12 min" or "1,234 h"."""
    if hours < 1 / 30:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.0f} h"


def in_time(hours: float) -> str:
    """Hours as seconds, minutes, hours, days or years, whichever is read best."""
    if hours < 1 / 30:
        return counted(round(3600 * hours), "second")
    if hours < 2:
        return f"{60 * hours:.0f} minutes"
    if hours < 72:
        return f"{hours:.0f} hours"
    return f"{hours / 24:,.0f} days" if hours < 24 * 1000 else f"{hours / 24 / 365:,.1f} years"
