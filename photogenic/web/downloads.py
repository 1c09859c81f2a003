"""What leaves the server as a file."""

from __future__ import annotations

from typing import Any

MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


# With these a cell begins that a spreadsheet would run as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: Any) -> Any:
    """The cell of a CSV as a spreadsheet takes it for text: what begins like a formula gets an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip("'").startswith(FORMULA) else cell


def as_written(cell: str) -> str:
    """The cell without the apostrophe that `harmless` has put before it."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(FORMULA) else cell


def attachment(name: str) -> dict[str, str]:
    """The header by which browsers save the answer under `name`."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
