"""Pictures as a model of `transformers` wants them: its preprocessor_config.json, with Pillow alone.

The same numbers as transformers' own image processors give with their Pillow backend.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.errors import MissingModelError
from photogenic.measures.scales import MODEL_LEAST_PX, LeastSize
from photogenic.measures.vision import Rgb

Pixels = NDArray[np.float32]  # [3, H, W]

# Of a size given as a plain number: CLIP means the shorter side, all others a square.
SHORTEST_EDGE_KINDS = ("CLIP",)
BICUBIC_KINDS = ("CLIP", "Siglip", "Deit", "DeiT")
NOT_UNDERSTOOD = ("crop_pct", "do_pad", "pad_size", "longest_edge", "max_num_patches", "do_reduce_labels")


@dataclass(frozen=True)
class Preparation:
    """Resize, crop, rescale, normalise, as far as the model's file asks for it."""

    size: tuple[int, int] | int | None  # (height, width), or the shorter side
    crop: tuple[int, int] | None  # (height, width), from the middle
    resample: Image.Resampling
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def least_size(self) -> LeastSize | None:
        """What it reduces pictures from; None where it takes their pixels as they are."""
        if self.size is None:
            return None
        side_px = self.size if isinstance(self.size, int) else max(self.size)
        return LeastSize(short_side_px=max(MODEL_LEAST_PX, side_px))

    def __call__(self, rgb: Rgb) -> Pixels:
        """[H, W, 3] uint8 of any size -> [3, H', W'] float32."""
        image = Image.fromarray(rgb)
        if self.size is not None:
            image = image.resize(_width_and_height(image, self.size), self.resample)
        pixels = np.asarray(image)
        if self.crop is not None:
            pixels = _middle(pixels, *self.crop)
        scaled = pixels.astype(np.float32) * np.float32(self.scale)
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1))


def read_preparation(folder: Path) -> Preparation:
    """What the files of a model's folder ask for.

    Raises:
        MissingModelError: there is no such file, or it asks for something that is not understood here.
    """
    path, settings = _settings(folder)
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or "")
    strange = [key for key in NOT_UNDERSTOOD if settings.get(key)]
    size = settings.get("size") if settings.get("do_resize", True) else None
    if isinstance(size, dict) and not ("shortest_edge" in size or "height" in size):
        strange.append(f"size {size}")
    if strange:
        raise MissingModelError(f"{path} asks for what is not known here: {', '.join(strange)}.")
    is_clip = kind.startswith(SHORTEST_EDGE_KINDS)
    crops = settings.get("do_center_crop", is_clip)
    bicubic = Image.Resampling.BICUBIC if kind.startswith(BICUBIC_KINDS) else Image.Resampling.BILINEAR
    normalises = settings.get("do_normalize", True)
    return Preparation(
        size=_size(size, shortest=is_clip),
        crop=_pair(settings.get("crop_size") or size) if crops else None,
        resample=Image.Resampling(settings.get("resample", bicubic)),
        scale=settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0,
        mean=tuple(settings.get("image_mean", (0.5,) * 3)) if normalises else (0.0,) * 3,
        std=tuple(settings.get("image_std", (0.5,) * 3)) if normalises else (1.0,) * 3,
    )


def _settings(folder: Path) -> tuple[Path, dict[str, Any]]:
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file():
            settings = json.loads(path.read_text(encoding="utf-8"))
            return path, settings.get("image_processor", settings)
    raise MissingModelError(
        f"{folder} does not say how pictures are prepared: it has no preprocessor_config.json.",
        "Save the model's image processor beside it.",
    )


def _size(size: Any, *, shortest: bool) -> tuple[int, int] | int | None:
    if isinstance(size, dict) and "shortest_edge" in size:
        return int(size["shortest_edge"])
    if isinstance(size, int) and shortest:
        return size
    return None if size is None else _pair(size)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        side = int(size.get("shortest_edge") or 0)
        return int(size.get("height") or side), int(size.get("width") or side)
    return (int(size), int(size))


def _width_and_height(image: Image.Image, size: tuple[int, int] | int) -> tuple[int, int]:
    if isinstance(size, tuple):
        return size[1], size[0]
    short, long = sorted(image.size)
    longer = int(size * long / short)
    return (size, longer) if image.width <= image.height else (longer, size)


def _middle(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle [height, width, 3]; what the picture lacks is black."""
    missing = (max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1]))
    if any(missing):
        margins = [(missing[0] // 2 + missing[0] % 2, missing[0] // 2)]
        margins += [(missing[1] // 2 + missing[1] % 2, missing[1] // 2), (0, 0)]
        pixels = np.pad(pixels, margins)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
