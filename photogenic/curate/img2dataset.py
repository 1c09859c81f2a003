"""The tables that img2dataset leaves beside its shards: `00000.parquet` beside `00000.tar` or `00000/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Rows = Mapping[str, Mapping[str, Any]]  # key -> fields


def rows_beside(shard: Path, left_out: Counter[str]) -> Rows:
    """What it noted of each picture that it got, by key; those it did not get are counted.

    shard: a tar or a folder. No rows where there is no table, or one of something else.
    """
    path = shard.with_suffix(".parquet")
    if not path.is_file():
        return {}
    try:
        if not {"key", "status"} <= set(pq.read_schema(path).names):
            return {}
        rows = pq.read_table(path).to_pylist()
    except (OSError, ValueError):
        left_out["table beside a shard that cannot be read"] += 1
        return {}
    got = [row for row in rows if row["status"] == "success" and row["key"] is not None]
    if len(rows) > len(got):
        left_out["picture that was never downloaded, by the table beside its shard"] += len(rows) - len(got)
    return {str(row["key"]): {name: row[name] for name in row if row[name] is not None} for row in got}
