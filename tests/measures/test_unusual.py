"""benchmarks/unusual.py and rare.py: every kind makes another picture, the same for the same generator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.decode import Rgb

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from examples import ALL_ASPECTS, MORE
from rare import RARE
from spoiling import KINDS
from unusual import UNUSUAL

SHAPES = {"sideways", "stretched", "badly joined", "squeezed", "jelly"}  # these change the size


@pytest.mark.parametrize("kind", UNUSUAL | RARE)
@pytest.mark.parametrize("size", [(600, 400), (420, 560)])
def test_each_kind_makes_another_picture(
    kind: str, size: tuple[int, int], photographs: dict[str, Rgb]
) -> None:
    image = Image.fromarray(photographs["coffee"]).resize(size)
    for seed in range(4):
        made, again = ((UNUSUAL | RARE)[kind](image, np.random.default_rng(seed)) for _ in range(2))
        assert made.mode == "RGB" and min(made.size) >= 160
        np.testing.assert_array_equal(np.asarray(made), np.asarray(again))
        if kind not in SHAPES:
            assert made.size == size
            assert np.abs(np.asarray(made, float) - np.asarray(image, float)).mean() > 0.5
    assert image.tobytes() == Image.fromarray(photographs["coffee"]).resize(size).tobytes()  # left as it was


def test_every_kind_is_a_failure_in_one_aspect() -> None:
    kinds = [kind for some in ALL_ASPECTS.values() for kind in some]
    assert sorted(kinds) == sorted(KINDS | MORE | UNUSUAL | RARE)
