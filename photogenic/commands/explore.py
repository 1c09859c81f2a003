"""`photogenic explore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photogenic.core.errors import RecipeError, RunError
from photogenic.core.names import RESOLVED
from photogenic.options import RunOption, RunOrRecipeArgument, run_folder

if TYPE_CHECKING:
    from photogenic.recipe import Recipe


def explore(
    name: RunOrRecipeArgument,
    run: RunOption = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="The recipe that thresholds are written back to."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On this machine; default: a free one.")
    ] = 0,
) -> None:
    """Drag the funnel's thresholds; counts and pictures follow.

    Opens nothing that was not scored, and says what would have to be. What you decide is written back to the
    recipe file, after you have seen the difference. The page is served to this machine alone.

    \b
    Examples:
      photogenic explore recipes/emu-tiny.yaml
      photogenic explore runs/holidays --recipe holidays.yaml
    """
    from photogenic.curate.explore.edit import RecipeFile
    from photogenic.curate.explore.serve import explore as serve
    from photogenic.recipe import load_recipe

    found = run_folder(name, run, None)
    resolved = found.folder / RESOLVED
    if not resolved.exists() and Path(name) != found.folder:
        raise RunError(f"{name} has not been curated.", f"Run `photogenic curate {name}` first.")
    if not resolved.exists():
        raise RunError(f"{found.folder} is no run folder.", "Name a run folder, or a recipe that was run.")
    loaded = load_recipe(resolved)
    if loaded.curate is None:
        raise RunError(f"The recipe of {found.folder} has no section `curate`.")
    path = recipe or (Path(name) if Path(name).is_file() else _recipe_of(loaded))
    if path is not None and not path.is_file():
        raise RecipeError(f"There is no recipe {path}.")
    if path is None:
        typer.echo(
            "Thresholds cannot be written back: say where the recipe lies with --recipe FILE.", err=True
        )
    file = None if path is None else RecipeFile(path.resolve(), load_recipe)
    serve(found, loaded.curate, file, port=port, ready=_tell)


def _recipe_of(resolved: Recipe) -> Path | None:
    """The file that a run came from: of its name, where one keeps recipes, and with the same funnel."""
    from photogenic.recipe import load_recipe

    for path in (Path(f"{resolved.name}.yaml"), Path("recipes") / f"{resolved.name}.yaml"):
        try:
            if path.is_file() and load_recipe(path).curate == resolved.curate:
                return path
        except RecipeError:
            continue
    return None


def _tell(link: str) -> None:
    typer.echo(f"Open {link}\nCtrl-C ends it.")
