"""Samples that were taken out for good (opt-outs, takedowns), and their names: they are not let in again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from photogenic.core.records import Sample

FILE = "forgotten.jsonl"


@dataclass(frozen=True)
class Tombstone:
    """What is left of a sample: no picture, no text, no path."""

    sample_id: str
    uid: str | None  # of its bytes, so that a copy under another name is refused as well; None: never read
    when: str  # UTC, ISO 8601
    reason: str = ""


@dataclass(frozen=True)
class Tombstones:
    """All of a run."""

    stones: tuple[Tombstone, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Their sample_ids."""
        return frozenset(stone.sample_id for stone in self.stones)

    @property
    def uids(self) -> frozenset[str]:
        """The uids of their bytes."""
        return frozenset(stone.uid for stone in self.stones if stone.uid is not None)

    def living(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Those of the samples that were not taken out."""
        ids, uids = self.ids, self.uids
        return (it for it in samples if it.sample_id not in ids and it.uid not in uids)

    def without(self, table: pa.Table) -> pa.Table:
        """The rows of a table with sample_id, and perhaps uid, that were not taken out."""
        if not self.stones:
            return table
        gone = pc.is_in(table["sample_id"], pa.array(sorted(self.ids), pa.string()))
        if "uid" in table.column_names:
            gone = pc.or_(gone, pc.is_in(table["uid"], pa.array(sorted(self.uids), pa.string())))
        return table.filter(pc.invert(gone))


def read_tombstones(run_folder: Path) -> Tombstones:
    """Those of a run; a line that a kill cut off is left out."""
    path = run_folder / FILE
    if not path.exists():
        return Tombstones(())
    stones = []
    for line in path.read_bytes().split(b"\n"):
        try:
            stones.append(Tombstone(**json.loads(line)))
        except ValueError:
            continue
    return Tombstones(tuple(stones))


def add_tombstones(run_folder: Path, stones: Iterable[Tombstone]) -> None:
    """Append, and see it on the disk: whatever is removed afterwards is removed for good."""
    with (run_folder / FILE).open("ab+") as file:
        if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            file.write(b"\n")  # a kill cut the last line off: what follows must not become a part of it
        file.writelines(json.dumps(asdict(stone)).encode() + b"\n" for stone in stones)
        file.flush()
        os.fsync(file.fileno())
