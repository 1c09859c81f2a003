"""What is on record about every sample of a curated pool, read from the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.filters import FIELD, Floats, Mask, Rule, number
from photogenic.curate.ledger import KEPT
from photogenic.curate.neural import EMBEDDING
from photogenic.curate.scorers import STORE_COLUMNS


@dataclass(frozen=True)
class StepRecord:
    """A step as counts.json has it."""

    name: str
    rules: tuple[Rule, ...]
    skipped: str
    entered: int
    dropped: int
    failed: int
    note: str = ""

    @property
    def left(self) -> int:
        """How many went on to the next step."""
        return self.entered - self.dropped - self.failed


@dataclass(frozen=True)
class Evidence:
    """The pool with verdicts and scores, one row per sample, and the steps that led there.

    Columns are read when they are asked for: a pool of ten million has more of them than memory.
    """

    verdicts: pa.Table  # VERDICTS_SCHEMA, in the manifest's order
    steps: tuple[StepRecord, ...]
    folders: tuple[Path, ...]  # of the manifest, and of the score tables in use
    models: dict[str, str]  # name of a score folder -> its model and revision, where it has one

    @classmethod
    def read(cls, run: Run) -> Evidence:
        """Read what curate wrote.

        Raises:
            RunError: the run has not been curated.
        """
        folder = run.folder / "curate"
        if not (folder / "counts.json").exists():
            raise RunError(f"{run.folder} has not been curated.", "Run `photogenic curate RECIPE` first.")
        counts = read_json(folder / "counts.json")
        folders = (run.folder / "pool" / "manifest", *(folder / "scores" / name for name in counts["scores"]))
        steps = tuple(_step_record(step) for step in counts["steps"])
        verdicts = read_table(folder / "verdicts.parquet").combine_chunks()
        return cls(verdicts, steps, folders, counts.get("models", {}))

    def __len__(self) -> int:
        return int(self.verdicts.num_rows)

    @cached_property
    def homes(self) -> dict[str, Path]:
        """Each column's folder; the manifest's come first."""
        found = ((name, folder) for folder in reversed(self.folders) for name in _names_in(folder))
        return {name: folder for name, folder in found if name not in STORE_COLUMNS}

    @cached_property
    def stopped_at(self) -> NDArray[np.int64]:
        """Index of the step at which each sample was dropped or failed; past the last for the kept. [N]"""
        names = pa.array([step.name for step in self.steps], pa.string())
        places = pc.fill_null(pc.index_in(self.verdicts["drop_step"], names), len(self.steps))
        return np.asarray(places.to_numpy(), dtype=np.int64)

    @property
    def kept(self) -> Mask:
        """Which samples are candidates. [N]"""
        return np.asarray(pc.equal(self.verdicts["verdict"], KEPT))

    def because(self, reason: str) -> Mask:
        """Who was dropped with this very reason. [N]"""
        return np.asarray(pc.fill_null(pc.equal(self.verdicts["drop_reason"], reason), False))

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the manifest or of a score table; null where there is no score. [N]"""
        if name in self.verdicts.column_names:
            return self.verdicts[name]
        table = read_table(self.homes[name], ["sample_id", name])
        ids = self.verdicts["sample_id"]
        if table["sample_id"].equals(ids):
            return table[name]
        return table[name].take(pc.index_in(ids, table["sample_id"]))

    def rows(self, rows: Sequence[int] | NDArray[np.int64]) -> pa.Table:
        """All that is on record about a few samples, in this order."""
        table = self.verdicts.take(pa.array(rows, pa.int64()))
        for folder in self.folders:
            names = [name for name in _names_in(folder) if name not in {*STORE_COLUMNS, *table.column_names}]
            found = pq.read_table(
                sorted(folder.glob("*.parquet")),
                columns=["sample_id", *names],
                filters=pc.field("sample_id").isin(table["sample_id"].combine_chunks()),
            )
            places = pc.index_in(table["sample_id"], found["sample_id"].combine_chunks())
            for name in names:
                table = table.append_column(name, found[name].take(places))
        return table

    def numbers(self, column: str) -> Floats:
        """A column as numbers, NaN where nothing was measured. [N]"""
        if column.startswith(FIELD):
            return np.array([number(value) for value in self.fields(column.removeprefix(FIELD))], dtype=float)
        values = pc.cast(self.column(column), pa.float64(), safe=False)
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def words(self, name: str) -> list[Any]:
        """A column of words such as `concept`, or else a side-car field. [N]"""
        return self.column(name).to_pylist() if name in self.homes else self.fields(name)

    def fields(self, name: str) -> list[Any]:
        """A side-car field of every sample; None where it has none. Only what names it is read as JSON."""
        texts = self.column("fields")
        values: list[Any] = [None] * len(texts)
        named = pc.indices_nonzero(pc.match_substring(texts, json.dumps(name, ensure_ascii=False)))
        for row, text in zip(named.to_pylist(), texts.take(named).to_pylist(), strict=True):
            values[row] = json.loads(text).get(name)
        return values


def _step_record(step: dict[str, Any]) -> StepRecord:
    return StepRecord(**{**step, "rules": tuple(Rule(**rule) for rule in step["rules"])})


def _names_in(folder: Path) -> list[str]:
    """Columns of the folder's tables; vectors are no evidence."""
    paths = sorted(folder.glob("*.parquet"))
    return [] if not paths else [field.name for field in pq.read_schema(paths[0]) if field.name != EMBEDDING]
