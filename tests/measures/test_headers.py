from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from damaging import MUTATIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photogenic.core.errors import DecodeError
from photogenic.measures.decode import MAX_PIXELS, Header, pillow_header, read_header
from photogenic.measures.headers import plain_jpeg, quick_header

SAVED: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "JPEG": {"quality": st.integers(5, 100), "progressive": st.booleans(), "comment": st.binary(max_size=30)},
    "PNG": {"compress_level": st.integers(0, 9), "dpi": st.sampled_from([(72, 72), (300, 300)])},
    "WEBP": {"lossless": st.booleans(), "quality": st.integers(0, 100)},
}
MODES = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "L", "RGBA", "LA", "P", "1"), "WEBP": ("RGB", "RGBA")}


def exif_with(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker with a long name"
    exif[0x0112] = orientation
    return exif.tobytes()


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A picture that Pillow wrote, with EXIF or without."""
    file_format = draw(st.sampled_from(sorted(SAVED)))
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    picture = Image.effect_noise(size, 60).convert(draw(st.sampled_from(MODES[file_format])))
    options = {name: draw(value) for name, value in SAVED[file_format].items()}
    if draw(st.booleans()):
        options["exif"] = exif_with(draw(st.integers(0, 9)))
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def told(read: Callable[[bytes], Header], data: bytes) -> Header | str:
    try:
        return read(data)
    except DecodeError as error:
        return error.what


@settings(max_examples=150, deadline=None)
@given(files())
def test_it_says_what_pillow_says(data: bytes) -> None:
    assert read_header(data) == pillow_header(data)


@settings(max_examples=200, deadline=None)
@given(files(), files(), st.sampled_from(sorted(MUTATIONS)), st.integers(0, 2**32 - 1))
def test_it_says_what_pillow_says_of_damaged_files(data: bytes, other: bytes, name: str, seed: int) -> None:
    damaged = MUTATIONS[name](data, other, np.random.default_rng(seed))
    assert told(read_header, damaged) == told(pillow_header, damaged)


@pytest.mark.parametrize("file_format", sorted(SAVED))
def test_an_ordinary_file_is_not_opened(file_format: str) -> None:
    buffer = BytesIO()
    Image.new("RGB", (31, 17), "teal").save(buffer, file_format)
    assert quick_header(buffer.getvalue()) == Header(31, 17, file_format, "RGB", 1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpegs_orientation_is_applied_without_opening_it(orientation: int) -> None:
    buffer = BytesIO()
    Image.new("RGB", (31, 17)).save(buffer, "JPEG", exif=exif_with(orientation))
    size = (17, 31) if orientation >= 5 else (31, 17)
    assert quick_header(buffer.getvalue()) == Header(*size, "JPEG", "RGB", orientation, 1)


def test_a_plain_jpeg_has_no_profile() -> None:
    plain, with_profile, drawn = BytesIO(), BytesIO(), BytesIO()
    picture = Image.new("RGB", (31, 17), "teal")
    picture.save(plain, "JPEG")
    picture.save(with_profile, "JPEG", icc_profile=b"any" * 50)
    picture.save(drawn, "PNG")
    assert (
        plain_jpeg(plain.getvalue()) == quick_header(plain.getvalue()) == Header(31, 17, "JPEG", "RGB", 1, 1)
    )
    assert plain_jpeg(with_profile.getvalue()) is None is plain_jpeg(drawn.getvalue())
    assert plain_jpeg(plain.getvalue()[:40]) is None
    assert quick_header(with_profile.getvalue()) is not None


def test_what_may_say_more_is_left_to_pillow() -> None:
    picture, frames, with_xmp = Image.new("RGB", (8, 6)), BytesIO(), BytesIO()
    picture.save(frames, "PNG", save_all=True, append_images=[Image.new("RGB", (8, 6), "red")])
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    picture.save(with_xmp, "PNG", pnginfo=info)
    assert quick_header(frames.getvalue()) is None and quick_header(with_xmp.getvalue()) is None
    assert read_header(frames.getvalue()).num_frames == 2
    assert (read_header(with_xmp.getvalue()).width_px, read_header(with_xmp.getvalue()).orientation) == (6, 6)
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", xmp=b'<x tiff:Orientation="6"/>')
    assert quick_header(jpeg.getvalue()) is None and read_header(jpeg.getvalue()).orientation == 6


def test_a_bomb_stays_one() -> None:
    buffer = BytesIO()
    Image.new("L", (1, 1)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\x40\x00\x40\x00"
    with pytest.raises(DecodeError, match=f"more than {MAX_PIXELS // 1_000_000} megapixels"):
        read_header(bytes(data))
