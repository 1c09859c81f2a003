"""Fluent Emoji in three finishes: flat, with gradients, and rendered in 3D. MIT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photogenic.demo.sources.iconify import read_names, read_svgs
from photogenic.demo.sources.sticker import Sticker, concept_of
from photogenic.demo.sources.words import Words, npm_package, words_from_emojibase

ATTRIBUTION = "Fluent Emoji, Copyright Microsoft Corporation (github.com/microsoft/fluentui-emoji)"

FLAT = "@iconify-json/fluent-emoji-flat"
GRADIENT = "@iconify-json/fluent-emoji"
RENDERED = "@lobehub/fluent-emoji-3d"
WORDS = "emojibase-data"


def flat(node_modules: Path | None) -> Iterator[Sticker]:
    """The icons of @iconify-json/fluent-emoji-flat.

    Raises:
        MissingSourceError: that package or emojibase-data is not there.
    """
    package = npm_package(node_modules, FLAT)
    return _iconify("fluent_flat", package, package, npm_package(node_modules, WORDS).parent)


def gradient(node_modules: Path | None) -> Iterator[Sticker]:
    """The icons of @iconify-json/fluent-emoji.

    It brings no code points, but its icons are called as in the flat set, which does.

    Raises:
        MissingSourceError: one of the two or emojibase-data is not there.
    """
    package, names = npm_package(node_modules, GRADIENT), npm_package(node_modules, FLAT)
    return _iconify("fluent_gradient", package, names, npm_package(node_modules, WORDS).parent)


def rendered(node_modules: Path | None) -> Iterator[Sticker]:
    """The 256 px WebP files of @lobehub/fluent-emoji-3d.

    Raises:
        MissingSourceError: that package or emojibase-data is not there.
    """
    return _files(npm_package(node_modules, RENDERED) / "assets", npm_package(node_modules, WORDS).parent)


def _iconify(source: str, package: Path, named_by: Path, node_modules: Path) -> Iterator[Sticker]:
    svgs, names = read_svgs(package), read_names(named_by)
    for concept, said in sorted(words_from_emojibase(node_modules).items()):
        if (name := names.get(concept)) in svgs:
            yield _sticker(source, concept, said, svgs[str(name)])


def _files(assets: Path, node_modules: Path) -> Iterator[Sticker]:
    files = {concept_of(path.stem): path for path in sorted(assets.glob("*.webp"))}
    for concept, said in sorted(words_from_emojibase(node_modules).items()):
        if concept in files:
            yield _sticker("fluent_3d", concept, said, files[concept])


def _sticker(source: str, concept: str, said: Words, art: str | Path) -> Sticker:
    return Sticker(
        key=f"{source}-{concept}",
        concept=concept,
        name=said.name,
        tags=said.tags,
        group=said.group,
        source=source,
        licence="MIT",
        attribution=ATTRIBUTION,
        art=art,
    )
