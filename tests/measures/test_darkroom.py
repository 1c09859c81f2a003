from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from photogenic.measures.darkroom import (
    DARKROOM_COLUMNS,
    NETWORKS,
    POSTURES,
    PRESSED,
    SIDE_PX,
    Darkroom,
    darkroom,
    format_of,
    squeezed,
)
from photogenic.measures.decode import Rgb

NAMES = ("astronaut", "coffee", "chelsea")


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Counter-clockwise, cut to a part that was inside."""
    (width, height), other = image.size, image.rotate(degrees, Image.Resampling.BICUBIC)
    return other.crop((width // 5, height // 5, width * 4 // 5, height * 4 // 5))


def tinted(image: Image.Image, red: float, blue: float) -> Image.Image:
    values = np.asarray(image, np.float32) * (red, 1, blue)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


class Asked:
    """One of the networks."""

    def __init__(self, network: str) -> None:
        self.network = network

    def __call__(self, image: Image.Image, column: str) -> float:
        return darkroom()(np.asarray(image))[f"{self.network}_{column}"]

    def warmth(self, image: Image.Image) -> float:
        """How much more red than blue has been made."""
        return self(image, "red") - self(image, "blue")


def test_answers_do_not_depend_on_what_is_asked_with_them(photographs: dict[str, Rgb]) -> None:
    pictures = [squeezed(photographs[name]) for name in NAMES]
    assert {each.shape for each in pictures} == {(SIDE_PX, SIDE_PX, 3)}
    formats = [format_of(photographs[name]) for name in NAMES]
    together = darkroom().batch(pictures, formats)
    assert together.shape == (3, len(DARKROOM_COLUMNS))
    one_by_one = [list(darkroom()(photographs[name]).values()) for name in NAMES]
    np.testing.assert_allclose(together, one_by_one, rtol=0, atol=1e-3)
    again = Darkroom().batch(pictures, formats)
    np.testing.assert_array_equal(again, together)


@pytest.mark.parametrize("name", NAMES)
def test_a_mirror_image_leans_as_far_the_other_way(name: str, photographs: dict[str, Rgb]) -> None:
    picture = squeezed(photographs[name])
    straight, mirrored = darkroom().batch([picture, np.ascontiguousarray(picture[:, ::-1])], [0, 0])
    for network in NETWORKS:
        turn, lean = (DARKROOM_COLUMNS.index(f"{network}_{column}") for column in ("turn", "lean"))
        assert straight[lean] == abs(straight[turn]) > 0
        straight[turn] *= -1
    # The views that are turned by quarters are not mirrored, too, so postures differ.
    postures = [DARKROOM_COLUMNS.index(f"darkroom2_{each}") for each in POSTURES]
    others = np.setdiff1d(np.arange(len(DARKROOM_COLUMNS)), postures)
    np.testing.assert_allclose(mirrored[others], straight[others], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_done_is_told(name: str, photographs: dict[str, Rgb]) -> None:
    """By the first network, of photographs that it has learnt from: of others it is measured, not tested."""
    image, answer = Image.fromarray(photographs[name]), Asked("darkroom")
    for degrees in (-14, 14):
        assert answer(turned(image, degrees), "turned") > answer(turned(image, 0), "turned") + 0.2
    warm, cool = tinted(image, 1.25, 0.8), tinted(image, 0.8, 1.25)
    assert answer.warmth(warm) > answer.warmth(image) + 0.1 > answer.warmth(cool) + 0.2
    faded = ImageEnhance.Color(image).enhance(0.15)
    assert answer(faded, "saturation") < answer(image, "saturation") - 0.7
    assert answer(faded, "saturated") > answer(image, "saturated")
    assert answer(Image.eval(image, lambda level: level // 3), "gain") < answer(image, "gain") - 0.5


@pytest.mark.parametrize("network", NETWORKS)
def test_what_was_done_is_told_of_most(network: str, photographs: dict[str, Rgb]) -> None:
    """The second has not learnt from these three: it may be mistaken about one, not about all together."""
    images, answer = [Image.fromarray(photographs[name]) for name in NAMES], Asked(network)

    def mean(column: str, done: Callable[[Image.Image], Image.Image]) -> float:
        return float(np.mean([answer(done(image), column) for image in images]))

    for degrees in (-14, 14):
        was, now = (mean("turned", partial(turned, degrees=each)) for each in (0, degrees))
        assert now > was + 0.5
    warm = mean("red", lambda image: tinted(image, 1.25, 0.8)) - mean("red", lambda image: image)
    assert warm > 0.3
    faded = mean("saturation", lambda image: ImageEnhance.Color(image).enhance(0.15))
    assert faded < mean("saturation", lambda image: image) - 0.7


@pytest.mark.parametrize("name", NAMES)
def test_what_is_pressed_thin_is_told_by_the_format_of_the_file(
    name: str, photographs: dict[str, Rgb]
) -> None:
    """In a square a picture looks the same when it is half as wide: so do the networks' answers."""
    image = Image.fromarray(photographs[name])
    thin = image.resize((image.width // 2, image.height), Image.Resampling.LANCZOS)
    was, now = (darkroom()(np.asarray(each)) for each in (image, thin))
    assert now["darkroom2_format"] == pytest.approx(was["darkroom2_format"], abs=0.1)
    assert now[PRESSED] == pytest.approx(was[PRESSED] - np.log(2), abs=0.1)
    assert was[PRESSED] == pytest.approx(format_of(photographs[name]) - was["darkroom2_format"], abs=1e-5)


def test_which_way_is_up_is_told_of_most(photographs: dict[str, Rgb]) -> None:
    """Of three that the second network has not learnt from."""
    right = 0
    for name in NAMES:
        for quarters, posture in enumerate(("upright", "on_side", "upside_down", "on_side")):
            answers = darkroom()(np.ascontiguousarray(np.rot90(photographs[name], quarters)))
            right += posture == max(POSTURES, key=lambda each: answers[f"darkroom2_{each}"])
    assert right >= 9  # of 12
