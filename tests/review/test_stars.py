"""Star ratings in side-cars and in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review
from photogenic.review.stars import rating_in_file, rating_of

ATTRIBUTE = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="{}"/></x:xmpmeta>'
ELEMENT = "<x:xmpmeta><rdf:Description><xmp:Rating>{}</xmp:Rating></rdf:Description></x:xmpmeta>"


@pytest.mark.parametrize("form", [ATTRIBUTE, ELEMENT])
@pytest.mark.parametrize(("written", "stars"), [("5", 5), ("0", 0), ("-1", -1), ("3.0", 3), ("", None)])
def test_a_rating_is_read_as_attribute_and_as_element(form: str, written: str, stars: int | None) -> None:
    assert rating_of(form.format(written).encode()) == stars


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_a_rating_inside_a_real_file_is_found(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"picture.{kind}"
    image, packet = Image.new("RGB", (8, 8), "teal"), ATTRIBUTE.format(4).encode()
    if kind == "png":
        from PIL.PngImagePlugin import PngInfo

        told = PngInfo()
        told.add_itxt("XML:com.adobe.xmp", packet.decode())
        image.save(path, pnginfo=told)
    elif kind == "tif":
        image.save(path, tiffinfo={700: packet})
    else:
        image.save(path, xmp=packet)
    assert rating_in_file(path.read_bytes()) == 4
    image.save(path)
    assert rating_in_file(path.read_bytes()) is None


def test_the_side_car_holds_over_the_file_and_low_ratings_are_left_out(
    haystack: Callable[..., list[str]], run: Run, tmp_path: Path
) -> None:
    haystack([(0.5, 0.5, None)] * 4)
    folder = tmp_path / "stickers"
    (folder / "000.xmp").write_text(ATTRIBUTE.format(5), encoding="utf-8")
    (folder / "001.png.xmp").write_text(ELEMENT.format(4), encoding="utf-8")
    (folder / "002.xmp").write_text(ATTRIBUTE.format(3), encoding="utf-8")
    review(ReviewConfig(decisions="stars"), run, seed=0)
    needles = read_table(run.folder / "review" / "needles.parquet").to_pylist()
    assert {row["key"]: row["decided_by"] for row in needles} == {
        "sticker-0": "5 stars in XMP",
        "sticker-1": "4 stars in XMP",
    }


def test_a_pool_without_ratings_is_an_error(haystack: Callable[..., list[str]], run: Run) -> None:
    haystack([(0.5, 0.5, None)])
    with pytest.raises(RunError, match="star rating"):
        review(ReviewConfig(decisions="stars"), run, seed=0)
