"""benchmarks/unusual.py, rare.py, framing.py: each makes another picture, the same for the same generator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.decode import Rgb

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from examples import ALL_ASPECTS, FURTHER, FURTHER_ASPECTS, SPOILS
from framing import subject_of

SHAPES = {"sideways", "stretched", "badly joined", "squeezed", "jelly", *FURTHER_ASPECTS["framing"]}


@pytest.mark.parametrize("kind", FURTHER)
@pytest.mark.parametrize("size", [(600, 400), (420, 560)])
def test_each_kind_makes_another_picture(
    kind: str, size: tuple[int, int], photographs: dict[str, Rgb]
) -> None:
    image = Image.fromarray(photographs["coffee"]).resize(size)
    for seed in range(4):
        made, again = (FURTHER[kind](image, np.random.default_rng(seed)) for _ in range(2))
        assert made.mode == "RGB" and min(made.size) >= (120 if kind in FURTHER_ASPECTS["framing"] else 160)
        np.testing.assert_array_equal(np.asarray(made), np.asarray(again))
        if kind not in SHAPES:
            assert made.size == size
            assert np.abs(np.asarray(made, float) - np.asarray(image, float)).mean() > 0.5
    assert image.tobytes() == Image.fromarray(photographs["coffee"]).resize(size).tobytes()  # left as it was


def test_every_kind_is_a_failure_in_one_aspect() -> None:
    kinds = [kind for some in ALL_ASPECTS.values() for kind in some]
    assert sorted(kinds) == sorted(SPOILS)


def test_the_subject_is_what_stands_out_and_is_cut_through() -> None:
    """A disc on a plain ground: it is found, and a frame that cuts through it keeps a part of it."""
    field = np.full((400, 600, 3), (90, 120, 60), np.uint8)
    down, across = np.indices((400, 600))
    field[np.hypot(across - 360, down - 180) < 70] = (220, 60, 40)
    subject = subject_of(Image.fromarray(field))
    np.testing.assert_allclose(subject.middle, [0.6, 0.45], atol=0.05)
    assert not subject.is_diffuse
    whole = (field[..., 0] == 220).sum()
    for seed in range(20):
        part = np.asarray(FURTHER["cut through"](Image.fromarray(field), np.random.default_rng(seed)))
        assert 0.1 * whole < (part[..., 0] == 220).sum() < 0.9 * whole
        edges = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
        assert (edges[:, 0] == 220).any()
        empty = np.asarray(FURTHER["pointless part"](Image.fromarray(field), np.random.default_rng(seed)))
        assert (empty[..., 0] == 220).sum() < 0.5 * whole
