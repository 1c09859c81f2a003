"""What commands have in common: their options, and the way to a road or a run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photogenic.core.names import RESOLVED
from photogenic.engines.tasks import EngineName

if TYPE_CHECKING:
    from photogenic.core.run import Run
    from photogenic.road import Road

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
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="Where curate scores: processes of this machine, or Ray (RAY_ADDRESS)."),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Only score the I-th of N slices of the pool (from 1), for array jobs; a last run without it"
        " decides.",
    ),
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try those pictures again that curate could not judge.")
]
HostOption = Annotated[str, typer.Option("--host", help="Where to listen.")]
OriginOption = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="URL", help="The address that others use. Repeatable."),
]
BackupOption = Annotated[
    Path | None,
    typer.Option("--backup", metavar="FILE", help="Write a backup: .db (SQLite) or .jsonl (any)."),
]
RestoreOption = Annotated[
    Path | None, typer.Option("--restore", metavar="FILE", help="Bring a backup into an empty database.")
]


def port_option(usual: int) -> Any:
    """Of a server that has the same port at every start."""
    return typer.Option("--port", min=0, max=65535, help=f"Default: {usual}. 0: any that is free.")


def run_folder(name: str, run: Path | None, overrides: list[str] | None) -> Run:
    """A run folder named itself, or the one of a recipe.

    Raises:
        PhotogenicError: it is named, and `--run` names another.
    """
    from photogenic.core.run import Run

    if not Path(name).is_dir():
        return open_road(name, run, overrides, None).run
    _refuse_another(Path(name), run)
    return Run(Path(name))


def open_run_or_recipe(name: str, run: Path | None, overrides: list[str] | None) -> Road:
    """As `open_road`; a run folder that is named itself has its recipe in it.

    Raises:
        PhotogenicError: it is named, and `--run` names another.
    """
    resolved = Path(name) / RESOLVED
    if not resolved.is_file():
        return open_road(name, run, overrides, None)
    _refuse_another(Path(name), run)
    return open_road(str(resolved), Path(name), overrides, None)


def _refuse_another(named: Path, run: Path | None) -> None:
    """Of two run folders one would silently mean nothing."""
    from photogenic.core.errors import PhotogenicError

    if run is not None and run.resolve() != named.resolve():
        raise PhotogenicError(
            f"{named} is a run folder, and --run names another, {run}.", "Name one of them, or a recipe."
        )


def open_road(
    recipe: str,
    run: Path | None,
    overrides: list[str] | None,
    workers: int | None,
    engine: EngineName = "local",
) -> Road:
    """The recipe, by file or name, on its way through its run folder.

    Raises:
        RecipeError: there is no such recipe, or it is wrong.
    """
    from photogenic.core.run import Run
    from photogenic.recipe import find_recipe, load_recipe
    from photogenic.road import Road

    loaded = load_recipe(find_recipe(recipe), overrides or [])
    return Road(loaded, Run(run or Path("runs") / loaded.name), workers or num_cores(), engine)


def num_cores() -> int:
    """Those this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
