from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from photogenic.measures.craft import CRAFT_COLUMNS, craft
from photogenic.measures.decode import Rgb


@pytest.fixture(params=["astronaut", "coffee"])
def photograph(request: pytest.FixtureRequest, photographs: dict[str, Rgb]) -> Rgb:
    return photographs[request.param]


def noisy(rgb: Rgb, *, of_colour: bool) -> Rgb:
    noise = np.random.default_rng(0).normal(0, 12, rgb.shape)
    if of_colour:
        noise -= noise @ np.array([0.299, 0.587, 0.114])[:, None]  # luma stays
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


def test_names_are_those_that_are_announced(photograph: Rgb) -> None:
    values = craft(photograph)
    assert tuple(values) == CRAFT_COLUMNS
    assert all(np.isfinite(value) for value in values.values())


def test_blur_takes_the_finest_octave_and_sharpening_adds_to_it(photograph: Rgb) -> None:
    image = Image.fromarray(photograph)
    soft = craft(np.asarray(image.filter(ImageFilter.GaussianBlur(1.5))))
    crisp = craft(np.asarray(image.filter(ImageFilter.UnsharpMask(2, 300, 0))))
    for name in ("octave_0", "busy_01_middle", "busy_02_high"):
        assert soft[name] < craft(photograph)[name] - 0.5 < crisp[name] - 0.7


def test_colour_noise_is_seen_where_luma_is_calm(photograph: Rgb) -> None:
    before, after = craft(photograph), craft(noisy(photograph, of_colour=True))
    assert after["calm_colour"] > before["calm_colour"] + 1
    assert after["calm_luma"] < before["calm_luma"] + 1
    assert after["calm_colour_by_luma"] > before["calm_colour_by_luma"] + 0.5


def test_a_shake_shows_along_its_way(photograph: Rgb) -> None:
    before, shaken = craft(photograph), craft(cv2.blur(photograph, (15, 1)))
    assert shaken["anisotropy"] > before["anisotropy"] + 0.5
    assert shaken["curvature_least"] < 0.6 * before["curvature_least"]


def test_a_collage_has_gutters_and_a_photograph_has_none(photograph: Rgb) -> None:
    height, width = (side // 2 - 4 for side in photograph.shape[:2])
    page = np.full_like(photograph, 255)
    for top in (0, photograph.shape[0] - height):
        for left in (0, photograph.shape[1] - width):
            page[top : top + height, left : left + width] = cv2.resize(photograph, (width, height))
    assert craft(page)["gutter"] == 1
    assert craft(photograph)["gutter"] == 0


def test_dark_corners_fall_off_from_the_middle(photograph: Rgb) -> None:
    height, width = photograph.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    dark = (photograph * np.clip(1 - 0.5 * (down**2 + across**2), 0, 1)[..., None]).astype(np.uint8)
    before, after = craft(photograph), craft(dark)
    assert after["brightest_corner"] < before["brightest_corner"] / 3
    assert after["falloff"] < before["falloff"] - 1


@pytest.mark.parametrize("name", ["coffee", "rocket"])  # the astronaut has black alone that is flat
def test_few_colours_are_few_bits(name: str, photographs: dict[str, Rgb]) -> None:
    photograph = photographs[name]
    assert craft(photograph & 0b11000000)["flat_colours"] < craft(photograph)["flat_colours"] - 1


@pytest.mark.parametrize("degrees", [8, -14])
def test_lines_that_are_turned_are_slanted(degrees: float) -> None:
    bars = np.where(np.arange(600) // 40 % 2, 200, 60).astype(np.uint8)
    straight = np.broadcast_to(bars[None, :, None], (600, 600, 3))
    turned = np.asarray(
        Image.fromarray(np.ascontiguousarray(straight)).rotate(degrees, Image.Resampling.BICUBIC)
    )
    upright, slanted = (craft(np.ascontiguousarray(each[100:500, 100:500])) for each in (straight, turned))
    assert upright["upright_lines"] > upright["slanted_lines"] + 3
    assert slanted["slanted_lines"] > slanted["upright_lines"] + 3


def test_a_cast_moves_the_lights(photograph: Rgb) -> None:
    magenta = np.clip(photograph * np.array([1.1, 0.8, 1.1]), 0, 255).astype(np.uint8)
    before, after = craft(photograph), craft(magenta)
    for place in ("all", "lights"):
        assert after[f"{place}_red_green"] > before[f"{place}_red_green"] + 10


def test_a_small_picture_has_no_octaves_to_compare() -> None:
    assert craft(np.zeros((100, 400, 3), np.uint8)) == {}
    assert tuple(craft(np.zeros((128, 128, 3), np.uint8))) == CRAFT_COLUMNS
