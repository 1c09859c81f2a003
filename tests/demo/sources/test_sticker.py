from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.core.errors import DecodeError
from photogenic.demo.sources.sticker import concept_of, draw, slug

DISC = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    '<circle cx="20" cy="20" r="10" fill="#00f"/></svg>'
)


@pytest.mark.parametrize(("width", "height", "shape"), [(40, 80, (100, 50)), (80, 40, (50, 100))])
def test_the_longer_side_has_the_size(width: int, height: int, shape: tuple[int, int]) -> None:
    assert draw(DISC.format(width=width, height=height), 100).shape == (*shape, 4)


def test_alpha_is_straight(tmp_path: Path) -> None:
    half = np.full((40, 40, 4), (200, 100, 50, 128), np.uint8)
    half[:, 20:] = 0
    Image.fromarray(half).save(tmp_path / "half.png")
    drawn = draw(tmp_path / "half.png", 20)
    visible = drawn[drawn[..., 3] > 100]
    assert np.abs(visible[:, :3].astype(int) - (200, 100, 50)).max() <= 2  # no rim of the transparent black


def test_trimming_draws_the_visible_part_sharply() -> None:
    disc = draw(DISC.format(width=100, height=100), 200, trim=True)
    assert disc.shape == (200, 200, 4)
    inside = (disc[..., 3] > 127).mean()
    assert inside == pytest.approx(np.pi / 4, abs=0.01)
    soft = (disc[..., 3] > 0) & (disc[..., 3] < 255)
    assert soft.mean() < 0.06  # a rim of one or two pixels, as nothing was enlarged


@pytest.mark.parametrize(
    ("art", "says"),
    [
        ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>', "draws nothing"),
        ("<svg", "cannot be drawn"),
        (Path("nowhere.png"), "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_says_so(art: str | Path, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        draw(art, 32)


def test_concepts_do_not_depend_on_a_package_s_habits() -> None:
    assert concept_of("0023-FE0F-20E3") == concept_of("23-20e3") == "0023-20e3"
    assert concept_of("1F441-FE0F-200D-1F5E8-FE0F") == "1f441-200d-1f5e8"


def test_slug() -> None:
    assert slug("Travel & Places") == "travel-places"
