"""The tables that img2dataset leaves beside its shards: `00000.parquet` beside `00000.tar` or `00000/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from photogenic.core.errors import StorageError
from photogenic.core.parquet_rows import open_parquet, rows_of
from photogenic.core.patience import for_good
from photogenic.core.storage import Root

Rows = Mapping[str, Mapping[str, Any]]  # key -> fields


def rows_beside(shard: Root, left_out: Counter[str]) -> Rows:
    """What it noted of each picture that it got, by key; those it did not get are counted.

    shard: a tar or a folder. No rows where there is no table, or one of something else.
    """
    path = shard.with_suffix(".parquet")
    if not path.is_file():
        return {}
    try:
        with open_parquet(path) as file:
            if not {"key", "status"} <= set(file.schema_arrow.names):
                return {}
            rows = [row for batch in file.iter_batches() for row in rows_of(batch)]
    except (OSError, ValueError, StorageError) as error:
        for_good(error, str(path))
        left_out["table beside a shard that cannot be read"] += 1
        return {}
    got = [row for row in rows if row["status"] == "success" and row["key"] is not None]
    if len(rows) > len(got):
        left_out["picture that was never downloaded, by the table beside its shard"] += len(rows) - len(got)
    return {str(row["key"]): {name: row[name] for name in row if row[name] is not None} for row in got}
