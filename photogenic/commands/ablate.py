"""`photogenic ablate`: which part of the tuning does the work?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photogenic.options import RunOption, SetOption, WorkersOption, num_cores


def ablate(
    ablations: Annotated[Path, typer.Argument(metavar="FILE", help="A file of ablations.")],
    run: RunOption = None,
    overrides: SetOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="VARIANT", help="Only this variant of the file. Repeatable."),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Tune the same base in several ways and compare what they draw.

    The recipe that FILE names has been run up to its needles. Each variant says what it is tuned on (needles,
    random pictures, the worst ones, those that a model's attention puts first) and what else is different;
    the report has one row each and a figure, with intervals.

    \b
    Example:
      photogenic ablate recipes/ablations.yaml
    """
    from photogenic.ablation.config import Ablations
    from photogenic.ablation.walk import Ablation
    from photogenic.core.config import load_config
    from photogenic.core.errors import RecipeError
    from photogenic.core.run import Run

    config = load_config(ablations, Ablations, overrides or ())
    if only:
        try:
            config = config.only(tuple(only))
        except ValueError as error:
            raise RecipeError(f"--only: {error}") from None
    folder = run or Path("runs") / config.name
    typer.echo(f"The ablation: {Ablation(config, Run(folder), workers or num_cores()).walk()}")
