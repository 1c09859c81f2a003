"""Files of the pool that were rewritten since it was last indexed: what was measured of them is void.

Hashes are stored by a file's size, so one rewritten with the same size would keep its old hash and with it
all old scores. RUN/pool/listing.parquet remembers when each file was written; it is the one table that does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from photogenic.core.shards import CONTAINERS, read_table, write_table


def rewritten(before: pa.Table, now: pa.Table, manifest: Path) -> list[str]:
    """sample_id of each picture whose file has another version than before.

    before, now: VERSIONS_SCHEMA
    """
    now = now.group_by(["source", "member"]).aggregate([("version", "max")])
    now = now.rename_columns(["source", "member", "version_now"])
    both = before.join(now, keys=["source", "member"], join_type="inner")
    changed = both.filter(pc.not_equal(both["version"], both["version_now"]))
    files = set(zip(changed["source"].to_pylist(), changed["member"].to_pylist(), strict=True))
    if not files:
        return []
    return [
        sample_id
        for shard in sorted(manifest.glob("*.parquet"))
        for sample_id, source, member in zip(*_names_in(shard), strict=True)
        if any((source, file) in files for file in _files_of(member))
    ]


def _names_in(shard: Path) -> list[list[str]]:
    return [column.to_pylist() for column in read_table(shard, ["sample_id", "source", "member"]).columns]


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
