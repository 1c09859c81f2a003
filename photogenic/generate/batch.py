"""The stage: the same prompts and seeds drawn by every model; a picture that is there is not drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from photogenic.core.prompts import read_prompts
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import write_table
from photogenic.core.weights import weights_folder
from photogenic.generate.config import GenerateConfig
from photogenic.generate.drawing import Drawing, draw_missing, table_of
from photogenic.generate.pictures import write_grid

GRID = "grid.png"
MANIFEST = "manifest.parquet"


def generate(config: GenerateConfig, run: Run, *, models: Mapping[str, Path], seed: int) -> None:
    """Write RUN/generate/<name>/: a PNG per prompt and seed, grid.png, and manifest.parquet as the last.

    Args:
        models: name -> folder, what the road made; `config.models` takes their place when it names any.
        seed: of the run; each prompt gets seeds of its own from it.
    """
    named = {name: weights_folder(path) for name, path in config.models.items()}
    prompts = read_prompts(config.prompts)
    count = config.num_images_per_prompt
    drawings = [
        Drawing(prompt, seed_for(seed, prompt.prompt_id, index) % 2**32)
        for prompt in prompts
        for index in range(count)
    ]
    folder = run.stage("generate")
    chosen = dict(named or models)
    _forget_others(folder, chosen)
    for name, weights in chosen.items():
        run.log.info("generate: %d pictures from %s", len(drawings), name)
        draw_missing(folder / name, name, weights, drawings, config)
        _remove_others(folder / name, drawings)
        conclude(folder / name, table_of(folder / name, name, weights, drawings, config), count)


def conclude(folder: Path, table: pa.Table, num_columns: int, shown: Sequence[Path] | None = None) -> None:
    """The grid, then the manifest: where it is, all is."""
    pictures = shown or [folder / file for file in table.column("file").to_pylist()]
    if pictures:
        write_grid(folder / GRID, pictures, num_columns if num_columns > 1 else None)
    write_table(folder / MANIFEST, table)


def _remove_others(folder: Path, drawings: Iterable[Drawing]) -> None:
    """Pictures of earlier configurations would be taken for this one's."""
    wanted = {drawing.file for drawing in drawings} | {GRID}
    for path in folder.glob("*.png"):
        if path.name not in wanted:
            path.unlink()


def _forget_others(folder: Path, models: Iterable[str]) -> None:
    """Take the manifests of models that are no longer asked for; their pictures stay, in case they are."""
    for path in folder.glob(f"*/{MANIFEST}"):
        if path.parent.name not in models:
            path.unlink()
