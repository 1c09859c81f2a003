"""Smaller views of one picture: each measure looks at the smallest one at which it is still right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

Pixels = TypeVar("Pixels", bound=NDArray[np.uint8])  # [H, W, 3] or [H, W]

# Sharpness and noise cannot be compared between sizes, so they are measured at this one.
CANONICAL_LONG_SIDE_PX = 512
SMALL_LONG_SIDE_PX = 128  # light, colour, the frame

# What a model sees is reduced from at least this size, however small its view: below it JPEG's scales alias.
MODEL_LEAST_PX = 256


@dataclass(frozen=True)
class LeastSize:
    """The size below which a picture would have to be enlarged for what looks at it."""

    long_side_px: int = 1
    short_side_px: int = 0  # any

    def long_side_of(self, width_px: int, height_px: int) -> int:
        """The long side at which a picture of that shape has both."""
        short, long = sorted((width_px, height_px))
        return max(self.long_side_px, -(-self.short_side_px * long // short))


def reduced(pixels: Pixels, long_side_px: int) -> Pixels:
    """Reduces [H, W, 3] or [H, W] by averaging to exactly `long_side_px`; never enlarges.

    Halving is four times as fast as OpenCV's general averaging, so all but one step are halvings; that one is
    bilinear, to twice the size wanted. It is half a level off the exact mean of areas.
    """
    if max(pixels.shape[:2]) <= long_side_px:
        return pixels
    size = _size(pixels, long_side_px)
    pixels, twice = halved(pixels, 2 * long_side_px), (2 * size[0], 2 * size[1])
    if pixels.shape[1::-1] != twice:
        pixels = _resized(pixels, twice, opencv().INTER_LINEAR)
    return _resized(pixels, size, opencv().INTER_AREA)


def sampled(pixels: Pixels, long_side_px: int) -> Pixels:
    """As `reduced`, in a third of its time: one bilinear step after the halvings, which smooths less."""
    if max(pixels.shape[:2]) <= long_side_px:
        return pixels
    return _resized(halved(pixels, long_side_px), _size(pixels, long_side_px), opencv().INTER_LINEAR)


def halved(pixels: Pixels, least_long_side_px: int) -> Pixels:
    """Halves [H, W, 3] or [H, W] as long as the long side stays at least `least_long_side_px`."""
    while max(pixels.shape[:2]) >= 2 * least_long_side_px and min(pixels.shape[:2]) >= 2:
        height, width = pixels.shape[:2]
        even = pixels[: height // 2 * 2, : width // 2 * 2]  # an odd last line is left out, not blended in
        pixels = _resized(cast(Pixels, even), (width // 2, height // 2), opencv().INTER_AREA)
    return pixels


def small_view(rgb: Pixels) -> Pixels:
    """[h, w, 3] with a long side of at most 128 px.

    Of a large picture only some places are looked at, two by two pixels for one: to fetch all its rows from
    memory takes longer than the arithmetic on them. That is enough for means and histograms.
    """
    if max(rgb.shape[:2]) <= CANONICAL_LONG_SIDE_PX:
        return reduced(rgb, SMALL_LONG_SIDE_PX)
    width, height = _size(rgb, SMALL_LONG_SIDE_PX)
    apart = max(1, rgb.shape[0] // height // 2)  # of the rows between which a pixel lies
    return _resized(cast(Pixels, rgb[apart // 2 :: apart]), (width, height), opencv().INTER_LINEAR)


def _size(pixels: Pixels, long_side_px: int) -> tuple[int, int]:
    """Width and height with that long side."""
    height, width = pixels.shape[:2]
    ratio = max(height, width) / long_side_px
    return max(1, round(width / ratio)), max(1, round(height / ratio))


def _resized(pixels: Pixels, size: tuple[int, int], interpolation: int) -> Pixels:
    return cast(Pixels, opencv().resize(pixels, size, interpolation=interpolation))
