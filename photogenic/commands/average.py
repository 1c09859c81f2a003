"""`photogenic average`: several tuned models into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def average(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Folders of models, or runs that tuned one.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the new model goes.")],
    shares: Annotated[
        list[float] | None, typer.Option("--share", help="How much each counts; repeatable, in all 1.")
    ] = None,
) -> None:
    """Average the weights of models tuned from the same base.

    Tunings on other needles, with other seeds, or of other lengths: their average often draws better than any
    of them (Diffusion Soup), and costs no training.

    \b
    Example:
      photogenic average runs/birds runs/flowers --out models/garden
    """
    from photogenic.generate.on_demand import find_model
    from photogenic.train.soup import soup

    typer.echo(f"Wrote {soup([find_model(model) for model in models], out, shares)}.")
