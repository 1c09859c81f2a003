"""`photogenic encode`: needles and captions through the frozen encoders, once."""

from __future__ import annotations

import typer

from photogenic.core.errors import RecipeError
from photogenic.core.words import counted
from photogenic.options import RecipeArgument, RunOption, SetOption, open_road


def encode(recipe: RecipeArgument, run: RunOption = None, overrides: SetOption = None) -> None:
    """Encode needles and captions for tuning, beforehand.

    What is encoded already is not touched.

    Tuning does this itself where it was not done. As a command of its own it can run beforehand, on another
    machine of the same kind, or beside a cluster that waits. A needle that cannot be read is named. The same
    command goes on where it was stopped.

    \b
    Example:
      photogenic encode recipes/sdxl.yaml
    """
    from photogenic.road import base_model, run_lock
    from photogenic.train.tune import encode as encode_needles

    road = open_road(recipe, run, overrides, None)
    if road.recipe.tune is None:
        raise RecipeError("The recipe has no section `tune`.", "Only tuning reads encoded needles.")
    with run_lock(road.run.folder):
        encoded = encode_needles(road.recipe.tune, road.run, base=base_model(road))
    captions = len(set(encoded.captions))
    typer.echo(f"{counted(len(encoded.uids), 'needle')} and {counted(captions, 'caption')} are encoded.")
