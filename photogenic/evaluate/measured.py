"""The measures of every drawn picture as a table, for whoever counts the votes later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from photogenic.core.shards import read_table, write_table
from photogenic.evaluate.beside import pictures_mark
from photogenic.evaluate.results import Drawn

MEASURED = "measured.parquet"
KEY = ("model", "prompt_id", "seed")
MARK = b"pictures"  # in the table's metadata: which pictures were measured


def write_measured(run_folder: Path, drawn: Mapping[str, Drawn]) -> None:
    """Write RUN/evaluate/measured.parquet: a row a picture, `KEY` and a column for each measure."""
    rows = [
        {"model": model, "prompt_id": row["prompt_id"], "seed": row["seed"]}
        | {name: float(values[number]) for name, values in one.measured.columns.items()}
        for model, one in drawn.items()
        for number, row in enumerate(one.rows)
    ]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({MARK: pictures_mark(run_folder)})
    write_table(run_folder / "evaluate" / MEASURED, table)


def read_measured(run_folder: Path) -> pa.Table | None:
    """That table; None where it is missing, or about other pictures than those that are there now."""
    path = run_folder / "evaluate" / MEASURED
    if not path.exists():
        return None
    table = read_table(path)
    mark = (table.schema.metadata or {}).get(MARK)
    return table if mark == pictures_mark(run_folder).encode() else None
