"""What lies in a source and is no sample of the pool: counted by reason; what poses as one gets a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from photogenic.core.shards import read_table, write_table

SCHEMA = pa.schema([("source", pa.string()), ("member", pa.string()), ("reason", pa.string())])
MAX_ROWS = 100_000  # of a source; beyond it they are counted only


class LeftOut(Counter[str]):
    """Reason -> how many; `rows` are (member, reason) of pipes, links out of the pool, hostile names."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str]] = []


def leave_out(left_out: Counter[str], reason: str, member: str) -> None:
    """Count it, and where rows are kept, say which it was."""
    left_out[reason] += 1
    if isinstance(left_out, LeftOut) and len(left_out.rows) < MAX_ROWS:
        left_out.rows.append((member.encode("utf-8", "backslashreplace").decode(), reason))


def write_left_out(path: Path, sources: Mapping[str, LeftOut]) -> None:
    """RUN/pool/left_out.parquet, sorted. SCHEMA"""
    rows = [
        {"source": source, "member": member, "reason": reason}
        for source in sorted(sources)
        for member, reason in sorted(sources[source].rows)
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))


def reason_for(path: Path, member: str) -> str:
    """Why a member is not in the pool; "" where nothing is known of it."""
    if not path.exists():
        return ""
    rows = read_table(path).to_pylist()
    return next((row["reason"] for row in rows if row["member"] == member), "")
