"""Pictures as PNG files that tell how they were made, and grids of them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from photogenic.core.shards import atomic_path, fingerprint
from photogenic.models.samplers import usual_name

PARAMETERS_KEY = "photogenic"  # PNG text chunk: JSON of the parameters and their fingerprint
PNG_END = b"IEND\xaeB`\x82"  # the last chunk of a complete PNG, with its checksum

MAX_CELL_PX = 256
MAX_GRID_PICTURES = 144
GAP_PX = 2
GAP_GREY = 160


def write_picture(
    path: Path,
    rgb: NDArray[np.uint8],
    parameters: Mapping[str, Any],
    found: Mapping[str, Any] | None = None,
) -> None:
    """Write uint8 [H, W, 3] as PNG, atomically, with what made it, and what was found of it, as text."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_bytes(rgb, parameters, found))


def png_bytes(
    rgb: NDArray[np.uint8], parameters: Mapping[str, Any], found: Mapping[str, Any] | None = None
) -> bytes:
    """The same as bytes."""
    text = PngImagePlugin.PngInfo()
    told = {"fingerprint": fingerprint(dict(parameters)), **parameters, **(found or {})}
    text.add_itxt(PARAMETERS_KEY, json.dumps(told, ensure_ascii=False))
    text.add_itxt("parameters", _usual_words(parameters, rgb.shape[1], rgb.shape[0]))
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="PNG", pnginfo=text)
    return stream.getvalue()


def is_written(path: Path, parameters: Mapping[str, Any]) -> bool:
    """Whether `path` is a complete PNG that these very parameters made."""
    told = read_parameters(path)
    return told is not None and told.get("fingerprint") == fingerprint(dict(parameters)) and _is_whole(path)


def read_parameters(path: Path) -> dict[str, Any] | None:
    """What a picture tells of its making; None when there is no such picture or it tells nothing."""
    try:
        with Image.open(path) as image:
            told = json.loads(image.info.get(PARAMETERS_KEY, "null"))
    except (OSError, SyntaxError, ValueError):  # Pillow's SyntaxError is a broken PNG
        return None
    return told if isinstance(told, dict) else None


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-len(PNG_END), 2)
        return file.read() == PNG_END


def _usual_words(parameters: Mapping[str, Any], width_px: int, height_px: int) -> str:
    """The text that many programs write and read under `parameters`."""
    negative = parameters.get("negative_prompt")
    return "\n".join(
        [
            str(parameters["prompt"]),
            *([f"Negative prompt: {negative}"] if negative else []),
            f"Steps: {parameters['num_inference_steps']}, Sampler: {usual_name(parameters['sampler'])}, "
            f"CFG scale: {parameters['guidance_scale']}, Seed: {parameters['seed']}, "
            f"Size: {width_px}x{height_px}, "
            f"Model hash: {parameters['weights']}, Model: {parameters['model']}",
        ]
    )


def write_grid(path: Path, pictures: Sequence[Path], num_columns: int | None = None) -> None:
    """One PNG of the first pictures, row by row, each at most MAX_CELL_PX wide.

    Args:
        num_columns: by default as many as make the grid about square.
    """
    shown = pictures[:MAX_GRID_PICTURES]
    columns = min(num_columns or math.ceil(math.sqrt(len(shown))), len(shown))
    images = [_cell(picture) for picture in shown]
    width, height = (max(image.size[axis] for image in images) for axis in (0, 1))
    rows = math.ceil(len(images) / columns)
    size = (columns * (width + GAP_PX) - GAP_PX, rows * (height + GAP_PX) - GAP_PX)
    grid = Image.new("RGB", size, (GAP_GREY,) * 3)
    for index, image in enumerate(images):
        grid.paste(image, ((index % columns) * (width + GAP_PX), (index // columns) * (height + GAP_PX)))
    with atomic_path(path) as temporary:
        grid.save(temporary, format="PNG")


def _cell(path: Path) -> Image.Image:
    with Image.open(path) as image:
        cell = image.convert("RGB")
    cell.thumbnail((MAX_CELL_PX, MAX_CELL_PX), Image.Resampling.LANCZOS)
    return cell
