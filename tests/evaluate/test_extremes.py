"""Solid black and solid white."""

from __future__ import annotations

import numpy as np
import pytest

from photogenic.evaluate.extremes import extremes


def test_contrast_is_between_what_was_to_be_black_and_white() -> None:
    prompts = [
        "a cat",
        "Solid black",
        "a solid black background",
        "solid white",
        "solid black on solid white",
    ]
    found = extremes(prompts, np.array([0.5, 0.1, 0.3, 0.9, 0.0]))
    assert found is not None
    assert (found.black, found.white, found.num_pictures) == (pytest.approx(0.2), pytest.approx(0.9), 3)
    assert found.contrast == pytest.approx(0.7) and "contrast of 0.70" in found.sentence("tuned")


def test_without_both_there_is_nothing_to_tell() -> None:
    assert extremes(["solid black", "a white cat"], np.array([0.0, 1.0])) is None
    assert extremes([], np.array([])) is None
