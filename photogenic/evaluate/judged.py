"""What an evaluation of folders was told, kept in its run folder: a later command needs the folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from photogenic.core.config import StrictModel, dump_config, load_config
from photogenic.core.shards import atomic_path
from photogenic.evaluate.config import EvaluateConfig

SAID = "evaluate.yaml"


class _Said(StrictModel):
    evaluate: EvaluateConfig  # under the same key as in a recipe, so that --set reads alike


def say(folder: Path, config: EvaluateConfig, overrides: Sequence[str]) -> EvaluateConfig:
    """Write `config` to the run folder, `overrides` ("evaluate.voting.max_pairs=300") laid over it.

    Raises:
        RecipeError: an override does not fit.
    """
    path = folder / SAID
    _write(path, config)
    config = read_said(folder, overrides)
    _write(path, config)
    return config


def read_said(folder: Path, overrides: Sequence[str]) -> EvaluateConfig:
    """What `say` wrote.

    Raises:
        RecipeError: the file or an override does not fit.
    """
    return load_config(folder / SAID, _Said, overrides).evaluate


def _write(path: Path, config: EvaluateConfig) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(dump_config(_Said(evaluate=config)), encoding="utf-8")
