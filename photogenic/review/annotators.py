"""How annotators are called in what people read: a model that decides is never called a person."""

from __future__ import annotations

from collections.abc import Iterable

from photogenic.core.errors import RunError

KINDS = ("person", "model")  # as in the web room; imported from there, they would load a server
MODEL = "model"
NO_PERSON = ", no person looked"


def called(name: str, kind: str) -> str:
    """The name, with a plain word where it is a model's."""
    if kind != MODEL:
        return name
    return f"{name} (a model)" if name else "a model"


def who_looked(kinds: Iterable[str]) -> str:
    """What follows the names: nothing where a person was among them."""
    known = set(kinds)
    return NO_PERSON if known == {MODEL} else ""


def caption_source(kind: str) -> str:
    """needles.parquet's word for who wrote a caption."""
    return "model" if kind == MODEL else "writer"


def kind_in(row: dict[str, str], where: str) -> str:
    """The column `annotator_kind` of a row; a person where it says nothing.

    Raises:
        RunError: it says something else.
    """
    kind = (row.get("annotator_kind") or "person").strip().lower()
    if kind not in KINDS:
        raise RunError(f"{where}: `annotator_kind` is {kind!r}.", f"Write {' or '.join(KINDS)}.")
    return kind
