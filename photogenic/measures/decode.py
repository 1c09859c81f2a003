"""From the bytes of a file to one small picture that every measure shares.

The rules, the same for every format:

- the first frame of an animation is the picture; other pages and frames are counted, not read;
- EXIF orientation is applied, so width and height are those a viewer shows;
- colours are converted to sRGB when the file holds an ICC profile; a broken one is ignored, as browsers do;
- transparency is laid on white; 16-bit grey keeps its upper 8 bits;
- a truncated or corrupt file is an error, never a picture with grey padding.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import (  # a format is known to Pillow once its plugin is imported
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from photogenic.core.errors import DecodeError
from photogenic.measures.colour import eight_bit_rgb, in_srgb
from photogenic.measures.headers import Header as Header
from photogenic.measures.headers import plain_jpeg, quick_header
from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX as CANONICAL_LONG_SIDE_PX
from photogenic.measures.scales import LeastSize, halved, reduced
from photogenic.measures.vision import Rgb as Rgb

# 200 megapixels: the largest phone cameras; beyond it a file is taken for a decompression bomb.
MAX_PIXELS = 200_000_000
_TOO_LARGE = f"more than {MAX_PIXELS // 1_000_000} megapixels"

# Only these plugins may look at untrusted bytes: no PostScript, no PDF, no vector formats.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")

# Pillow has a limit of its own, at which it warns, and complains of damaged EXIF blocks on stderr. Ours is a
# reason in a table.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

# Formats whose index Pillow cannot find when the file was cut; a cut JPEG, PNG, GIF or BMP still opens.
_SIGNATURES = (b"ftypavif", b"ftypavis", b"II*\0", b"MM\0*", b"WEBP", b"\xff\xd8\xff", b"\x89PNG")

_ORIENTATION_TAG = 0x0112
_TRUNCATED = ("truncated", "premature end", "could not create decoder object")  # the last one is WebP's
_TRANSPOSED = range(5, 9)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Picture:
    """One decoded picture at the size at which it is measured."""

    rgb: Rgb  # [H, W, 3] uint8, sRGB on white, long side <= the size asked for (not exact: < twice that)
    width_px: int  # of the original, oriented
    height_px: int  # of the original, oriented
    decoder: str  # the decoder that ran: simplejpeg or pillow


def read_header(data: bytes) -> Header:
    """Reads the header of a picture. An ordinary JPEG, PNG or WebP is not even opened.

    A PNG with text or EXIF is decoded, for its orientation may stand behind its pixels.
    Raises DecodeError for bytes that are no picture, or that announce more than MAX_PIXELS.
    """
    header = quick_header(data)
    if header is not None and header.width_px * header.height_px <= MAX_PIXELS:
        return header
    return pillow_header(data)


def pillow_header(data: bytes) -> Header:
    """As `read_header`, of any file that is read here."""
    with _refusing:
        image = _open(data)
        width_px, height_px = _oriented_size(image)
        # A phone's JPEG carries further pictures (depth, gain map, the other eye); it is no animation.
        still = image.format in ("JPEG", "MPO")
        return Header(
            width_px=width_px,
            height_px=height_px,
            format="JPEG" if still else str(image.format),
            mode=image.mode,
            orientation=_orientation(image),
            num_frames=1 if still else int(getattr(image, "n_frames", 1)),
        )


def decode(data: bytes, *, min_long_side_px: int = CANONICAL_LONG_SIDE_PX, exact: bool = True) -> Picture:
    """Decodes a file once, scaled.

    A JPEG is decoded at the smallest DCT scale whose long side is >= `min_long_side_px`, then reduced to
    exactly that long side; other formats are decoded in full and reduced. A smaller picture keeps its size.
    Not `exact`: what is less than twice too large may stay so, for who reduces only what it looks at.
    Raises DecodeError for anything that cannot be decoded whole.
    """
    if min_long_side_px < 1:
        raise ValueError(f"min_long_side_px must be at least 1, not {min_long_side_px}")
    return _decoded(data, LeastSize(long_side_px=min_long_side_px), exact)


def decode_for_model(data: bytes, least: LeastSize | None) -> Picture:
    """As `decode`, for a model that reduces the picture itself: at the first scale that is large enough.

    None: for one that takes pixels as they are, at the canonical size. Raises DecodeError.
    """
    return decode(data) if least is None else _decoded(data, least, exact=False)


def _decoded(data: bytes, least: LeastSize, exact: bool) -> Picture:
    with _refusing:
        return _plain_jpeg(data, least, exact) or _opened(data, least, exact)


def square(rgb: Rgb, size_px: int) -> Rgb:
    """Pads [H, W, 3] with white to a square and resizes it to [size_px, size_px, 3] (bicubic, antialiased).

    This is what models see, in training as in measuring.
    """
    height, width = rgb.shape[:2]
    side = max(height, width)
    canvas = Image.new("RGB", (side, side), "white")
    canvas.paste(Image.fromarray(rgb), ((side - width) // 2, (side - height) // 2))
    return np.asarray(canvas.resize((size_px, size_px), Image.Resampling.BICUBIC))


def centre(rgb: Rgb) -> Rgb:
    """The largest centred square of [H, W, 3]: what models see where pictures are cropped and not padded."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def _plain_jpeg(data: bytes, least: LeastSize, exact: bool) -> Picture | None:
    """Most files: a JPEG that Pillow need not open. None for all others, and for what simplejpeg refuses."""
    header = plain_jpeg(data)
    if header is None or header.mode == "CMYK" or header.width_px * header.height_px > MAX_PIXELS:
        return None
    width, height = header.width_px, header.height_px
    stored = (height, width) if header.orientation in _TRANSPOSED else (width, height)
    min_long_side_px = least.long_side_of(width, height)
    rgb = _decode_jpeg(data, stored, min_long_side_px)
    if rgb is None:
        return None
    rgb = reduced(rgb, min_long_side_px) if exact else halved(rgb, min_long_side_px)
    return Picture(np.ascontiguousarray(_oriented(rgb, header.orientation)), width, height, "simplejpeg")


def _opened(data: bytes, least: LeastSize, exact: bool) -> Picture:
    """Any file, as Pillow understands it."""
    image = _open(data)
    width_px, height_px = _oriented_size(image)
    min_long_side_px = least.long_side_of(width_px, height_px)
    decoder = "simplejpeg"
    rgb = _decode_jpeg(data, image.size, min_long_side_px) if _suits_simplejpeg(image) else None
    if rgb is None:
        decoder = "pillow"
        rgb = _decode_with_pillow(image, min_long_side_px)
    exact = exact or bool(image.info.get("icc_profile"))  # its conversion is dear: on few pixels only
    rgb = reduced(rgb, min_long_side_px) if exact else halved(rgb, min_long_side_px)
    rgb = _oriented(in_srgb(rgb, image), _orientation(image))
    return Picture(np.ascontiguousarray(rgb), width_px, height_px, decoder)


# ---- opening ----------------------------------------------------------------------------------------------


class _Refusing:
    """Turns whatever a decoder raises into a DecodeError.

    Decoders meet hostile bytes with nearly every exception Python has (struct.error, KeyError, OverflowError,
    SyntaxError, MemoryError ...), so no shorter list would do.
    """

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, place: object) -> None:
        # A decoder that is not installed says nothing of the bytes.
        if isinstance(error, Exception) and not isinstance(error, DecodeError | ImportError):
            raise DecodeError(_reason(error)) from error


_refusing = _Refusing()


def _reason(error: Exception) -> str:
    text = f"{error}".strip().splitlines()[0] if f"{error}".strip() else type(error).__name__
    truncated = any(word in text.lower() for word in _TRUNCATED)
    return "truncated" if truncated else f"corrupt: {text[:120]}"


def _open(data: bytes) -> Image.Image:
    if not data:
        raise DecodeError("empty file")
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        known = any(signature in data[:12] for signature in _SIGNATURES)
        raise DecodeError("truncated" if known else "no picture format that is read here") from error
    except Image.DecompressionBombError as error:  # Pillow refuses twice our limit by itself
        raise DecodeError(_TOO_LARGE) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DecodeError(f"{_TOO_LARGE}: {width} x {height}")
    if width < 1 or height < 1:
        raise DecodeError("no pixels")
    return image


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block leaves the pixels as they are
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow's TIFF reader reports the size after orientation already.
    if _orientation(image) in _TRANSPOSED and image.format != "TIFF":
        return height, width
    return width, height


# ---- the fast way: JPEG at a DCT scale --------------------------------------------------------------------


def _suits_simplejpeg(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")


def _decode_jpeg(data: bytes, size: tuple[int, int], min_long_side_px: int) -> Rgb | None:
    """[H, W, 3] at DCT scale 1/8, 1/4, 1/2 or 1, not oriented; None when Pillow should try.

    size: width and height as the file holds them. The scales between (3/8, 5/8 ...) have no SIMD inverse DCT
    in libjpeg-turbo and take longer than the next power of two.
    """
    import simplejpeg

    longest = max(size)
    scale = next((s for s in (1, 2, 4) if -(-longest * s // 8) >= min_long_side_px), 8)
    width, height = (-(-side * scale // 8) for side in size)
    try:
        rgb = simplejpeg.decode_jpeg(
            data,
            "RGB",
            min_width=width,
            min_height=height,
            buffer=_buffer_at_odd_address(3 * width * height),
            strict=True,
        )
    except ValueError as error:
        if _loses_pixels(f"{error}"):
            raise
        return None
    return cast(Rgb, rgb)


def _buffer_at_odd_address(num_bytes: int) -> NDArray[np.uint8]:
    """New memory for decoded pixels, which begins at an odd address.

    Rows that begin at a multiple of 32 bytes libjpeg-turbo writes past the processor's caches (non-temporal
    stores): the decoding itself takes longer then, and the measures fetch these rows from memory again.
    Where rows have an odd number of bytes, one in 32 begins there all the same, harmlessly: its pixels are
    the same, and the others stay near.
    """
    return np.empty(num_bytes + 1, np.uint8)[1:]


def _loses_pixels(message: str) -> bool:
    """Whether libjpeg's complaint means missing or wrong pixels, for which it would pad with grey.

    Pillow does not hear these warnings. What is left (stray bytes before a marker, unknown Adobe or JFIF
    versions, colour spaces that simplejpeg does not know) is for Pillow to try.
    """
    corrupt = "Corrupt JPEG data" in message and "extraneous bytes" not in message
    return corrupt or "Premature end" in message


def _oriented(rgb: Rgb, orientation: int) -> Rgb:
    """Applies an EXIF orientation (1-8) to [H, W, 3]."""
    if orientation in _TRANSPOSED:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return rgb


# ---- the other way: Pillow --------------------------------------------------------------------------------


def _decode_with_pillow(image: Image.Image, min_long_side_px: int) -> Rgb:
    """[H, W, 3], a JPEG at a DCT scale and everything else in full; not oriented."""
    if image.format in ("JPEG", "MPO"):
        width, height = image.size
        factor = min_long_side_px / max(width, height)
        if factor < 1:
            image.draft(None, (max(1, int(width * factor)), max(1, int(height * factor))))
    image.load()  # a TIFF is turned upright here, and loses its tag
    return eight_bit_rgb(image)
