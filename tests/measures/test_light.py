from __future__ import annotations

import numpy as np
import pytest

from photogenic.measures.decode import Rgb
from photogenic.measures.light import LIGHT_COLUMNS, balance, light

ESTIMATES = ("mean", "shades", "edges", "grey")


@pytest.fixture(params=["astronaut", "coffee"])
def photograph(request: pytest.FixtureRequest, photographs: dict[str, Rgb]) -> Rgb:
    return photographs[request.param]


def tinted(rgb: Rgb, red: float, green: float, blue: float) -> Rgb:
    return np.asarray(np.clip(rgb * np.array([red, green, blue]), 0, 255), np.uint8)


def test_names_are_those_that_are_announced(photograph: Rgb) -> None:
    values = light(photograph)
    assert tuple(values) == LIGHT_COLUMNS
    assert all(np.isfinite(value) for value in values.values())


def test_warmth_and_greenness_are_powers_of_two() -> None:
    warmth, greenness = balance(np.array([[124, 60, 28], [60, 60, 60], [28, 124, 28]]))
    np.testing.assert_allclose(warmth, [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(greenness, [0, 0, 2], atol=1e-6)


def test_a_cast_moves_every_estimate_of_the_light_alike(photographs: dict[str, Rgb]) -> None:
    photograph = photographs["astronaut"]  # the coffee has hardly any blue that could be moved
    before, after = light(photograph), light(tinted(photograph, 0.8, 0.95, 0.8))
    moved = np.log2(0.95 / 0.8)
    for name in ESTIMATES:
        assert after[f"{name}_greenness"] - before[f"{name}_greenness"] == pytest.approx(moved, abs=0.1)
        assert after[f"{name}_warmth"] - before[f"{name}_warmth"] == pytest.approx(0, abs=0.1)


def test_white_that_was_tinted_is_cut_off_below_white() -> None:
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 200, (300, 400, 3)).astype(np.uint8)
    scene[:60] = 255
    before, after = light(scene), light(tinted(scene, 1.0, 1.0, 0.8))
    assert after["cut_off_below_white"] > before["cut_off_below_white"] + 5
    assert after["top_warmth"] == pytest.approx(0.2, abs=0.01)
    assert before["clipped"] > after["clipped"] + 5
    assert after["partly_clipped"] > before["partly_clipped"] + 5


def test_where_estimates_differ_in_sign_nothing_is_agreed() -> None:
    halves = np.zeros((200, 300, 3), np.uint8)
    halves[:, :150], halves[:, 150:] = (200, 120, 60), (60, 120, 200)
    values = light(halves)
    assert abs(values["warmth_agreed"]) < 0.05
    assert values["hues"] == 2


def test_a_plain_picture_has_values_too() -> None:
    for level in (0, 255):
        values = light(np.full((128, 128, 3), level, np.uint8))
        assert tuple(values) == LIGHT_COLUMNS
        assert all(np.isfinite(value) for value in values.values())
