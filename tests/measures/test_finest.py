from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from photogenic.measures.decode import Rgb
from photogenic.measures.finest import FINEST_COLUMNS, finest


@pytest.fixture(params=["astronaut", "coffee"])
def photograph(request: pytest.FixtureRequest, photographs: dict[str, Rgb]) -> Rgb:
    return photographs[request.param]


def test_names_are_those_that_are_announced(photograph: Rgb) -> None:
    values = finest(photograph)
    assert tuple(values) == FINEST_COLUMNS
    assert all(np.isfinite(value) for value in values.values())


def test_a_smeared_picture_has_lost_its_finest_octave_beside_strong_edges(photograph: Rgb) -> None:
    smeared = np.asarray(Image.fromarray(photograph).filter(ImageFilter.MedianFilter(7)))
    before, after = finest(photograph), finest(smeared)
    assert after["finest_02_middle"] < before["finest_02_middle"] - 0.3
    assert after["calm_beside_steep"] > 1.5 * before["calm_beside_steep"]


def test_a_mosaic_steps_at_even_distances(photograph: Rgb) -> None:
    height, width = photograph.shape[:2]
    small = cv2.resize(photograph, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    mosaic = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    assert finest(mosaic)["even_steps_least"] > finest(photograph)["even_steps_least"] + 0.7


def test_light_that_shines_in_lifts_the_darkest_parts_most_in_one_place(photograph: Rgb) -> None:
    height, width = photograph.shape[:2]
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    spot = np.exp(-((across - 0.5) ** 2 + (down - 0.3) ** 2) / (2 * 0.25**2))
    lit = np.clip(photograph + 200 * spot[..., None], 0, 255).astype(np.uint8)
    before, after = finest(photograph), finest(lit)
    assert after["veil"] > before["veil"] + 0.3
    assert after["veil_fit"] > before["veil_fit"] + 0.2


@pytest.mark.parametrize("name", ["axes_apart", "edges_apart"])
def test_what_was_widened_is_softer_across_than_down(photograph: Rgb, name: str) -> None:
    height, width = photograph.shape[:2]
    wide, high = (
        cv2.resize(photograph, size, interpolation=cv2.INTER_CUBIC)
        for size in ((width * 8 // 5, height), (width, height * 8 // 5))
    )
    across, own, down = (finest(np.asarray(each, np.uint8))[name] for each in (wide, photograph, high))
    assert across < own - 0.2 and down > own + 0.2
    assert finest(photograph.transpose(1, 0, 2))[name] == pytest.approx(-own, abs=0.05)


def test_a_plain_and_a_small_picture_have_values_too() -> None:
    for size in ((128, 128), (128, 1000)):
        values = finest(np.full((*size, 3), 90, np.uint8))
        assert all(np.isfinite(value) for value in values.values())
