"""What leaves the server as a file."""

from __future__ import annotations

MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def attachment(name: str) -> dict[str, str]:
    """The header by which browsers save the answer under `name`."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
