from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from photogenic.measures.decode import Rgb
from photogenic.measures.lines import LINE_COLUMNS, lines


def turned(rgb: Rgb, degrees: float) -> Rgb:
    """And the middle of it."""
    image = Image.fromarray(np.ascontiguousarray(rgb)).rotate(degrees, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image)[100:500, 100:500])


def windows() -> Rgb:
    down, across = np.mgrid[:600, :600]
    front = np.where((down % 90 < 50) & (across % 70 < 40), 60, 190).astype(np.uint8)
    return np.repeat(front[..., None], 3, axis=2)


def test_names_are_those_that_are_announced(photographs: dict[str, Rgb]) -> None:
    values = lines(photographs["rocket"])
    assert tuple(values) == LINE_COLUMNS
    assert all(np.isfinite(value) for value in values.values())


@pytest.mark.parametrize("degrees", [9, -14])
def test_what_was_turned_leans_to_one_side_by_that_angle(degrees: float) -> None:
    leans_by(degrees, windows())


@pytest.mark.parametrize("degrees", [9, -14])
def test_short_edges_lean_too(degrees: float) -> None:
    rng, plane = np.random.default_rng(0), np.full((600, 600), 200, np.uint8)
    for top, left, height, width in rng.integers((0, 0, 6, 6), (590, 590, 14, 14), (900, 4)):
        plane[top : top + height, left : left + width] = 200 - plane[top, left] // 2
    leans_by(degrees, np.repeat(plane[..., None], 3, axis=2))


def leans_by(degrees: float, scene: Rgb) -> None:
    upright, leaning = lines(turned(scene, 0)), lines(turned(scene, degrees))
    assert upright["edges_lean"] < 2
    assert leaning["edges_lean"] == pytest.approx(abs(degrees), abs=2)
    assert upright["edges_exact"] > 2 * leaning["edges_exact"]
    assert leaning["edges_lean_by_exact"] > upright["edges_lean_by_exact"] + 2
    assert leaning["edges_one_sided"] > upright["edges_one_sided"] + 0.2
    for turns in (4, 8):
        assert upright[f"turns_{turns}"] > leaning[f"turns_{turns}"] + 0.1
        assert leaning[f"turns_{turns}_off"] > upright[f"turns_{turns}_off"] + 0.1


def test_a_horizon_without_an_edge_is_seen_in_coarse_slopes() -> None:
    sky = np.broadcast_to((200 - 120 / (1 + np.exp(-(np.arange(600) - 300) / 40)))[:, None], (600, 600))
    scene = np.repeat(sky[..., None], 3, axis=2).astype(np.uint8)
    level, leaning = lines(turned(scene, 0)), lines(turned(scene, 10))
    assert level["coarse_lean"] < 1
    assert leaning["coarse_lean"] == pytest.approx(10, abs=1)
    assert level["coarse_level"] > 0.9 > 0.1 > leaning["coarse_level"]


def test_without_lines_there_is_nothing_to_lean() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (300, 300))
    soft = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(8))
    values = lines(np.repeat(np.asarray(soft)[..., None], 3, axis=2))
    assert values["edges_lean_share"] == 0
    assert values["edges_one_sided"] == 0
    assert all(np.isfinite(value) for value in values.values())
    assert tuple(lines(np.zeros((128, 128, 3), np.uint8))) == LINE_COLUMNS
