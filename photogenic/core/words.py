"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, several: str = "") -> str:
    """(1, "sample") as "1 sample", (1200, "sample") as "1,200 samples"; `several` where -s is not enough."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
