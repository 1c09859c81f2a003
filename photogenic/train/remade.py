"""Models that a finished tuning could have become: of another checkpoint, of an average of another length."""

from __future__ import annotations

from pathlib import Path

from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.models.lora import merge_lora
from photogenic.train.config import TuneConfig
from photogenic.train.further import save_beside
from photogenic.train.tune import open_tuning


def remake(
    config: TuneConfig,
    run: Run,
    *,
    base: Path,
    seed: int,
    global_step: int,
    sigma_rel: float | None,
    folder: Path,
) -> Path:
    """Save the model of RUN/tune as it was after `global_step`; nothing is trained.

    Args:
        sigma_rel: length of the average; None takes the one that the gate saw.
        folder: where the model goes.

    Raises:
        RunError: the gate saw no such checkpoint.
        RecipeError: another length is asked for, and the tuning stored no averages to make it from.
    """
    opened = open_tuning(config, run, base=base, seed=seed)
    keeper = opened.keeper
    if sigma_rel is not None and keeper.post_hoc is None:
        raise RecipeError(
            f"An average of length {sigma_rel} cannot be made: {run.folder} stored none while it was tuned.",
            "Give that tuning `tune.ema.post_hoc: {lengths: [0.1]}`.",
        )
    steps = sorted({row.global_step for row in keeper.rows()})
    if global_step not in steps:
        seen = ", ".join(map(str, steps)) or "none"
        raise RunError(
            f"{run.folder} has no checkpoint of step {global_step}; there are: {seen}.",
            "Name one of these, or tune with `tune.loop.checkpoint_every` that it is a multiple of.",
        )
    keeper.restore(global_step, sigma_rel)
    if config.lora is not None:
        merge_lora(opened.pipeline)
    return save_beside(opened.pipeline, base, folder)
