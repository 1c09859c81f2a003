"""Icon sets from npm that name their pictures and give no code points.

A name that is an emoji's (`alarm-clock`, or `clock-2` for a second drawing of it) takes that emoji's concept,
words and group, so that one concept stays one concept over all sets. Any other name speaks for itself, unless
the set runs words together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from photogenic.demo.sources.iconify import read_svgs
from photogenic.demo.sources.sticker import Sticker, slug
from photogenic.demo.sources.words import LEFT_OUT_GROUPS, Words, npm_package, words_from_emojibase

# Left out as in the sets with code points: variants of skin tone, and what is a letter, a digit or a logo.
LEFT_OUT_NAME = re.compile(r"(^|-)(skin-tone|flag|letter|digit|keycap|regional|logo)(-|$)")
LEFT_OUT_CATEGORIES = ("flags", "modifiers")


@dataclass(frozen=True)
class IconSet:
    """What is known of a set that its files do not say."""

    package: str
    licence: str
    attribution: str
    joins_words: bool = False  # "americasglobe": such a name tells nothing unless it is an emoji's


SETS = {
    "noto_v1": IconSet(
        "@iconify-json/noto-v1",
        "Apache-2.0",
        "Noto Emoji, first design, Copyright Google Inc (github.com/googlefonts/noto-emoji)",
    ),
    "fxemoji": IconSet(
        "@iconify-json/fxemoji",
        "Apache-2.0",
        "Firefox OS Emoji, Copyright Mozilla (github.com/mozilla/fxemoji)",
        joins_words=True,
    ),
    "emojitwo": IconSet(
        "@iconify-json/emojione", "CC-BY-4.0", "Emoji One 2 and EmojiTwo (github.com/EmojiTwo/emojitwo)"
    ),
    "emojione": IconSet(
        "@iconify-json/emojione-v1", "CC-BY-SA-4.0", "Emoji One (github.com/joypixels/emojione-legacy)"
    ),
    "streamline": IconSet(
        "@iconify-json/streamline-emojis",
        "CC-BY-4.0",
        "Streamline (github.com/webalys-hq/streamline-vectors)",
    ),
    "flat_color_icons": IconSet(
        "@iconify-json/flat-color-icons",
        "MIT",
        "Flat Color Icons, Icons8 (github.com/icons8/flat-Color-icons)",
    ),
}


def stickers(source: str, node_modules: Path | None) -> Iterator[Sticker]:
    """The icons of one of `SETS`.

    Raises:
        MissingSourceError: its package or emojibase-data is not there.
    """
    icon_set = SETS[source]
    package = npm_package(node_modules, icon_set.package)
    npm_package(node_modules, "emojibase-data")
    return _read(source, icon_set, package, package.parent.parent)


def _read(source: str, icon_set: IconSet, package: Path, node_modules: Path) -> Iterator[Sticker]:
    emoji = {
        _joined(slug(said.name)): (concept, said)
        for concept, said in words_from_emojibase(node_modules).items()
    }
    categories = _categories(package)
    for name, svg in sorted(read_svgs(package).items()):
        group = categories.get(name, "icons")
        if group in (*LEFT_OUT_GROUPS, *LEFT_OUT_CATEGORIES) or LEFT_OUT_NAME.search(name):
            continue
        plain = re.sub(r"-\d+$", "", name)
        called = next((one for one in _spellings(plain) if one in emoji), None)
        if called is not None:
            concept, said = emoji[called]
        elif icon_set.joins_words or not re.search("[a-z]", plain):
            continue
        else:
            concept, said = f"{source}:{plain}", Words(plain.replace("-", " "), (), group)
        yield Sticker(
            key=f"{source}-{name}",
            concept=concept,
            name=said.name,
            tags=said.tags,
            group=said.group,
            source=source,
            licence=icon_set.licence,
            attribution=icon_set.attribution,
            art=svg,
        )


def _spellings(name: str) -> tuple[str, str]:
    """How an emoji's name may be written: older sets say "frog-face" for the frog."""
    return _joined(name), _joined(name.removesuffix("-face"))


def _joined(name: str) -> str:
    return name.replace("-", "")


def _categories(package: Path) -> dict[str, str]:
    """Group by icon name, as far as the set tells."""
    metadata = json.loads((package / "metadata.json").read_text(encoding="utf-8"))
    categories: dict[str, list[str]] = metadata.get("categories", {})
    return {name: slug(category) for category, names in categories.items() for name in names}
