"""What lies in a source and is no sample of the pool: counted by reason; what poses as one gets a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from photogenic.core.shards import read_table, write_table

SCHEMA = pa.schema([("source", pa.string()), ("member", pa.string()), ("reason", pa.string())])
VERSIONS_SCHEMA = pa.schema([("source", pa.string()), ("member", pa.string()), ("version", pa.int64())])
PIECE_ROWS = 10_000
MAX_ROWS = 100_000  # of a source; beyond it they are counted only


class Survey(Counter[str]):
    """What a walk of a source saw besides samples: reason -> how many were left out, and more.

    rows: (member, reason) of pipes, links out of the pool, hostile names. versions: of the files that hold
    pictures or are some; in pieces of arrow, for a source may have millions.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.rows: list[tuple[str, str]] = []
        self._pieces: list[pa.RecordBatch] = []
        self._members: list[str] = []
        self._versions: list[int] = []

    def note_version(self, member: str, version: int) -> None:
        """Remember when a file was written."""
        self._members.append(member)
        self._versions.append(version)
        if len(self._members) == PIECE_ROWS:
            self._pieces.append(self._piece())

    def versions(self) -> pa.Table:
        """VERSIONS_SCHEMA; a source that was walked twice has its files twice."""
        return pa.Table.from_batches([*self._pieces, self._piece()], schema=VERSIONS_SCHEMA)

    def _piece(self) -> pa.RecordBatch:
        members, self._members = self._members, []
        versions, self._versions = self._versions, []
        return pa.record_batch([[self.source] * len(members), members, versions], schema=VERSIONS_SCHEMA)


def leave_out(left_out: Counter[str], reason: str, member: str) -> None:
    """Count it, and where rows are kept, say which it was."""
    left_out[reason] += 1
    if isinstance(left_out, Survey) and len(left_out.rows) < MAX_ROWS:
        left_out.rows.append((member.encode("utf-8", "backslashreplace").decode(), reason))


def write_left_out(path: Path, surveys: Iterable[Survey]) -> None:
    """RUN/pool/left_out.parquet, sorted. SCHEMA"""
    rows = [
        {"source": survey.source, "member": member, "reason": reason}
        for survey in surveys
        for member, reason in sorted(survey.rows)
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))


def reason_for(path: Path, member: str) -> str:
    """Why a member is not in the pool; "" where nothing is known of it."""
    if not path.exists():
        return ""
    rows = read_table(path).to_pylist()
    return next((row["reason"] for row in rows if row["member"] == member), "")
