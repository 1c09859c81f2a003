"""Tars of pictures with their texts, as WebDataset and img2dataset write them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from posixpath import splitext
from typing import Any

from photogenic.core.errors import StorageError
from photogenic.core.patience import for_good
from photogenic.core.records import Sample
from photogenic.core.storage import Root, read_range
from photogenic.curate.config import SourceConfig
from photogenic.curate.img2dataset import rows_beside
from photogenic.curate.metadata import MAX_SIDE_CAR_BYTES, json_object
from photogenic.curate.readers import IMAGE_SUFFIXES, Found, sample_from
from photogenic.curate.tars import TarMember, tar_members

SIDE_CARS = (".json", ".txt")

SideCars = Mapping[tuple[str, str], list[TarMember]]  # (path without suffix, suffix) -> in the tar's order


def read_tars(
    name: str, files: Iterable[Found], config: SourceConfig, left_out: Counter[str]
) -> Iterator[Sample]:
    """The pictures of all tars, sorted by member: the tar's path, then the picture's name inside.

    A picture's text and fields are the members `.txt` and `.json` of its key, which is its name up to the
    last dot, or else, as in WebDataset, up to the first. Of a table beside a tar (img2dataset's
    `00000.parquet`) the row of that key gives the fields that no `.json` gave.
    """
    tars = []
    for found in files:
        if found.suffix == ".tar":
            tars.append(found)
        elif found.suffix in (".gz", ".tgz", ".bz2", ".xz", ".zst"):
            left_out["compressed tar (unpack it to a .tar: pictures are read where they lie)"] += 1
    for tar in sorted(tars, key=lambda found: found.member + "/"):
        yield from _read_tar(name, tar, config, left_out)


def _read_tar(name: str, tar: Found, config: SourceConfig, left_out: Counter[str]) -> Iterator[Sample]:
    pictures: list[tuple[str, int, TarMember]] = []  # unique name, which of its name, member
    side_cars: defaultdict[tuple[str, str], list[TarMember]] = defaultdict(list)
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    for member in tar_members(tar.path, tar.member, left_out):
        stem, suffix = splitext(member.name)
        if suffix.lower() in IMAGE_SUFFIXES:
            pictures.append((_unique(member.name, taken), seen[member.name], member))
            seen[member.name] += 1
        elif suffix.lower() in SIDE_CARS:
            side_cars[stem, suffix.lower()].append(member)
        else:
            left_out[f"no picture ({suffix or 'no suffix'})"] += 1
    rows = rows_beside(tar.path, left_out)
    for unique, which, member in sorted(pictures):
        stem, _ = splitext(member.name)
        row = dict(rows.get(stem, {})) | _side_car_row(tar.path, stem, which, side_cars, left_out)
        if row.get(config.key) is None:
            row[config.key] = stem
        yield sample_from(
            name, f"{tar.member}/{unique}", member.size_bytes, row, config, offset=member.offset
        )


def _unique(name: str, taken: set[str]) -> str:
    """A tar may hold a name twice; the second `a.jpg` is known as `a~2.jpg`."""
    (stem, suffix), unique, number = splitext(name), name, 1
    while unique in taken:
        number += 1
        unique = f"{stem}~{number}{suffix}"
    taken.add(unique)
    return unique


def _side_car_row(
    tar: Root, stem: str, which: int, side_cars: SideCars, left_out: Counter[str]
) -> dict[str, Any]:
    """`.json` gives fields, `.txt` the alt_text (and wins)."""
    row: dict[str, Any] = {}
    if (text := _text(tar, stem, ".json", which, side_cars, left_out)) is not None:
        row |= json_object(text, "side-car that is no JSON object", left_out)
    if (text := _text(tar, stem, ".txt", which, side_cars, left_out)) is not None:
        row["alt_text"] = text.strip()
    return row


def _text(
    tar: Root, stem: str, suffix: str, which: int, side_cars: SideCars, left_out: Counter[str]
) -> str | None:
    folder, _, base = stem.rpartition("/")
    first_dot = f"{folder}/{base.split('.')[0]}" if folder else base.split(".")[0]
    members = side_cars.get((stem, suffix)) or side_cars.get((first_dot, suffix))
    if not members:
        return None
    member = members[min(which, len(members) - 1)]
    if member.size_bytes > MAX_SIDE_CAR_BYTES:
        left_out["side-car that is too large"] += 1
        return None
    try:
        return read_range(tar, member.offset, member.size_bytes).decode("utf-8-sig", "replace")
    except (OSError, StorageError) as error:
        for_good(error, f"{tar.name}/{member.name}")
        left_out["side-car that cannot be read"] += 1
        return None
