from __future__ import annotations

import numpy as np
import pytest

from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.look import Look
from photogenic.measures.scales import small_view


def look_at(rgb: Rgb) -> Look:
    return Look(Picture(rgb, rgb.shape[1], rgb.shape[0], "pillow"), small_view(rgb), None)


@pytest.mark.parametrize("of", ["astronaut", "chelsea", "sticker", "white", "noise"])
def test_moments_are_those_of_whole_numbers_but_for_one_division(
    photographs: dict[str, Rgb], sticker: Rgb, of: str
) -> None:
    others = {
        "sticker": sticker,  # whose content is a part of it
        "white": np.full((128, 128, 3), 255, np.uint8),  # the largest sums that there are
        "noise": np.random.default_rng(0).integers(0, 256, (97, 61, 3)).astype(np.uint8),
    }
    look = look_at((photographs | others)[of])
    levels = look.planes.astype(np.int64)
    num, sums, products = levels.shape[1], levels.sum(axis=1).tolist(), (levels @ levels.T).tolist()
    mean, covariance = look.moments
    assert mean == [total / num for total in sums]
    assert covariance == [
        [(num * products[a][b] - sums[a] * sums[b]) / num**2 for b in range(3)] for a in range(3)
    ]
    assert (num < look.luma.size) == (of == "sticker")
