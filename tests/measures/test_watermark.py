from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from photogenic.measures.decode import Rgb
from photogenic.measures.watermark import watermark_score

BOUND = 13


def stamped(rgb: Rgb, opacity: float, angle: float = 30) -> Rgb:
    """The same words again and again over the whole picture, half-transparent."""
    image = Image.fromarray(rgb)
    width, height = image.size
    layer = Image.new("L", (2 * width, 2 * height))
    draw, font = ImageDraw.Draw(layer), ImageFont.load_default(height // 14)
    for y in range(0, 2 * height, height // 5):
        for x in range(0, 2 * width, width // 2):
            draw.text((x, y), "STOCKPHOTO", round(255 * opacity), font)
    mask = layer.rotate(angle).crop((width // 2, height // 2, width // 2 + width, height // 2 + height))
    return np.asarray(Image.composite(Image.new("RGB", image.size, "white"), image, mask))


@pytest.mark.parametrize("opacity", [0.3, 0.6])
def test_repeated_marks_stand_out_and_photographs_do_not(photographs: dict[str, Rgb], opacity: float) -> None:
    for rgb in photographs.values():
        assert watermark_score(rgb) < BOUND < watermark_score(stamped(rgb, opacity))


def test_nothing_to_judge_has_no_mark() -> None:
    assert watermark_score(np.full((300, 400, 3), 200, np.uint8)) == 0
    for shape in ((1, 1, 3), (40, 900, 3), (900, 3, 3)):
        assert watermark_score(np.zeros(shape, np.uint8)) == 0
