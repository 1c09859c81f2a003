from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from photogenic.measures.decode import Rgb
from photogenic.measures.ocr import Ocr


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    return Ocr()


def with_text(rgb: Rgb, lines: list[str], size_px: int = 44) -> Rgb:
    image = Image.fromarray(rgb)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size_px)
    for row, line in enumerate(lines):
        place = (20, 20 + row * 2 * size_px)
        draw.text(place, line, "white", font, stroke_width=4, stroke_fill="black")
    return np.asarray(image)


def test_pictures_without_text_have_no_words(ocr: Ocr, photographs: dict[str, Rgb], sticker: Rgb) -> None:
    for rgb in (photographs["chelsea"], photographs["coffee"], sticker):
        assert ocr(rgb).num_words == 0 and ocr(rgb).text_area_ratio == 0


def test_overlaid_text_is_read_and_its_area_measured(
    ocr: Ocr, photographs: dict[str, Rgb], sticker: Rgb
) -> None:
    for rgb in (photographs["coffee"], sticker):
        result = ocr(with_text(rgb, ["BEST COFFEE", "only 2 dollars"]))
        assert 4 <= result.num_words <= 6
        assert "COFFEE" in result.text and "dollars" in result.text
        assert 0.05 < result.text_area_ratio < 0.3


@pytest.mark.parametrize(
    ("line", "is_stamp"),
    [
        ("'98 11 3", True),
        ("'07 9 6 18:32", True),
        ("OCT 12 2003", True),
        ("10:45 PM", True),
        ("ROUTE 66", False),
        ("$ 1.99", False),
        ("Best of 2003", False),
        ("19 to 21 May 2003 in Ghent", False),
    ],
)
def test_dates_in_a_corner_are_stamps(
    ocr: Ocr, photographs: dict[str, Rgb], line: str, is_stamp: bool
) -> None:
    image = Image.fromarray(photographs["coffee"])
    (width, height), font = image.size, ImageFont.load_default(image.height // 14)
    for share, expected in ((0.95, is_stamp), (0.5, False)):
        dated = image.copy()
        place = (int(0.97 * width), int(share * height))
        ImageDraw.Draw(dated).text(place, line, (255, 140, 30), font, "rb", stroke_width=2)
        result = ocr(np.asarray(dated))
        assert result.num_words > 0
        assert result.num_date_stamps == expected, result.text


def test_lost_spaces_do_not_lose_words(ocr: Ocr, sticker: Rgb) -> None:
    assert ocr(with_text(sticker, ["WHENYOUSEEITAGAIN"], 36)).num_words >= 3


def test_a_single_letter_is_no_text(ocr: Ocr) -> None:
    blank = np.full((300, 300, 3), 255, np.uint8)
    image = Image.fromarray(blank)
    ImageDraw.Draw(image).text((110, 60), "B", "black", ImageFont.load_default(140))
    assert ocr(np.asarray(image)).num_words == 0
    assert ocr(blank).text == ""


def test_odd_shapes_are_read_too(ocr: Ocr) -> None:
    for shape in ((1, 1, 3), (2, 512, 3), (512, 3, 3), (20, 20, 3)):
        assert ocr(np.zeros(shape, np.uint8)).num_words == 0


def test_answers_do_not_depend_on_the_call_before(
    ocr: Ocr, photographs: dict[str, Rgb], sticker: Rgb
) -> None:
    text = with_text(sticker, ["HELLO WORLD"])
    first = ocr(text)
    ocr(photographs["chelsea"])
    assert ocr(text) == first and first.num_words == 2


def test_it_needs_no_network_and_says_nothing() -> None:
    """In a process whose sockets all fail; rapidocr would log every model it loads."""
    code = """
import socket
def refuse(*a, **k): raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import numpy as np
from photogenic.measures.ocr import Ocr
print(Ocr()(np.full((64, 64, 3), 200, np.uint8)).num_words)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "0\n" and run.stderr == ""
