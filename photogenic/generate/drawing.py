"""The pictures that are missing are drawn, each written as soon as it is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.console import console, progress
from photogenic.core.errors import MissingExtraError, PhotogenicError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.prompts import Prompt
from photogenic.core.weights import folder_fingerprint
from photogenic.generate.config import GenerateConfig
from photogenic.generate.pictures import is_written, read_parameters, write_picture
from photogenic.generate.settings import DrawSettings, settings_for
from photogenic.generate.share import Share

WITHHELD = "withheld"  # in a picture's metadata: it was found unsafe, and a grey one is there instead
WITHHELD_GREY = 128


@dataclass(frozen=True)
class Drawing:
    """One picture to be: what, and from which noise."""

    prompt: Prompt
    seed: int

    @property
    def file(self) -> str:
        return f"{self.prompt.prompt_id}-{self.seed}.png"


def draw_missing(
    folder: Path,
    name: str,
    weights: Path,
    drawings: Sequence[Drawing],
    config: GenerateConfig,
    share: Share | None = None,
) -> None:
    """Draw the pictures that are not there yet; of several processes, each its part."""
    share = share or Share()
    folder.mkdir(parents=True, exist_ok=True)
    if share.is_first:
        for left_behind in folder.glob(".*.png.*.tmp"):
            left_behind.unlink()
    share.wait()
    settings = settings_for(config, weights)
    told = _told(drawings, settings, config, {"model": name, "weights": folder_fingerprint(weights)})
    missing = [
        drawing for drawing in share.part(drawings) if not is_written(folder / drawing.file, told[drawing])
    ]
    if missing:
        pipeline, draw = load_for_drawing(weights, config.device, one_by_one=config.batch_size == 1)
        with _compiled(pipeline, config.compile), progress(f"drawing with {name}", len(missing)) as advance:
            images = draw(
                pipeline,
                [drawing.prompt.text for drawing in missing],
                [drawing.seed for drawing in missing],
                **settings.as_dict(),
            )
            checked = _checked(images, config.max_unsafe_prob)
            for drawing, (image, found) in zip(missing, checked, strict=True):
                write_picture(folder / drawing.file, image, told[drawing], found)
                advance()
    share.wait()


def load_for_drawing(weights: Path, device: str, *, one_by_one: bool = False) -> tuple[Any, Any]:
    """The pipeline, and `draw`; imported here, for torch takes seconds and may not be installed.

    Args:
        one_by_one: whether pictures are drawn one at a time, and not in batches.

    Raises:
        MissingExtraError: there is no torch.
        PhotogenicError: there is no such device.
    """
    try:
        import torch

        from photogenic.models.checkpoint import load_pipeline
        from photogenic.models.sampling import draw
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", f"Drawing pictures ({error.name})") from error
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps}.get(device.partition(":")[0])
    if backend is not None and not backend.is_available():
        raise PhotogenicError(f"This machine has no `{device}` that torch can use.", "Take `auto`, or `cpu`.")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    pipeline = load_pipeline(weights, device=device)
    if hasattr(pipeline, "unet") and not (one_by_one and device == "cpu"):
        pipeline.unet.to(memory_format=torch.channels_last)  # faster for batches; slower for one on a CPU
    return pipeline, draw


def _compiled(pipeline: Any, what: str | None) -> AbstractContextManager[None]:
    if what is None:
        return nullcontext()
    from photogenic.models.compiled import compiled
    from photogenic.models.families import denoiser_of

    return compiled(denoiser_of(pipeline), what, drawing=True)


def table_of(
    folder: Path, name: str, weights: Path, drawings: Iterable[Drawing], config: GenerateConfig
) -> pa.Table:
    """The manifest's rows; a withheld picture has none, so that nobody judges the grey in its place."""
    settings = settings_for(config, weights)
    rows, num_withheld = [], 0
    for drawing in drawings:
        if (read_parameters(folder / drawing.file) or {}).get(WITHHELD):
            num_withheld += 1
            continue
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
                "guidance_scale": settings.guidance_scale,
                "num_inference_steps": settings.num_inference_steps,
            }
        )
    if num_withheld:
        console.print(
            f"{name}: {num_withheld} pictures withheld as unsafe; they are grey and in no manifest."
        )
    return pa.Table.from_pylist(rows, schema=IMAGES_SCHEMA)


def _told(
    drawings: Sequence[Drawing], settings: DrawSettings, config: GenerateConfig, model: Mapping[str, str]
) -> dict[Drawing, dict[str, Any]]:
    """Drawing -> all that decides how its picture looks."""
    shared = settings.as_dict() | dict(model)
    switches = {"max_unsafe_prob": config.max_unsafe_prob, "compile": config.compile}
    shared |= {name: value for name, value in switches.items() if value is not None}
    return {drawing: {"prompt": drawing.prompt.text, "seed": drawing.seed, **shared} for drawing in drawings}


def _checked(
    images: Iterator[NDArray[np.uint8]], max_unsafe_prob: float | None
) -> Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]:
    """Each picture with what the check found of it; grey where it is likelier unsafe than asked."""
    if max_unsafe_prob is None:
        yield from ((image, {}) for image in images)
        return
    from photogenic.measures.unsafe import Unsafe

    unsafe = Unsafe()
    for image in images:
        prob = round(float(unsafe(image)), 4)
        if prob > max_unsafe_prob:
            yield np.full_like(image, WITHHELD_GREY), {"unsafe_prob": prob, WITHHELD: True}
        else:
            yield image, {"unsafe_prob": prob}
