from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.decode import Rgb
from photogenic.measures.scales import halved, reduced, sampled, small_view


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


@pytest.mark.parametrize("long_side_px", [513, 640, 816, 1023, 2047])
def test_the_small_view_of_a_large_picture_has_its_light_and_colours(
    photographs: dict[str, Rgb], long_side_px: int
) -> None:
    for rgb in photographs.values():
        large = Image.fromarray(rgb).resize((long_side_px, long_side_px * 2 // 3), Image.Resampling.LANCZOS)
        view = small_view(np.asarray(large))
        assert max(view.shape) == 128
        exact = np.asarray(large.resize(view.shape[1::-1], Image.Resampling.BOX))
        assert view.mean(axis=(0, 1)) == pytest.approx(exact.mean(axis=(0, 1)), abs=1)
        levels = np.quantile(view, (0.05, 0.25, 0.5, 0.75, 0.95))
        assert levels == pytest.approx(np.quantile(exact, (0.05, 0.25, 0.5, 0.75, 0.95)), abs=6)


def test_sampled_has_the_size_and_steeper_edges(photographs: dict[str, Rgb]) -> None:
    grey = np.asarray(Image.fromarray(photographs["coffee"]).convert("L").resize((800, 530)))
    view, smooth = sampled(grey, 512), reduced(grey, 512)
    assert view.shape == smooth.shape == (339, 512)
    assert sampled(view, 512) is view
    assert np.abs(np.diff(view.astype(int))).mean() > np.abs(np.diff(smooth.astype(int))).mean()
    assert view.mean() == pytest.approx(smooth.mean(), abs=0.5)
