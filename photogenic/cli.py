"""The command line: one thin function per command; what it needs is imported when it runs."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from photogenic import tools
from photogenic.commands.ablate import ablate
from photogenic.commands.average import average
from photogenic.commands.copies import copies
from photogenic.commands.demo_pool import demo_pool
from photogenic.commands.encode import encode
from photogenic.commands.evaluate import evaluate
from photogenic.commands.explore import explore
from photogenic.commands.forget import forget
from photogenic.commands.generate import generate
from photogenic.commands.plan import plan
from photogenic.commands.review import review
from photogenic.commands.studio import studio
from photogenic.core.errors import PhotogenicError
from photogenic.options import (
    DryRunOption,
    EngineOption,
    RecipeArgument,
    RetryFailedOption,
    RunOption,
    RunOrRecipeArgument,
    SetOption,
    ShardOption,
    WorkersOption,
    num_cores,
    open_road,
    open_run_or_recipe,
    run_folder,
)

if TYPE_CHECKING:
    from photogenic.road import Road

ERROR_EXIT, STOPPED_EXIT = tools.ERROR_EXIT, 130


class Sentences(TyperGroup):
    """Turns what a user can act upon into a sentence; only a bug shows a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PhotogenicError as error:
            typer.secho(error.what, fg="red", err=True)
            if error.fix:
                typer.echo(error.fix, err=True)
            raise typer.Exit(ERROR_EXIT) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                typer.secho("The disk is full.", fg="red", err=True)
                typer.echo(f"Free some space; the same command goes on:\n  {_again()}", err=True)
            elif error.filename is not None:
                typer.secho(f"{error.filename}: {error.strerror}.", fg="red", err=True)
                if advice := _place_advice(error):
                    typer.echo(advice, err=True)
            else:
                raise
            raise typer.Exit(ERROR_EXIT) from error
        except KeyboardInterrupt:
            typer.echo(
                f"\nStopped. What is finished is kept; the same command goes on:\n  {_again()}", err=True
            )
            raise typer.Exit(STOPPED_EXIT) from None


def _place_advice(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "A folder is wanted there; name another one (a run's: --run)."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "You may not read or write there; allow it, or name another place (a run's: --run)."
    return ""


def _again() -> str:
    return shlex.join(["photogenic", *sys.argv[1:]])


app = typer.Typer(
    cls=Sentences,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

STAGE_HELP = {
    "pool": "List the haystack: folders of pictures become a manifest.",
    "curate": "The funnel: score, drop with reasons, keep the candidates.",
    "review": "Decide which candidates are needles.",
    "pretrain": "Make the base model, or take the one that is named.",
    "tune": "Quality-tune the base model on the needles.",
    "generate": "Draw the same prompts and seeds from each model.",
    "evaluate": "Measure the drawn pictures, model against model.",
}


@app.callback()
def photogenic() -> None:
    """Find the photogenic needles in your haystack, and quality-tune a text-to-image model on them.

    A recipe is the spine: pool, curate, review, pretrain, tune, generate, evaluate. The same command run
    again goes on where it was stopped, and does again only what a change has made out of date.

    \b
    Examples:
      photogenic demo                                the whole road, in minutes, on a laptop
      photogenic init ~/Pictures                     a recipe for your own photographs
      photogenic run pictures.yaml --dry-run         what it would do, and what it needs
      photogenic run pictures.yaml                   all of it; the last line says where the report is
    """


@app.command()
def run(
    recipe: RecipeArgument,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    shard: ShardOption = None,
    retry_failed: RetryFailedOption = False,
) -> None:
    """Walk all stages of RECIPE; those that are done are skipped.

    \b
    Examples:
      photogenic run recipes/emu-tiny.yaml --set tune.loop.max_steps=100
      photogenic run big.yaml --shard 3/8             one of eight jobs that only score; then run big.yaml
    """
    from photogenic.outcome import what_next

    road = open_road(recipe, run, overrides, workers, engine)
    if not road.recipe.stages():
        raise PhotogenicError(
            f"{recipe} has no section, so there is nothing to run.",
            f"Sections are {', '.join(STAGE_HELP)}; `photogenic init FOLDER` writes all of them.",
        )
    if dry_run:
        _show_plan(road, road.recipe.stages())
        return
    if shard is not None:
        road.score_slice(shard)
        return
    if retry_failed:
        road.retry_failed()
    _warn_of_gpu(road, road.recipe.stages())
    if not road.travel():
        typer.echo("Everything is done.")
    typer.echo(f"The whole story: {road.run.folder / 'report.html'}")
    for line in what_next(road.recipe.stages(), road.run.folder):
        typer.echo(line)


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        recipe: RecipeArgument,
        run: RunOption = None,
        overrides: SetOption = None,
        dry_run: DryRunOption = False,
        workers: WorkersOption = None,
    ) -> None:
        road = open_road(recipe, run, overrides, workers)
        if name not in road.recipe.stages():
            raise PhotogenicError(f"The recipe has no section `{name}`.", "Add it, or run another stage.")
        if dry_run:
            _show_plan(road, [name])
        else:
            _warn_of_gpu(road, [name])
            road.only(name)

    command.__doc__ = f"{STAGE_HELP[name]}\n\n\b\nExample:\n  photogenic {name} recipes/emu-tiny.yaml"
    return command


def curate(
    recipe: RecipeArgument,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    shard: ShardOption = None,
    retry_failed: RetryFailedOption = False,
) -> None:
    """The funnel: score, drop with reasons, keep the candidates.

    \b
    Examples:
      photogenic curate recipes/emu-tiny.yaml --workers 8
      photogenic curate big.yaml --shard 3/8          one of eight jobs that only score; then curate big.yaml
      photogenic curate big.yaml --retry-failed       only those that storage or a worker failed
    """
    road = open_road(recipe, run, overrides, workers, engine)
    if dry_run:
        _show_plan(road, ["curate"])
    elif shard is not None:
        road.score_slice(shard)
    elif retry_failed:
        road.retry_failed()
    else:
        road.only("curate")


OWN_COMMANDS: dict[str, Callable[..., None]] = {
    "curate": curate,
    "generate": generate,
    "review": review,
    "evaluate": evaluate,
}
for _name in STAGE_HELP:
    app.command(_name)(OWN_COMMANDS.get(_name) or _stage_command(_name))


@app.command()
def why(
    recipe: RunOrRecipeArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A sample's key, path, sample_id or uid.")],
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Say what the funnel did with one picture, and why.

    Each step it reached, with the value, the threshold and the verdict.

    \b
    Example:
      photogenic why runs/demo grinning-face
    """
    from rich.console import Console

    from photogenic.curate.why import why as stories

    for story in stories(run_folder(recipe, run, overrides), key):
        Console().print(story)


@app.command()
def status(
    recipe: RunOrRecipeArgument,
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Show each stage's state and the funnel's counts.

    \b
    Example:
      photogenic status runs/demo
    """
    from photogenic.status import show

    show(open_run_or_recipe(recipe, run, overrides))


@app.command()
def init(
    photographs: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of pictures.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write the recipe; default: <the folder>.yaml."),
    ] = None,
    tuning: Annotated[
        bool, typer.Option("--tuning/--no-tuning", help="Also tune a model on the best, or only choose them.")
    ] = True,
) -> None:
    """Write a first recipe for a folder of your own pictures.

    \b
    Examples:
      photogenic init ~/Pictures                          writes pictures.yaml
      photogenic init ~/Pictures --no-tuning              the best pictures, and no model
      photogenic init ~/Pictures/2024 --out norway.yaml   its run folder is runs/norway
    """
    from photogenic.core.words import counted
    from photogenic.starter import write_starter

    written = write_starter(photographs, out, tunes=tuning)
    for note in written.notes:
        typer.secho(note, fg="yellow", err=True)
    typer.echo(f"Wrote {written.path}, for {counted(written.num_pictures, 'picture')}.")
    typer.echo(f"Read it, then: photogenic run {shlex.quote(str(written.path))} --dry-run")


@app.command()
def demo(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="The run folder.")] = Path("runs/demo"),
    workers: WorkersOption = None,
) -> None:
    """The whole road on a laptop, in minutes.

    Draws a haystack of stickers, runs recipes/emu-tiny.yaml over it and says where the report is.

    \b
    Example:
      photogenic demo --run runs/demo
    """
    from photogenic.demo.tour import take_tour

    take_tour(run, workers or num_cores())


TOOLS: tuple[Callable[..., None], ...] = (
    ablate,
    average,
    copies,
    encode,
    tools.verdict,
    tools.export,
    forget,
    demo_pool,
    explore,
    plan,
    studio,
)
for _tool in TOOLS:
    app.command(_tool.__name__.replace("_", "-"))(_tool)


def main() -> None:
    """The console script."""
    # Threads that wait must not spin: on a machine that was busy with something else, training took fifteen
    # times as long. OpenMP reads this when torch is loaded, so it is set before anything is.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app(prog_name="photogenic")


def _show_plan(road: Road, stages: list[str]) -> None:
    from photogenic.preflight import show_plan

    show_plan(road, stages)


def _warn_of_gpu(road: Road, stages: list[str]) -> None:
    from photogenic.preflight import gpu_warning

    if warning := gpu_warning(road, stages):
        typer.secho(warning, fg="yellow", err=True)
