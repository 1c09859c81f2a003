"""Pictures on demand: one model, some prompts or a file of them, no recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from photogenic.core.errors import RecipeError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.prompts import PROMPT_FILES, read_prompts
from photogenic.core.shards import read_table
from photogenic.core.weights import weights_folder
from photogenic.generate.batch import GRID, MANIFEST, conclude
from photogenic.generate.config import GenerateConfig
from photogenic.generate.drawing import Drawing, draw_missing, table_of
from photogenic.generate.share import current_share


def generate_from_command(
    model: str, prompts: Sequence[str] | Path, n: int, seed: int, out: Path, **settings: Any
) -> Path:
    """Draw `n` pictures of each prompt, from the seeds seed, seed + 1, ... into a folder of `out` per model.

    What else lies there stays. Started by torchrun, several processes share the work.

    Args:
        model: a model's folder, a run with a tuned model, or the name of a packaged model.
        prompts: texts, or a file of them.
        settings: further fields of `GenerateConfig`, such as guidance_scale.

    Returns:
        the grid of the pictures, out/<model>/grid.png.

    Raises:
        RecipeError: a setting is out of range; MissingModelError: there is no such model.
    """
    config = _config(prompts, n, settings)
    weights = find_model(model)
    drawings = [Drawing(prompt, seed + k) for prompt in read_prompts(config.prompts) for k in range(n)]
    name = name_of(weights)
    folder = out / name
    share = current_share()
    draw_missing(folder, name, weights, drawings, config, share)
    if share.is_first:
        new = table_of(folder, name, weights, drawings, config)
        shown = [folder / file for file in new.column("file").to_pylist()]
        conclude(folder, _with_earlier(folder, new), n, shown)
    share.wait()
    return folder / GRID


def prompts_or_file(words: Sequence[str]) -> Sequence[str] | Path:
    """A file of prompts where that is what the one word names, else the words themselves, each a prompt.

    Raises:
        RecipeError: it looks like such a file, and there is none.
    """
    if len(words) != 1 or Path(words[0]).suffix.lower() not in PROMPT_FILES or " " in words[0]:
        return words
    path = Path(words[0]).expanduser()
    if not path.is_file():
        raise RecipeError(f"There is no file of prompts {path}.")
    return path


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a model: itself, the tuned model of a run, what a training stage made, or a packaged one.

    Raises:
        MissingModelError: there is none.
    """
    path = Path(name_or_path).expanduser()
    for inside in ("", "tune/model", "model"):
        if (path / inside / "model_index.json").exists():
            return (path / inside).resolve()
    return weights_folder(name_or_path)


def name_of(weights: Path) -> str:
    """The folder's name; RUN-tune for RUN/tune/model, for all of those are called `model`."""
    if weights.name != "model":
        return weights.name
    return f"{weights.parent.parent.name}-{weights.parent.name}".strip("-")


def _config(prompts: Sequence[str] | Path, n: int, settings: dict[str, Any]) -> GenerateConfig:
    try:
        return GenerateConfig(
            prompts=prompts if isinstance(prompts, Path) else tuple(prompts),
            num_images_per_prompt=n,
            **settings,
        )
    except ValidationError as error:
        faults = (
            f"{fault['loc'][0]}: {fault['msg']}" if fault["loc"] else fault["msg"] for fault in error.errors()
        )
        raise RecipeError("; ".join(dict.fromkeys(faults))) from None


def _with_earlier(folder: Path, new: pa.Table) -> pa.Table:
    """The rows of pictures that earlier commands put there, then the new ones."""
    if not (folder / MANIFEST).exists():
        return new
    files = set(new.column("file").to_pylist())
    earlier = [
        row
        for row in read_table(folder / MANIFEST).to_pylist()
        if row["file"] not in files and (folder / row["file"]).exists()
    ]
    return pa.concat_tables([pa.Table.from_pylist(earlier, schema=IMAGES_SCHEMA), new])
