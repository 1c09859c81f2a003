from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.decode import Rgb
from photogenic.measures.scales import halved, reduced, small_view


@pytest.mark.parametrize("long_side_px", [129, 255, 256, 257, 640, 1023, 1025, 4100])
def test_reduced_is_near_the_mean_of_areas(photographs: dict[str, Rgb], long_side_px: int) -> None:
    large = Image.fromarray(photographs["coffee"]).resize((long_side_px, long_side_px * 2 // 3))
    view = reduced(np.asarray(large), 128)
    assert max(view.shape) == 128
    expected = np.asarray(large.resize(view.shape[1::-1], Image.Resampling.HAMMING))
    assert np.abs(view.astype(int) - expected.astype(int)).mean() < 3


def test_nothing_is_enlarged_and_odd_shapes_are_kept() -> None:
    assert reduced(np.zeros((5, 9, 3), np.uint8), 128).shape == (5, 9, 3)
    assert reduced(np.zeros((1, 3000, 3), np.uint8), 512).shape == (1, 512, 3)
    assert reduced(np.zeros((700, 900), np.uint8), 300).shape == (233, 300)
    assert halved(np.zeros((1025, 2047, 3), np.uint8), 512).shape == (512, 1023, 3)
    assert small_view(np.zeros((4, 1, 3), np.uint8)).shape == (4, 1, 3)
