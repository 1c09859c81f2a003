"""What is told of pictures beside them: metadata files, side-cars, and values as tables can hold them."""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from photogenic.core.errors import RunError, StorageError
from photogenic.core.parquet_rows import open_parquet, rows_of
from photogenic.core.patience import for_good
from photogenic.core.storage import Root, read_range
from photogenic.curate.rows_on_disk import RowsOnDisk

if TYPE_CHECKING:
    from photogenic.curate.readers import Found

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
FILE_NAME = "file_name"
MAX_SIDE_CAR_BYTES = 16 * 2**20
MAX_LEVELS = 64  # of lists and objects in one another
MAX_CELL_CHARS = 16 * 2**20  # of a CSV file: a quotation mark that nothing closes swallows the whole rest
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_metadata(root: Root, left_out: Counter[str]) -> RowsOnDisk | None:
    """Member -> row of the folder's metadata file; None where there is no such file.

    Raises:
        RunError: there are several metadata files, or the one there is cannot be read as a whole.
    """
    paths = [root / name for name in METADATA_NAMES if (root / name).is_file()]
    if not paths:
        return None
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise RunError(f"{root} has several metadata files: {names}.", "Leave one of them.")
    rows = RowsOnDisk()
    for row in _metadata_rows(paths[0], left_out):
        member = row.get(FILE_NAME)
        if not isinstance(member, str) or not member:
            left_out["metadata row without file_name"] += 1
        elif not rows.add(PurePosixPath(member).as_posix(), plain(row)):
            left_out["metadata row for a file that has one"] += 1
    return rows


def _metadata_rows(path: Root, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                if line.strip():
                    yield json_object(line, "metadata line that is no JSON object", left_out)
    elif path.suffix == ".csv":
        csv.field_size_limit(MAX_CELL_CHARS)
        try:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                for row in csv.DictReader(file):
                    yield {name: value for name, value in row.items() if name is not None}
        except csv.Error as error:
            raise RunError(f"Cannot read {path}: {error}.", "Write the file again or remove it.") from error
    else:
        try:
            for batch in open_parquet(path).iter_batches():
                yield from rows_of(batch)
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {path}: {error}", "Write the file again or remove it.") from error


def spellings(member: str) -> tuple[str, ...]:
    """The member as it is, and with its accents composed and decomposed: file systems differ in that."""
    if member.isascii():
        return (member,)
    forms = (member, unicodedata.normalize("NFC", member), unicodedata.normalize("NFD", member))
    return tuple(dict.fromkeys(forms))


def read_side_cars(found: Found, left_out: Counter[str]) -> dict[str, Any]:
    """`picture.json` gives fields, `picture.txt` the alt_text (and wins)."""
    row: dict[str, Any] = {}
    if (text := _side_car(found, ".json", left_out)) is not None:
        row |= json_object(text, "side-car that is no JSON object", left_out)
    if (text := _side_car(found, ".txt", left_out)) is not None:
        row["alt_text"] = text.strip()
    return row


def _side_car(found: Found, suffix: str, left_out: Counter[str]) -> str | None:
    name = found.stem + suffix
    if name not in found.beside:
        return None
    try:
        data = read_range(found.folder / name, 0, MAX_SIDE_CAR_BYTES + 1)
    except (OSError, StorageError) as error:
        for_good(error, str(found.folder / name))
        left_out["side-car that cannot be read"] += 1
        return None
    if len(data) > MAX_SIDE_CAR_BYTES:
        left_out["side-car that is too large"] += 1
        return None
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def json_object(text: str, otherwise: str, left_out: Counter[str]) -> dict[str, Any]:
    """The object that `text` is; else an empty one, counted under `otherwise`."""
    try:
        value = plain(json.loads(text))
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    left_out[otherwise] += 1
    return {}


def plain(value: Any, levels: int = MAX_LEVELS) -> Any:
    """`value` as JSON can hold it: dates and bytes as text, a NaN as null, a lone surrogate as U+FFFD.

    Raises:
        ValueError: lists and objects lie deeper in one another than `levels`.
    """
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict | list | tuple) and not levels:
        raise ValueError("too many lists and objects in one another")
    if isinstance(value, dict):
        return {plain(str(name)): plain(item, levels - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, levels - 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | None) else str(value)
