"""The stage: the same prompts and seeds drawn by every model; a picture that is there is not drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image
from pydantic import ValidationError

from photogenic.core.console import progress
from photogenic.core.errors import MissingExtraError, RecipeError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import read_table, write_table
from photogenic.core.weights import folder_fingerprint, weights_folder
from photogenic.generate.config import GenerateConfig
from photogenic.generate.pictures import is_written, write_grid, write_picture
from photogenic.generate.prompts import Prompt, read_prompts

GRID = "grid.png"
MANIFEST = "manifest.parquet"
SAMPLER = "DPM++ 2M"  # DPM-Solver++ multistep of second order, under the name most programs give it


@dataclass(frozen=True)
class Drawing:
    """One picture to be: what, and from which noise."""

    prompt: Prompt
    seed: int

    @property
    def file(self) -> str:
        return f"{self.prompt.prompt_id}-{self.seed}.png"


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
        _draw_missing(folder / name, name, weights, drawings, config)
        _remove_others(folder / name, drawings)
        _conclude(folder / name, _table(folder / name, name, drawings, config), count)


def generate_from_command(
    model: str, prompts: Sequence[str] | Path, n: int, seed: int, out: Path, **settings: Any
) -> Path:
    """Draw `n` pictures of each prompt, from the seeds seed, seed + 1, ... into a folder of `out` per model.

    What else lies there stays.

    Args:
        model: a model's folder, a run with a tuned model, or the name of a packaged model.
        prompts: texts, or a file of them.
        settings: further fields of `GenerateConfig`, such as guidance_scale.

    Returns:
        the grid of the pictures, out/<model>/grid.png.

    Raises:
        RecipeError: a setting is out of range; MissingModelError: there is no such model.
    """
    try:
        config = GenerateConfig(
            prompts=prompts if isinstance(prompts, Path) else tuple(prompts),
            num_images_per_prompt=n,
            **settings,
        )
    except ValidationError as error:
        faults = (f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise RecipeError("; ".join(dict.fromkeys(faults))) from None
    weights = find_model(model)
    drawings = [Drawing(prompt, seed + k) for prompt in read_prompts(config.prompts) for k in range(n)]
    name = _name_of(weights)
    folder = out / name
    _draw_missing(folder, name, weights, drawings, config)
    new = _table(folder, name, drawings, config)
    shown = [folder / file for file in new.column("file").to_pylist()]
    _conclude(folder, _with_earlier(folder, new), n, shown)
    return folder / GRID


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


def _name_of(weights: Path) -> str:
    """The folder's name; RUN-tune for RUN/tune/model, for all of those are called `model`."""
    if weights.name != "model":
        return weights.name
    return f"{weights.parent.parent.name}-{weights.parent.name}".strip("-")


def _draw_missing(
    folder: Path, name: str, weights: Path, drawings: Sequence[Drawing], config: GenerateConfig
) -> None:
    """Draw the pictures that are not there yet, each written as soon as it is done."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob(".*.png.*.tmp"):
        left_behind.unlink()
    model = {"model": name, "weights": folder_fingerprint(weights)}
    told = {drawing: _parameters(drawing, config) | model for drawing in drawings}
    missing = [drawing for drawing in drawings if not is_written(folder / drawing.file, told[drawing])]
    if not missing:
        return
    pipeline, draw = _loaded(weights, config.device)
    with progress(f"drawing with {name}", len(missing)) as advance:
        images = draw(
            pipeline,
            [drawing.prompt.text for drawing in missing],
            [drawing.seed for drawing in missing],
            negative_prompt=config.negative_prompt,
            guidance_scale=config.guidance_scale,
            guidance_rescale=config.guidance_rescale,
            num_inference_steps=config.num_inference_steps,
            size_px=config.size_px,
            batch_size=config.batch_size,
        )
        for drawing, image in zip(missing, images, strict=True):
            write_picture(folder / drawing.file, image, told[drawing])
            advance()


def _loaded(weights: Path, device: str) -> tuple[Any, Any]:
    """The pipeline, and `draw`; imported here, for torch takes seconds and may not be installed."""
    try:
        import torch

        from photogenic.models.checkpoint import load_pipeline
        from photogenic.models.sampling import draw
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", f"Drawing pictures ({error.name})") from error
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_pipeline(weights, device=device), draw


def _parameters(drawing: Drawing, config: GenerateConfig) -> dict[str, Any]:
    """All that decides how the picture looks, but for the model."""
    return {
        "prompt": drawing.prompt.text,
        "negative_prompt": config.negative_prompt,
        "seed": drawing.seed,
        "guidance_scale": config.guidance_scale,
        "guidance_rescale": config.guidance_rescale,
        "num_inference_steps": config.num_inference_steps,
        "sampler": SAMPLER,
        "size_px": config.size_px,
        "batch_size": config.batch_size,
    }


def _table(folder: Path, name: str, drawings: Iterable[Drawing], config: GenerateConfig) -> pa.Table:
    rows = []
    for drawing in drawings:
        with Image.open(folder / drawing.file) as image:
            width_px, height_px = image.size
        rows.append(
            {
                "image_id": f"{name}/{Path(drawing.file).stem}",
                "model": name,
                "prompt_id": drawing.prompt.prompt_id,
                "prompt": drawing.prompt.text,
                "category": drawing.prompt.category,
                "challenge": drawing.prompt.challenge,
                "seed": drawing.seed,
                "file": drawing.file,
                "width_px": width_px,
                "height_px": height_px,
                "guidance_scale": config.guidance_scale,
                "num_inference_steps": config.num_inference_steps,
            }
        )
    return pa.Table.from_pylist(rows, schema=IMAGES_SCHEMA)


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


def _conclude(folder: Path, table: pa.Table, num_columns: int, shown: Sequence[Path] | None = None) -> None:
    """The grid, then the manifest: where it is, all is."""
    pictures = shown or [folder / file for file in table.column("file").to_pylist()]
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
