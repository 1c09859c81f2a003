"""`photogenic copies`: does a base model draw its training pictures, and how varied are its own?"""

from __future__ import annotations

from typing import Annotated

import typer

from photogenic.options import RunOption, RunOrRecipeArgument, SetOption, open_run_or_recipe


def copies(
    recipe: RunOrRecipeArgument,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="MODEL", help="Another model of the same training; default: its own."
        ),
    ] = None,
    num_names: Annotated[
        int, typer.Option("--names", min=2, max=200, metavar="N", help="Known names that are drawn.")
    ] = 200,
    num_images: Annotated[int, typer.Option("-n", min=1, metavar="N", help="Drawings of each name.")] = 4,
    clip: Annotated[
        str | None, typer.Option("--clip", metavar="CLIP", help="By default the recipe's `evaluate.clip`.")
    ] = None,
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Look for training pictures in what a base model draws.

    It draws names that training pictures carry. Each drawing's nearest training picture is held against what
    real held-out pictures have for a nearest one, and against as many held-out pictures; and how varied the
    drawings of a name are, against real pictures of it.

    \b
    Examples:
      photogenic copies recipes/emu-tiny-pretrain.yaml
      photogenic copies runs/emu-tiny-pretrain --model emu-tiny -n 8
    """
    from photogenic.copies.walk import Check

    road = open_run_or_recipe(recipe, run, overrides)
    typer.echo(f"The report: {Check(road, num_names, num_images, model, clip).walk()}")
