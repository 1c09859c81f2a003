from __future__ import annotations

import numpy as np
import pytest

from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.look import Covariance, Look, Mean
from photogenic.measures.scales import small_view


def look_at(small: Rgb) -> Look:
    return Look(Picture(small, small.shape[1], small.shape[0], "pillow"), small, None)


def noise(height: int, width: int) -> Rgb:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def dot_on_white() -> Rgb:
    """A picture of which one pixel is content."""
    rgb = np.full((128, 128, 3), 255, np.uint8)
    rgb[40, 70] = 200, 100, 30
    return rgb


def exact_moments(pixels: Rgb) -> tuple[Mean, Covariance]:
    """Of [N, 3], from Python's whole numbers."""
    levels = pixels.astype(np.int64)
    num, sums, products = len(levels), levels.sum(axis=0).tolist(), (levels.T @ levels).tolist()
    return [total / num for total in sums], [
        [(num * products[a][b] - sums[a] * sums[b]) / num**2 for b in range(3)] for a in range(3)
    ]


@pytest.mark.parametrize("of", ["astronaut", "chelsea", "sticker", "dot", "white", "noise", "one pixel"])
def test_moments_are_those_of_whole_numbers_but_for_one_division(
    photographs: dict[str, Rgb], sticker: Rgb, of: str
) -> None:
    others = {
        "sticker": sticker,  # whose content is a part of it
        "dot": dot_on_white(),
        "white": np.full((128, 128, 3), 255, np.uint8),  # the largest sums that there are
        "noise": noise(97, 61),
        "one pixel": np.array([[[200, 100, 30]]], np.uint8),
    }
    look = look_at(small_view((photographs | others)[of]))
    content = look.frame.content
    pixels = look.small[content if content.any() else ~content]  # a blank picture is its ground
    assert look.moments == exact_moments(pixels)
    assert (len(pixels) < look.luma.size) == (of in ("sticker", "dot"))


def test_moments_of_one_pixel_of_content_are_its_colour() -> None:
    assert look_at(dot_on_white()).moments == ([200.0, 100.0, 30.0], [[0.0] * 3] * 3)


def test_moments_stay_exact_where_products_of_sums_exceed_the_whole_numbers_of_floats() -> None:
    large = noise(1024, 1024)
    assert look_at(large).moments == exact_moments(large.reshape(-1, 3))
