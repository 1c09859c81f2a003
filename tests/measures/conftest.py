"""Real pictures for the tests: photographs that ship with scikit-image, and drawings."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Rgb = NDArray[np.uint8]
Encode = Callable[..., bytes]

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def skimage_folder() -> Path:
    spec = find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations, "scikit-image is a development dependency"
    return Path(spec.submodule_search_locations[0]) / "data"


@pytest.fixture(scope="session")
def photographs() -> dict[str, Rgb]:
    """Four photographs, long side 427-640 px: a portrait, a cat, a cup, a rocket at dusk."""
    folder = skimage_folder()
    return {Path(n).stem: np.asarray(Image.open(folder / n).convert("RGB")) for n in PHOTOGRAPHS}


@pytest.fixture(scope="session")
def sticker() -> Rgb:
    """A drawn face of 512 px on white, with a margin: flat colours, hard antialiased edges."""
    large = Image.new("RGB", (2048, 2048), "white")
    draw = ImageDraw.Draw(large)
    draw.ellipse((200, 200, 1848, 1848), fill="#ffc83d", outline="#c06000", width=60)
    draw.ellipse((600, 700, 820, 1000), fill="#402000")
    draw.ellipse((1228, 700, 1448, 1000), fill="#402000")
    draw.chord((560, 900, 1488, 1600), 20, 160, fill="#e03050")
    return np.asarray(large.resize((512, 512), Image.Resampling.BOX))


@pytest.fixture(scope="session")
def encode() -> Encode:
    """encode(rgb or image, format, **options) -> the bytes of a real file."""

    def to_bytes(picture: Rgb | Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        buffer = BytesIO()
        image.save(buffer, file_format, **options)
        return buffer.getvalue()

    return to_bytes
