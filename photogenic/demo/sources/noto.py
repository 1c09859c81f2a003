"""Noto Emoji: softly shaded, no outlines. Apache-2.0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photogenic.demo.sources.iconify import read_names, read_svgs
from photogenic.demo.sources.sticker import Sticker
from photogenic.demo.sources.words import npm_package, words_from_emojibase

ATTRIBUTION = "Noto Emoji, Copyright Google Inc (github.com/googlefonts/noto-emoji)"


def stickers(node_modules: Path | None) -> Iterator[Sticker]:
    """The icons of the npm package @iconify-json/noto, words from emojibase-data.

    Raises:
        MissingSourceError: one of the two is not there.
    """
    package = npm_package(node_modules, "@iconify-json/noto")
    npm_package(node_modules, "emojibase-data")
    return _read(package, package.parent.parent)


def _read(package: Path, node_modules: Path) -> Iterator[Sticker]:
    svgs, names = read_svgs(package), read_names(package)
    for concept, said in sorted(words_from_emojibase(node_modules).items()):
        if (name := names.get(concept)) in svgs:
            yield Sticker(
                key=f"noto-{concept}",
                concept=concept,
                name=said.name,
                tags=said.tags,
                group=said.group,
                source="noto",
                licence="Apache-2.0",
                attribution=ATTRIBUTION,
                art=svgs[str(name)],
            )
