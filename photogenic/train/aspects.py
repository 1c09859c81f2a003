"""Aspect buckets: pictures keep their shape, and those of one shape share a forward pass.

Each picture goes to the bucket whose aspect ratio is nearest to its own, is scaled to cover it and cropped at
its centre. No picture is left out: a step draws from all of them alike, and only its parts go by bucket (see
order.py), so a bucket with one picture is as good as any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from photogenic.train.config import AspectConfig


class Shape(NamedTuple):
    """Of a bucket's pictures, pixels."""

    height: int
    width: int


def bucket_shapes(size_px: int, config: AspectConfig | None) -> tuple[Shape, ...]:
    """Shapes of at most `size_px` ^ 2 pixels, from upright to wide; without `config` one square.

    Sides are multiples of `config.multiple_of`: for each short side the longest long one that fits the area.
    """
    if config is None:
        return (Shape(size_px, size_px),)
    step, found = config.multiple_of, {Shape(size_px, size_px)}
    for short in range(step, size_px, step):
        long = size_px**2 // short // step * step
        if long <= config.max_ratio * short:
            found |= {Shape(short, long), Shape(long, short)}
    return tuple(sorted(found, key=lambda shape: shape.width / shape.height))


def nearest_shapes(sizes: np.ndarray, shapes: Sequence[Shape]) -> np.ndarray:
    """The bucket of each picture, int64 [N], by the logarithm of the aspect ratio; `sizes` [N, 2]."""
    ratios = np.log(sizes[:, 1] / sizes[:, 0])
    of_shapes = np.log([shape.width / shape.height for shape in shapes])
    return np.abs(ratios[:, None] - of_shapes[None]).argmin(axis=1)


class Fitted(NamedTuple):
    """How pictures meet their buckets; arrays [N, 2] of heights and widths, pixels."""

    scaled: np.ndarray  # after scaling, before the crop; real numbers
    corner: np.ndarray  # of the crop in the scaled picture, top and left
    target: np.ndarray  # the bucket's


def fit_all(sizes: np.ndarray, buckets: np.ndarray, shapes: Sequence[Shape]) -> Fitted:
    """Scale to cover, crop the centre."""
    target = np.array(shapes)[buckets]
    scale = (target / sizes).max(axis=1, keepdims=True)
    scaled = sizes * scale
    return Fitted(scaled, np.floor((scaled - target) / 2 + 1e-6), target)


def time_ids(sizes: np.ndarray, fitted: Fitted) -> np.ndarray:
    """Original size, crop corner, target size, float32 [N, 6] (SDXL, section 2.2).

    An original larger than the scaled picture counts as that: only upscaled pictures are marked, and drawing
    asks for one that was not.
    """
    original = np.minimum(sizes, np.maximum(fitted.target, fitted.scaled))
    return np.concatenate([original, fitted.corner, fitted.target], axis=1).astype(np.float32)


def fit(rgb: np.ndarray, shape: Shape) -> np.ndarray:
    """uint8 [H, W, 3] scaled to cover `shape` and cropped at its centre (bicubic, antialiased)."""
    height, width = rgb.shape[:2]
    scale = max(shape.height / height, shape.width / width)
    kept = shape.height / scale, shape.width / scale
    top, left = (height - kept[0]) / 2, (width - kept[1]) / 2
    box = (max(left, 0.0), max(top, 0.0), min(left + kept[1], width), min(top + kept[0], height))
    picture = Image.fromarray(rgb).resize((shape.width, shape.height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(picture)


def accounting(sizes: np.ndarray, buckets: np.ndarray, shapes: Sequence[Shape]) -> list[dict[str, float]]:
    """Per bucket: how many pictures, the mean share that is cropped away, how many are enlarged."""
    fitted = fit_all(sizes, buckets, shapes)
    cropped = 1.0 - fitted.target.prod(axis=1) / fitted.scaled.prod(axis=1)
    enlarged: np.ndarray = np.any(fitted.scaled > sizes + 1e-6, axis=1)
    rows = []
    for number, shape in enumerate(shapes):
        inside = buckets == number
        rows.append(
            {
                "height": shape.height,
                "width": shape.width,
                "pictures": int(inside.sum()),
                "cropped_ratio": round(float(cropped[inside].mean()), 4) if inside.any() else 0.0,
                "enlarged": int(enlarged[inside].sum()),
            }
        )
    return rows


def accounting_lines(rows: Sequence[dict[str, float]], unreadable: int) -> list[str]:
    """What is printed before a stage begins."""
    total = sum(int(row["pictures"]) for row in rows)
    lines = [
        f"  {row['height']:g} x {row['width']:g}: {row['pictures']:,} pictures,"
        f" {row['cropped_ratio']:.1%} cropped away, {row['enlarged']:,} enlarged"
        for row in rows
        if row["pictures"]
    ]
    left_out = f"; {unreadable:,} cannot be read and are named in RUN/log.txt" if unreadable else ""
    return [f"{total:,} pictures in {len(lines)} buckets, none dropped{left_out}:", *lines]
