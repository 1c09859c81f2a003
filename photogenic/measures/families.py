"""Measures that are computed together, a family at a time."""

from __future__ import annotations

from collections.abc import Iterator

Family = Iterator[tuple[str, float]]


def gathered(*families: Family) -> dict[str, float]:
    """Name -> value, of all families, as plain numbers."""
    return {name: float(value) for family in families for name, value in family}
