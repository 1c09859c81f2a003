"""Data packages from PyPI, npm and Debian, each behind one small reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from photogenic.core.errors import PhotogenicError
from photogenic.demo.sources import fluent, named, noto, openclipart, openmoji, twemoji
from photogenic.demo.sources.sticker import MissingSourceError, Sticker

DEMO_SOURCES = ("openmoji", "twemoji")  # from PyPI: what `pip install photogenic[demo]` brings
PRETRAIN_SOURCES = ("noto", "fluent_gradient", "fluent_flat", "fluent_3d", "twemoji", "openclipart")

ALL_SOURCES = (*PRETRAIN_SOURCES, "openmoji", *named.SETS)


def open_sources(
    names: Sequence[str],
    *,
    node_modules: Path | None = None,
    max_openclipart: int | None = None,
    seed: int = 0,
) -> tuple[dict[str, Iterator[Sticker]], list[str]]:
    """The readers of the sources that are there, by name, and one sentence for each that is not.

    Nothing is read before a reader is iterated.

    Raises:
        PhotogenicError: a name is unknown.
    """
    readers: dict[str, Callable[[], Iterator[Sticker]]] = {
        "openmoji": openmoji.stickers,
        "twemoji": twemoji.stickers,
        "noto": lambda: noto.stickers(node_modules),
        "fluent_gradient": lambda: fluent.gradient(node_modules),
        "fluent_flat": lambda: fluent.flat(node_modules),
        "fluent_3d": lambda: fluent.rendered(node_modules),
        **{name: partial(named.stickers, name, node_modules) for name in named.SETS},
        "openclipart": lambda: openclipart.stickers(limit=max_openclipart, seed=seed),
    }
    found, missing = {}, []
    for name in dict.fromkeys(names):
        if name not in readers:
            raise PhotogenicError(f"There is no source {name!r}.", f"Known: {', '.join(readers)}.")
        try:
            found[name] = readers[name]()
        except MissingSourceError as error:
            missing.append(f"Source {name} is left out. {error.what} {error.fix}")
    return found, missing
