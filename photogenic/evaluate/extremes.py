"""What a model makes of "solid black" and "solid white": how far it can leave the middle of the scale.

Models trained with the usual noise never reach either end (arXiv 2305.08891, section 1); noise offset and
zero-terminal SNR are meant to mend that, and this is where it shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLACK = re.compile(r"\b(solid|plain|pure|completely) black\b", re.IGNORECASE)
WHITE = re.compile(r"\b(solid|plain|pure|completely) white\b", re.IGNORECASE)


@dataclass(frozen=True)
class Extremes:
    """Mean luma, 0-1, of the pictures that were to be black, and of those that were to be white."""

    black: float
    white: float
    num_pictures: int

    @property
    def contrast(self) -> float:
        """1 where black is black and white is white."""
        return self.white - self.black

    def sentence(self, model: str) -> str:
        return (
            f"Asked for solid black and solid white, {model} draws a mean luma of {self.black:.2f} and"
            f" {self.white:.2f}: a contrast of {self.contrast:.2f} of 1 ({self.num_pictures} pictures)."
        )


def extremes(prompts: Sequence[str], luma_mean: NDArray[np.float64]) -> Extremes | None:
    """From each picture's prompt and mean luma; None unless both black and white were asked for.

    A prompt that names both, such as a pattern, counts for neither.
    """
    black = np.array([bool(BLACK.search(text)) for text in prompts], bool)
    white = np.array([bool(WHITE.search(text)) for text in prompts], bool)
    both = black & white
    black, white = black & ~both, white & ~both
    if not (black.any() and white.any()):
        return None
    means = [float(luma_mean[rows].mean()) for rows in (black, white)]
    return Extremes(means[0], means[1], int(black.sum() + white.sum()))
