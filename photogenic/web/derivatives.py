"""Pictures as people are shown them: upright, in sRGB, without metadata, at three sizes."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from photogenic.core.errors import DecodeError

VERSION = 1  # raised when a derivative looks different; it is part of its file's name
MAX_PIXELS = 200_000_000


class Size(NamedTuple):
    """How one size is made."""

    max_side_px: int
    format: str
    quality: int
    media_type: str


SIZES = {
    "thumb": Size(384, "WEBP", 82, "image/webp"),
    "screen": Size(1920, "WEBP", 90, "image/webp"),
    "full": Size(8192, "JPEG", 95, "image/jpeg"),
}


def develop(data: bytes, size: Size) -> bytes:
    """The picture in `data` at a size, never enlarged. Nothing of the file but its pixels is kept.

    Raises:
        DecodeError: it is no picture, is damaged, or is larger than any camera makes.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DecodeError(f"the picture has {image.width * image.height:,} pixels")
            image.draft("RGB", (size.max_side_px, size.max_side_px))  # a JPEG is decoded at a smaller scale
            return _encoded(upright_srgb(image, size.max_side_px), size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DecodeError(f"the picture cannot be decoded: {error}") from error


def upright_srgb(image: Image.Image, max_side_px: int | None = None) -> Image.Image:
    """The picture as it is meant: turned as its file says, flat on white, its colours in sRGB, as RGB.

    Args:
        max_side_px: shrink it to fit a square of this; never enlarged.
    """
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    flat = _on_white(upright)
    if max_side_px is not None:
        flat.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    transform = _to_srgb(profile, flat.mode) if profile else None
    if transform is not None:
        converted = ImageCms.applyTransform(flat, transform)
        flat = converted if converted is not None else flat
    return flat.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """RGB, L or CMYK with eight bits; what is transparent becomes white."""
    if image.mode.startswith("I"):
        return image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None when nothing is to be done, or the profile does not fit the pixels."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _encoded(image: Image.Image, size: Size) -> bytes:
    memory = BytesIO()
    image.info.clear()
    if size.format == "WEBP":
        image.save(memory, "WEBP", quality=size.quality, method=2)
    else:
        image.save(memory, "JPEG", quality=size.quality, subsampling=0)
    return memory.getvalue()
