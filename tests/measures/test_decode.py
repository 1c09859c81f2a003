from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import simplejpeg
from damaging import bomb
from PIL import Image, ImageCms

from photogenic.core.errors import DecodeError
from photogenic.measures.decode import (
    CANONICAL_LONG_SIDE_PX,
    MAX_PIXELS,
    Rgb,
    decode,
    decode_for_model,
    read_header,
    square,
)
from photogenic.measures.scales import LeastSize

Encode = Callable[..., bytes]

LOSSLESS = ("PNG", "TIFF", "BMP")
# pytest overrules the module's own filter of Pillow's complaints.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

ALL_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")


def difference(a: Rgb, b: Rgb) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


# ---- formats and sizes


@pytest.mark.parametrize("file_format", ALL_FORMATS)
def test_every_format_decodes_to_its_pixels(
    photographs: dict[str, Rgb], encode: Encode, file_format: str
) -> None:
    cat = photographs["chelsea"]  # 451 x 300: smaller than the canonical size
    data = encode(cat, file_format)
    header, picture = read_header(data), decode(data)
    assert (header.format, header.width_px, header.height_px) == (file_format, 451, 300)
    assert header.num_frames == 1 and header.orientation == 1
    assert (picture.width_px, picture.height_px) == (451, 300)
    assert picture.rgb.shape == (300, 451, 3) and picture.rgb.dtype == np.uint8
    assert picture.decoder == ("simplejpeg" if file_format == "JPEG" else "pillow")
    assert difference(picture.rgb, cat) < (0.01 if file_format in LOSSLESS else 6)


REDUCTIONS = [("JPEG", n) for n in (513, 640, 1023, 1024, 1025, 1500, 4100)] + [
    ("PNG", n) for n in (513, 900, 1700)
]


@pytest.mark.parametrize(("file_format", "long_side_px"), REDUCTIONS)
def test_larger_pictures_are_reduced_to_exactly_the_canonical_size(
    photographs: dict[str, Rgb], encode: Encode, file_format: str, long_side_px: int
) -> None:
    size = (long_side_px, long_side_px // 2)
    large = Image.fromarray(photographs["coffee"]).resize(size, Image.Resampling.BICUBIC)
    options = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {"compress_level": 1}
    picture = decode(encode(large, file_format, **options))
    assert picture.rgb.shape == (256, CANONICAL_LONG_SIDE_PX, 3) and picture.rgb.flags.c_contiguous
    assert (picture.width_px, picture.height_px) == size
    expected = large.resize((CANONICAL_LONG_SIDE_PX, 256), Image.Resampling.BILINEAR)
    assert difference(picture.rgb, np.asarray(expected)) < 4  # a DCT scale is not quite a triangle filter


def test_another_size_can_be_asked_for(photographs: dict[str, Rgb], encode: Encode) -> None:
    data = encode(photographs["coffee"], "JPEG")  # 600 x 400
    assert decode(data, min_long_side_px=100).rgb.shape == (67, 100, 3)
    assert decode(data, min_long_side_px=5000).rgb.shape == (400, 600, 3)
    with pytest.raises(ValueError):
        decode(data, min_long_side_px=0)


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        ((1600, 1200), LeastSize(short_side_px=256), (400, 300)),  # a quarter
        ((1200, 1600), LeastSize(short_side_px=256), (300, 400)),
        ((1600, 1200), LeastSize(long_side_px=256), (400, 300)),  # an eighth would have 200
        ((2000, 300), LeastSize(short_side_px=256), (2000, 300)),  # long, but no higher than is needed
        ((1600, 1200), LeastSize(short_side_px=400), (800, 600)),
        ((240, 180), LeastSize(short_side_px=256), (240, 180)),
        ((1600, 1200), None, (512, 384)),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_a_model_gets_the_first_scale_that_is_large_enough(
    photographs: dict[str, Rgb],
    encode: Encode,
    file_format: str,
    size: tuple[int, int],
    least: LeastSize | None,
    expected: tuple[int, int],
) -> None:
    image = Image.fromarray(photographs["coffee"]).resize(size)
    picture = decode_for_model(encode(image, file_format), least)
    assert picture.rgb.shape[1::-1] == expected and picture.rgb.flags.c_contiguous
    assert (picture.width_px, picture.height_px) == size
    reduced = image.resize(expected, Image.Resampling.BOX)
    assert difference(picture.rgb, np.asarray(reduced)) < 6


def test_a_model_gets_a_turned_picture_upright(photographs: dict[str, Rgb], encode: Encode) -> None:
    image = Image.fromarray(photographs["coffee"]).resize((1600, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    picture = decode_for_model(encode(image, "JPEG", exif=exif), LeastSize(short_side_px=256))
    upright = image.resize((400, 300), Image.Resampling.BOX).transpose(Image.Transpose.ROTATE_270)
    assert difference(picture.rgb, np.asarray(upright)) < 6


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_odd_shapes(encode: Encode, file_format: str, size: tuple[int, int]) -> None:
    picture = decode(encode(Image.new("RGB", size, "red"), file_format))
    height, width = picture.rgb.shape[:2]
    assert min(height, width) >= 1 and max(height, width) == min(max(size), CANONICAL_LONG_SIDE_PX)
    assert difference(picture.rgb, np.full_like(picture.rgb, (254, 0, 0))) < 2


def test_progressive_and_grey_jpegs_take_the_fast_way(photographs: dict[str, Rgb], encode: Encode) -> None:
    cat = photographs["chelsea"]
    assert decode(encode(cat, "JPEG", progressive=True)).decoder == "simplejpeg"
    grey = decode(encode(Image.fromarray(cat).convert("L"), "JPEG"))
    assert grey.decoder == "simplejpeg" and np.ptp(grey.rgb, axis=2).max() == 0


# ---- orientation


def corners(rgb: Rgb) -> list[str]:
    """The nearest named colour at the four corners, clockwise from top left."""
    names = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
    pixels = [rgb[2, 2], rgb[2, -3], rgb[-3, -3], rgb[-3, 2]]
    return [min(names, key=lambda n: difference(p, np.array(names[n]))) for p in pixels]


@pytest.fixture
def upright() -> Image.Image:
    image = Image.new("RGB", (60, 40), "red")
    for colour, box in (("green", (30, 0, 60, 20)), ("blue", (30, 20, 60, 40)), ("black", (0, 20, 30, 40))):
        image.paste(colour, box)
    return image


STORED_AS = {  # EXIF orientation -> how an upright picture is laid down in the file
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_applied(
    upright: Image.Image, encode: Encode, file_format: str, orientation: int
) -> None:
    method = STORED_AS[orientation]
    stored = upright if method is None else upright.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, file_format, exif=exif)
    header, picture = read_header(data), decode(data)
    assert (header.width_px, header.height_px, header.orientation) == (60, 40, orientation)
    assert (picture.width_px, picture.height_px) == (60, 40) and picture.rgb.shape == (40, 60, 3)
    assert corners(picture.rgb) == ["red", "green", "blue", "black"]


def test_a_senseless_orientation_is_ignored(upright: Image.Image, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read_header(encode(upright, "JPEG", exif=exif)).orientation == 1


@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_jpeg_that_pillow_opens_first_has_the_same_pixels(
    photographs: dict[str, Rgb], encode: Encode, monkeypatch: pytest.MonkeyPatch, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    cup = Image.fromarray(photographs["coffee"])
    files = [
        encode(picture, "JPEG", exif=exif, progressive=progressive)
        for picture in (cup, cup.convert("L"), cup.resize((1301, 877)))
        for progressive in (False, True)
    ]
    expected = [decode(data, exact=exact) for data in files for exact in (False, True)]
    monkeypatch.setattr("photogenic.measures.decode.plain_jpeg", lambda data: None)
    opened = [decode(data, exact=exact) for data in files for exact in (False, True)]
    for one, other in zip(opened, expected, strict=True):
        assert (one.width_px, one.height_px, one.decoder) == (other.width_px, other.height_px, "simplejpeg")
        assert np.array_equal(one.rgb, other.rgb) and other.decoder == "simplejpeg"


# ---- colour


@pytest.mark.parametrize("size", [(1632, 1224), (1027, 771), (451, 300)])
def test_a_jpegs_pixels_are_the_decoders_and_begin_at_an_odd_address(
    photographs: dict[str, Rgb], encode: Encode, size: tuple[int, int]
) -> None:
    data = encode(Image.fromarray(photographs["coffee"]).resize(size), "JPEG")
    rgb = decode(data, exact=False).rgb
    height, width = rgb.shape[:2]
    assert np.array_equal(rgb, simplejpeg.decode_jpeg(data, "RGB", min_width=width, min_height=height))
    assert rgb.ctypes.data % 2 == 1  # at a multiple of 32 it would have been written past the caches


def test_a_cmyk_jpeg_goes_through_pillow(encode: Encode) -> None:
    colours = Image.new("RGB", (64, 64), (200, 30, 60))
    data = encode(colours.convert("CMYK"), "JPEG", quality=95)
    picture = decode(data)
    assert read_header(data).mode == "CMYK" and picture.decoder == "pillow"
    assert difference(picture.rgb, np.asarray(colours)) < 3


def test_a_large_cmyk_jpeg_is_scaled_too(photographs: dict[str, Rgb], encode: Encode) -> None:
    large = Image.fromarray(photographs["coffee"]).resize((3000, 2000))
    picture = decode(encode(large.convert("CMYK"), "JPEG"))
    assert picture.rgb.shape == (341, 512, 3) and (picture.width_px, picture.height_px) == (3000, 2000)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_an_icc_profile_is_converted_to_srgb(encode: Encode, file_format: str) -> None:
    """The same numbers under a linear profile (XYZ) and under sRGB are different colours."""
    xyz_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = Image.new("RGB", (32, 32), (90, 90, 90))
    plain = decode(encode(grey, file_format))
    same = decode(encode(grey, file_format, icc_profile=xyz_like))
    assert difference(same.rgb, plain.rgb) < 0.01
    wide = decode(
        encode(Image.new("RGB", (32, 32), (200, 60, 60)), file_format, icc_profile=adobe_like_profile())
    )
    assert wide.rgb[0, 0, 0] > 215, "a wide-gamut red is a stronger red in sRGB"


def test_a_broken_icc_profile_is_ignored(encode: Encode) -> None:
    grey = Image.new("RGB", (32, 32), (90, 120, 90))
    picture = decode(encode(grey, "PNG", icc_profile=b"not a profile at all"))
    assert difference(picture.rgb, np.asarray(grey)) == 0


def adobe_like_profile() -> bytes:
    """A minimal ICC v2 display profile with Adobe RGB's primaries (D50-adapted) and gamma 2.2."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (x, y, z))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"wide gamut test\0"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * (78 + (-len(text)) % 4)
    tags = {
        b"desc": desc,
        b"cprt": b"text\0\0\0\0free\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    total = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", total, b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    header += struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_transparency_is_laid_on_white(encode: Encode) -> None:
    layer = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    layer.paste((0, 0, 0, 128), (0, 0, 5, 10))
    for file_format in ("PNG", "TIFF"):
        rgb = decode(encode(layer, file_format)).rgb
        assert rgb[5, 8].tolist() == [255, 255, 255] and abs(int(rgb[5, 1, 0]) - 127) <= 1
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((0, 0), 1)
    rgb = decode(encode(palette, "PNG", transparency=0)).rgb
    assert rgb[0, 0].tolist() == [200, 0, 0] and rgb[2, 2].tolist() == [255, 255, 255]


def test_sixteen_bit_grey_keeps_its_upper_bits(encode: Encode) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    for file_format in ("PNG", "TIFF"):
        rgb = decode(encode(Image.fromarray(ramp), file_format)).rgb
        assert rgb[0, :, 0].tolist() == list(range(256))


def test_one_bit_and_palette_pictures(encode: Encode) -> None:
    assert decode(encode(Image.new("1", (8, 8), 1), "PNG")).rgb.min() == 255
    assert decode(encode(Image.new("RGB", (8, 8), "blue").quantize(4), "GIF")).rgb[0, 0].tolist() == [
        0,
        0,
        255,
    ]


def test_the_first_frame_of_an_animation_is_the_picture(encode: Encode) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for file_format in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encode(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert read_header(data).num_frames == 3
        assert decode(data).rgb[10, 10].tolist() == [255, 0, 0]


def test_a_phones_second_picture_is_no_animation(photographs: dict[str, Rgb], encode: Encode) -> None:
    cat = Image.fromarray(photographs["chelsea"])
    data = encode(cat, "MPO", save_all=True, append_images=[cat.resize((40, 30))])
    header = read_header(data)
    assert (header.format, header.num_frames) == ("JPEG", 1)
    assert decode(data).rgb.shape == (300, 451, 3)


# ---- what is refused


def test_bytes_that_are_no_picture() -> None:
    for data in (
        b"",
        b"\0" * 5000,
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ):
        with pytest.raises(DecodeError):
            read_header(data)
        with pytest.raises(DecodeError):
            decode(data)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("file_format", ALL_FORMATS)
def test_truncated_files_are_refused(
    photographs: dict[str, Rgb], encode: Encode, file_format: str, share: float
) -> None:
    data = encode(photographs["chelsea"], file_format)
    with pytest.raises(DecodeError, match="truncated"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("tail", ["zeros", "marker"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_a_missing_middle_is_refused_and_not_padded(
    photographs: dict[str, Rgb], encode: Encode, progressive: bool, tail: str
) -> None:
    data = encode(photographs["chelsea"], "JPEG", progressive=progressive)
    head = data[: len(data) // 2]
    with pytest.raises(DecodeError):
        decode(head + (b"\0" * (len(data) - len(head)) if tail == "zeros" else b"\xff\xd9"))


def test_a_large_truncated_jpeg_is_refused_at_a_small_scale(
    photographs: dict[str, Rgb], encode: Encode
) -> None:
    data = encode(Image.fromarray(photographs["coffee"]).resize((3000, 2000)), "JPEG")
    with pytest.raises(DecodeError, match="truncated"):
        decode(data[: int(len(data) * 0.9)])


def test_stray_bytes_before_a_marker_cost_no_pixel(photographs: dict[str, Rgb], encode: Encode) -> None:
    data = encode(photographs["chelsea"], "JPEG")
    picture = decode(data[:-2] + b"\0" * 7 + data[-2:])
    assert picture.decoder == "pillow" and difference(picture.rgb, photographs["chelsea"]) < 6


@pytest.mark.parametrize("file_format", ALL_FORMATS)
def test_a_small_file_that_announces_a_huge_picture_is_called_that(
    photographs: dict[str, Rgb], encode: Encode, file_format: str
) -> None:
    data = encode(photographs["chelsea"], file_format)
    announced = bomb(data, data, np.random.default_rng(0))
    # libavif has a limit of its own, and does not say that it was met.
    reason = "truncated" if file_format == "AVIF" else f"more than {MAX_PIXELS // 1_000_000} megapixels"
    for look in (read_header, decode):
        with pytest.raises(DecodeError, match=reason):
            look(announced)


def test_a_bomb_is_refused_before_decoding() -> None:
    side = 20_000
    assert side * side > MAX_PIXELS

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    pixels = zlib.compress(b"\0" * 1000)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    for look in (read_header, decode):
        with pytest.raises(DecodeError, match="200 megapixels"):
            look(picture)


@pytest.mark.parametrize("file_format", ALL_FORMATS)
def test_only_decode_errors_escape_from_mutated_files(
    photographs: dict[str, Rgb], encode: Encode, file_format: str
) -> None:
    small = Image.fromarray(photographs["chelsea"]).resize((90, 60))
    data = np.frombuffer(encode(small, file_format), np.uint8)
    rng = np.random.default_rng(7)
    for _ in range(150):
        mutated = data.copy()
        where = rng.integers(0, min(len(data), rng.choice([64, 400, len(data)])), rng.integers(1, 12))
        mutated[where] = rng.integers(0, 256, len(where))
        for look in (read_header, decode):
            try:
                look(mutated.tobytes())
            except DecodeError as error:
                assert error.what


# ---- the model's view


def test_square_pads_with_white_and_centres() -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    view = square(wide, 60)
    assert view.shape == (60, 60, 3) and view.dtype == np.uint8
    assert view[:19].min() == 255 and view[41:].min() == 255 and view[21:39].max() == 0


def test_square_is_the_antialiased_bicubic_of_pillow(photographs: dict[str, Rgb]) -> None:
    portrait = photographs["astronaut"]  # square already
    expected = Image.open(BytesIO(_png(portrait))).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(square(portrait, 64), np.asarray(expected))


def _png(rgb: Rgb) -> bytes:
    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_decoder_that_is_not_installed_is_no_fault_of_the_file(
    photographs: dict[str, Rgb], encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(Image.fromarray(next(iter(photographs.values()))), "JPEG")
    monkeypatch.setitem(sys.modules, "simplejpeg", None)  # as Python marks what cannot be imported
    with pytest.raises(ImportError, match="simplejpeg"):
        decode(data)
