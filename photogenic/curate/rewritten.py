"""Files of the pool that were rewritten since it was last indexed: what was measured of them is void.

Hashes are stored by a file's size, so one rewritten with the same size would keep its old hash and with it
all old scores. RUN/pool/listing.parquet remembers when each file was written; it is the one table that does.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from photogenic.core.shards import CONTAINERS, read_table, write_table
from photogenic.curate.formats import Place

SCHEMA = pa.schema([("source", pa.string()), ("member", pa.string()), ("version", pa.int64())])
BATCH_ROWS = 10_000


def listing(sources: Iterable[Place]) -> pa.Table:
    """Every file that holds pictures or is one, with its version. SCHEMA"""
    return pa.Table.from_batches(_batches(sources), schema=SCHEMA)


def _batches(sources: Iterable[Place]) -> Iterator[pa.RecordBatch]:
    rows = _rows(sources)
    while some := list(itertools.islice(rows, BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(some, schema=SCHEMA)


def _rows(sources: Iterable[Place]) -> Iterator[dict[str, Any]]:
    for place in sources:
        for found in place.files(Counter()):
            if found.is_image or found.path.suffix.lower() in CONTAINERS:
                yield {"source": place.name, "member": found.member, "version": found.version}


def rewritten(before: pa.Table, now: pa.Table, manifest: pa.Table) -> list[str]:
    """sample_id of each picture whose file has another version than before."""
    both = before.join(now, keys=["source", "member"], join_type="inner", right_suffix="_now")
    changed = both.filter(pc.not_equal(both["version"], both["version_now"]))
    files = set(zip(changed["source"].to_pylist(), changed["member"].to_pylist(), strict=True))
    if not files:
        return []
    rows = manifest.select(["sample_id", "source", "member"]).to_pylist()
    return [
        row["sample_id"]
        for row in rows
        if any((row["source"], file) in files for file in _files_of(row["member"]))
    ]


def _files_of(member: str) -> Iterator[str]:
    """The file that a member may be or lie in."""
    yield member
    for path in itertools.accumulate(member.split("/")[:-1], lambda folder, part: f"{folder}/{part}"):
        if path.lower().endswith(CONTAINERS):
            yield path


def forget(curated: Path, sample_ids: list[str]) -> None:
    """Take these samples out of what was read of headers and hashes; all else is valid by hash.

    curated: RUN/curate
    """
    gone = pa.array(sample_ids, pa.string())
    for path in sorted(curated.glob("scores/read-*/**/*.parquet")) + sorted(
        curated.glob("slices/*/read-*/**/*.parquet")
    ):
        table = read_table(path)
        write_table(path, table.filter(pc.invert(pc.is_in(table["sample_id"], gone))))
