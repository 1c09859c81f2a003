"""The JSON that a safetensors file begins with: an 8-byte length, little endian, then the text."""

from __future__ import annotations

import json
from pathlib import Path

LENGTH_BYTES = 8


def sort_metadata(path: Path) -> None:
    """Put the metadata of a safetensors file in alphabetical order, in place; no tensor moves.

    The library keeps them in a hash map and so writes them in another order at each call; equal runs shall
    write equal files.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(LENGTH_BYTES), "little")
        header = json.loads(file.read(size))
        if "__metadata__" not in header:
            return
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(LENGTH_BYTES)
        file.write(text.ljust(size))
