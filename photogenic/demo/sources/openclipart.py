"""Open Clip Art Library: hundreds of hands, all qualities, line art, signs with text. Public domain.

The Debian package keeps the library's SVG files with their metadata, and the metadata of a few say something
else than public domain: those are left out, and so are flags (as everywhere here) and links to another file.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from photogenic.core.run import seed_for
from photogenic.demo.sources.sticker import MissingSourceError, Sticker, slug

FOLDER = Path("/usr/share/openclipart/svg")

MAX_SAME_NAME = 10  # 1,378 stars by one generator would be a fifth of the library
MAX_BYTES = 1_000_000  # a few drawings of several megabytes take a renderer seconds

PUBLIC_DOMAIN = re.compile(r"licen[sc]e[^>]*public\s?domain", re.IGNORECASE)
METADATA = re.compile(r"<metadata.*?</metadata>", re.DOTALL)
TITLE = re.compile(r"<dc:title>([^<]*)")
CREATOR = re.compile(r"<dc:creator>.*?<dc:title>([^<]*)", re.DOTALL)
KEYWORD = re.compile(r"<rdf:li>([^<]*)")


@dataclass(frozen=True)
class Card:
    """What an SVG file says about itself."""

    title: str
    creator: str
    keywords: tuple[str, ...]


def stickers(folder: Path = FOLDER, *, limit: int | None = None, seed: int = 0) -> Iterator[Sticker]:
    """The SVG files of Debian's openclipart-svg; with a limit, that many drawn by `seed`.

    Raises:
        MissingSourceError: the folder is not there.
    """
    if not folder.is_dir():
        raise MissingSourceError(
            f"Open Clip Art is not found in {folder}.", "apt-get install openclipart-svg"
        )
    return _read(folder, limit, seed)


def _read(folder: Path, limit: int | None, seed: int) -> Iterator[Sticker]:
    paths = (path for path in folder.rglob("*.svg") if not path.is_symlink() and "flags" not in path.parts)
    shuffled = sorted(paths, key=lambda path: seed_for(seed, path.relative_to(folder).as_posix()))
    all_stickers = (_sticker(folder, path) for path in shuffled)
    return islice(_few_of_a_name(sticker for sticker in all_stickers if sticker is not None), limit)


def _few_of_a_name(stickers: Iterable[Sticker]) -> Iterator[Sticker]:
    """At most MAX_SAME_NAME of each name.

    A title of many files is that of a collection ("lemon svg theme"): the rest of such files come last,
    under the name of the file.
    """
    num_named: Counter[str] = Counter()
    rest = []
    for sticker in stickers:
        num_named[sticker.name] += 1
        if num_named[sticker.name] <= MAX_SAME_NAME:
            yield sticker
        else:
            rest.append(sticker)
    for sticker in rest:
        name = _words(sticker.concept.split("/")[-1])
        num_named[name] += 1
        if name and num_named[name] <= MAX_SAME_NAME:
            yield replace(sticker, name=name)


def _sticker(folder: Path, path: Path) -> Sticker | None:
    if path.stat().st_size > MAX_BYTES:
        return None
    card = _card(path.read_text(encoding="utf-8", errors="replace"))
    if card is None:
        return None
    concept = path.relative_to(folder).with_suffix("").as_posix()
    name = _name(card.title) or _name(path.stem)
    if not name:
        return None
    return Sticker(
        key=f"openclipart-{concept.replace('/', '-')}",
        concept=concept,
        name=name,
        tags=tuple(keyword for keyword in card.keywords if keyword != name),
        group=slug(concept.split("/")[0]),
        source="openclipart",
        licence="public-domain",
        attribution=f"{card.creator or 'unnamed'}, Open Clip Art Library",
        art=path,
        trim=True,
    )


def _card(svg: str) -> Card | None:
    found = METADATA.search(svg)
    if found is None or not PUBLIC_DOMAIN.search(found.group()):
        return None
    metadata = html.unescape(found.group())
    keywords = (_words(keyword) for keyword in KEYWORD.findall(metadata))
    return Card(
        title=_first(TITLE, metadata),
        creator=_first(CREATOR, metadata),
        keywords=tuple(dict.fromkeys(keyword for keyword in keywords if keyword)),
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return " ".join(found.group(1).split()) if found else ""


def _name(title: str) -> str:
    # "Clipart by Nicu Buculei - jigsaw_red_10", "stylized_yoga_person_ger_02"
    return _words(re.sub(r"^clip\s?art by .* - ", "", title, flags=re.IGNORECASE))


def _words(text: str) -> str:
    """Lower-case words of letters; numbers of drawings, hashes and underscores go."""
    words = re.sub(r"[_\-./]+", " ", text.lower()).split()
    return " ".join(word for word in words if not re.search(r"\d", word))
