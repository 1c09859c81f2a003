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

from photogenic.core.errors import PhotogenicError

if TYPE_CHECKING:
    from photogenic.core.run import Run
    from photogenic.road import Road

ERROR_EXIT, STOPPED_EXIT = 2, 130


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
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            typer.secho("The disk is full.", fg="red", err=True)
            typer.echo(f"Free some space; the same command goes on:\n  {_again()}", err=True)
            raise typer.Exit(ERROR_EXIT) from error
        except KeyboardInterrupt:
            typer.echo(
                f"\nStopped. What is finished is kept; the same command goes on:\n  {_again()}", err=True
            )
            raise typer.Exit(STOPPED_EXIT) from None


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

RecipeArgument = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="A recipe file, or the name of one that comes with photogenic."),
]
RunOrRecipeArgument = Annotated[
    str, typer.Argument(metavar="RUN_OR_RECIPE", help="A run folder, or a recipe.")
]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="The run folder; default: runs/<name of the recipe>."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override: curate.steps.ocr.max_words=5. Repeatable."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the resolved plan and what it needs; run nothing.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, metavar="N", help="Processes; default: one a core.")
]

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
      photogenic run my-pictures.yaml --dry-run      what it would do, and what it needs
    """


@app.command()
def run(
    recipe: RecipeArgument,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
    workers: WorkersOption = None,
) -> None:
    """Walk all stages of RECIPE; those that are done are skipped.

    \b
    Example:
      photogenic run recipes/emu-tiny.yaml --set tune.loop.max_steps=100
    """
    road = _road(recipe, run, overrides, workers)
    if dry_run:
        _show_plan(road, road.recipe.stages())
        return
    if not road.travel():
        typer.echo("Everything is done.")
    typer.echo(f"The whole story: {road.run.folder / 'report.html'}")


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        recipe: RecipeArgument,
        run: RunOption = None,
        overrides: SetOption = None,
        dry_run: DryRunOption = False,
        workers: WorkersOption = None,
    ) -> None:
        road = _road(recipe, run, overrides, workers)
        if name not in road.recipe.stages():
            raise PhotogenicError(f"The recipe has no section `{name}`.", "Add it, or run another stage.")
        if dry_run:
            _show_plan(road, [name])
        else:
            road.only(name)

    command.__doc__ = f"{STAGE_HELP[name]}\n\n\b\nExample:\n  photogenic {name} recipes/emu-tiny.yaml"
    return command


for _name in STAGE_HELP:
    app.command(_name)(_stage_command(_name))


@app.command()
def draw(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model's folder, or emu-tiny.")],
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", help="What to draw.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="Pictures per prompt.")] = 4,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the first picture; the next has the next.")
    ] = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pictures go.")] = Path("drawn"),
) -> None:
    """Draw pictures from a model.

    \b
    Example:
      photogenic draw runs/demo "red apple" "cat face" -n 8
    """
    from photogenic.generate.batch import generate_from_command

    typer.echo(generate_from_command(model, prompts, count, seed, out))


@app.command()
def verdict(
    votes: Annotated[Path, typer.Argument(metavar="VOTES", help="Votes as .jsonl, .csv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")] = Path(
        "verdict"
    ),
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="MODEL", help="Hold the others against this one; default: base."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Also write the votes as .jsonl, .csv or .parquet."),
    ] = None,
) -> None:
    """Count the raters' votes: who was preferred, how surely, and how far raters agree.

    \b
    Example:
      photogenic verdict votes.jsonl --out verdict
    """
    from photogenic.evaluate.verdict import judge
    from photogenic.evaluate.verdict_report import in_a_sentence, write_verdict
    from photogenic.evaluate.votes import read_votes, write_votes

    cast = read_votes(votes)
    findings = judge(cast, base=base)
    page = write_verdict(out, findings)
    if export is not None:
        write_votes(export, cast)
    for panel in findings.panels:
        for contest in panel.contests:
            typer.echo(in_a_sentence(panel, contest))
    typer.echo(f"The whole verdict: {page}")


@app.command("plan-votes")
def plan_votes(
    win_rate: Annotated[
        float, typer.Option("--win-rate", metavar="P", help="Hoped-for share of untied prompts won, 0 to 1.")
    ],
    tie_ratio: Annotated[
        float, typer.Option("--tie-ratio", metavar="P", help="Share of prompts expected to tie.")
    ] = 0.0,
    power: Annotated[float, typer.Option("--power", metavar="P", help="Chance to see it.")] = 0.8,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="P", help="Chance to see what is not there.")
    ] = 0.05,
) -> None:
    """Say how many prompts and votes a hoped-for win rate needs.

    \b
    Example:
      photogenic plan-votes --win-rate 0.6 --tie-ratio 0.3
    """
    from photogenic.evaluate.plan import plan

    typer.echo(plan(win_rate, tie_ratio=tie_ratio, power=power, alpha=alpha))


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

    for story in stories(_run_folder(recipe, run, overrides), key):
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

    resolved = Path(recipe) / "recipe.resolved.yaml"
    if resolved.is_file():
        show(_road(str(resolved), Path(recipe), overrides, None))
    else:
        show(_road(recipe, run, overrides, None))


@app.command()
def export(
    recipe: RunOrRecipeArgument,
    to: Annotated[str, typer.Option("--to", metavar="FORM", help="webdataset, folder, parquet or ids.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where it goes; outside the pool.")],
    what: Annotated[str, typer.Option("--what", metavar="TABLE", help="needles or candidates.")] = "needles",
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Write the needles or the candidates for other programs: the original bytes, captions and scores.

    The same command again goes on where it was stopped, and tries again what could not be read.

    \b
    Example:
      photogenic export runs/demo --to webdataset --out needles
    """
    from photogenic.export import export as write

    done = write(_run_folder(recipe, run, overrides), what, to, out)
    typer.echo(f"{done.num_samples} {what} in {out}.")
    if done.unreadable:
        typer.secho(
            f"{len(done.unreadable)} could not be read: {out / 'unreadable.jsonl'}", fg="red", err=True
        )
        raise typer.Exit(ERROR_EXIT)


@app.command()
def init(
    photographs: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of pictures.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write the recipe.")
    ] = None,
) -> None:
    """Write a first recipe for a folder of your own pictures.

    \b
    Example:
      photogenic init ~/Pictures/holidays --out holidays.yaml
    """
    from photogenic.starter import write_starter

    path = write_starter(photographs, out)
    typer.echo(f"Wrote {path}. Read it, then: photogenic run {shlex.quote(str(path))} --dry-run")


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

    take_tour(run, workers or _cores())


@app.command("demo-pool")
def demo_pool(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; must not exist.")],
    sources: Annotated[
        str, typer.Option("--sources", metavar="A,B,...", help="Of openmoji, twemoji, noto, fluent_3d, ...")
    ] = "openmoji,twemoji",
    num_samples: Annotated[
        int | None,
        typer.Option(
            "--num-samples", min=1, metavar="N", help="Default: 2000 of the demo's sources, else all."
        ),
    ] = None,
    spoiled_ratio: Annotated[
        float, typer.Option("--spoiled-ratio", min=0, max=0.8, help="Share of spoiled pictures.")
    ] = 0.3,
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="MIN,MAX", help="Longer side of the drawings, pixels.")
    ] = "192,320",
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Which are drawn, and how they are spoiled.")
    ] = 0,
    node_modules: Annotated[
        Path | None, typer.Option("--node-modules", metavar="DIR", help="Where npm put packages of stickers.")
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Draw the demo's haystack: stickers, a share of them spoiled.

    DIR becomes an ordinary folder of pictures with metadata.jsonl. What was spoiled, and how, is written next
    to it (DIR.truth.jsonl), where no stage comes across it; only the closing story reads it.

    \b
    Example:
      photogenic demo-pool runs/haystack
    """
    from photogenic.demo.haystack import write_haystack
    from photogenic.demo.sources import DEMO_SOURCES
    from photogenic.demo.tour import NUM_SAMPLES

    names = sources.split(",")
    least, _, largest = sizes.partition(",")
    if not (least.isdecimal() and largest.isdecimal()):
        raise PhotogenicError(f"--sizes is {sizes!r}.", "Give two numbers of pixels: --sizes 192,320")
    summary = write_haystack(
        folder,
        names,
        num_samples=num_samples or (NUM_SAMPLES if set(names) <= set(DEMO_SOURCES) else None),
        spoiled_ratio=spoiled_ratio,
        seed=seed,
        node_modules=node_modules,
        sizes_px=(int(least), int(largest)),
        workers=workers or _cores(),
    )
    typer.echo(f"{summary.num_samples} pictures in {folder}, {summary.spoiled_ratio:.0%} of them spoiled.")


def main() -> None:
    """The console script."""
    # Threads that wait must not spin: on a machine that was busy with something else, training took fifteen
    # times as long. OpenMP reads this when torch is loaded, so it is set before anything is.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app(prog_name="photogenic")


def _run_folder(name: str, run: Path | None, overrides: list[str] | None) -> Run:
    """A run folder named itself, or the one of a recipe."""
    from photogenic.core.run import Run

    return Run(Path(name)) if Path(name).is_dir() else _road(name, run, overrides, None).run


def _road(recipe: str, run: Path | None, overrides: list[str] | None, workers: int | None) -> Road:
    from photogenic.core.run import Run
    from photogenic.recipe import find_recipe, load_recipe
    from photogenic.road import Road

    loaded = load_recipe(find_recipe(recipe), overrides or [])
    return Road(loaded, Run(run or Path("runs") / loaded.name), workers or _cores())


def _show_plan(road: Road, stages: list[str]) -> None:
    from photogenic.preflight import show_plan

    show_plan(road, stages)


def _cores() -> int:
    """Those this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
