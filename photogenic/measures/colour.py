"""Any of Pillow's pixel modes and colour profiles as 8-bit sRGB on white."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from photogenic.core.errors import DecodeError
from photogenic.measures.vision import Rgb


def eight_bit_rgb(image: Image.Image) -> Rgb:
    """[H, W, 3] uint8 on white, in the file's own colours (CMYK: through its profile)."""
    if image.mode.startswith("I"):
        sixteen_bit = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return np.repeat((sixteen_bit >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise DecodeError("floating-point pixels have no stated range")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return np.asarray(Image.alpha_composite(white, layer).convert("RGB"))
    if image.mode == "CMYK":
        transform = _srgb_transform(image.info.get("icc_profile"), "CMYK")
        if transform is not None:
            return np.asarray(cast(Image.Image, ImageCms.applyTransform(image, transform)))
    return np.asarray(image.convert("RGB"))


def in_srgb(rgb: Rgb, image: Image.Image) -> Rgb:
    """Converts [H, W, 3] from the file's RGB or grey profile to sRGB."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "CMYK":
        return rgb
    if (transform := _srgb_transform(profile, "RGB")) is not None:
        return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))
    if (transform := _srgb_transform(profile, "L")) is not None and image.mode in ("1", "L", "LA", "I;16"):
        return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb[:, :, 0]), transform))
    return rgb


@lru_cache(maxsize=64)
def _srgb_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """A transform from `mode` in `profile` to sRGB; None when none is needed or the profile does not fit."""
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
