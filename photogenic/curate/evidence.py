"""What is on record about every sample of a curated pool: one table, read from the run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.filters import FIELD, Floats, Mask, Rule, number
from photogenic.curate.ledger import KEPT
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

    @property
    def left(self) -> int:
        """How many went on to the next step."""
        return self.entered - self.dropped - self.failed


@dataclass(frozen=True)
class Evidence:
    """The pool with verdicts and scores, one row per sample, and the steps that led there."""

    table: pa.Table  # POOL_SCHEMA, verdict, drop_step, drop_reason, value, threshold, every score column
    steps: tuple[StepRecord, ...]

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
        table = read_table(folder / "verdicts.parquet")
        for path in (run.folder / "pool" / "manifest", *(folder / "scores" / it for it in counts["scores"])):
            table = _joined(table, read_table(path))
        steps = tuple(_step_record(step) for step in counts["steps"])
        return cls(table.combine_chunks(), steps)

    @cached_property
    def stopped_at(self) -> NDArray[np.int64]:
        """Index of the step at which each sample was dropped or failed; past the last for the kept. [N]"""
        places = {step.name: index for index, step in enumerate(self.steps)}
        return np.array(
            [places.get(name, len(places)) for name in self.table["drop_step"].to_pylist()], dtype=np.int64
        )

    @property
    def kept(self) -> Mask:
        """Which samples are candidates. [N]"""
        return np.asarray(pc.equal(self.table["verdict"], KEPT))

    def numbers(self, column: str) -> Floats:
        """A column as numbers, NaN where nothing was measured. [N]"""
        if column.startswith(FIELD):
            return np.array([number(value) for value in self.fields(column.removeprefix(FIELD))], dtype=float)
        values = pc.cast(self.table[column], pa.float64(), safe=False)
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def fields(self, name: str) -> list[Any]:
        """A side-car field of every sample; None where it has none."""
        return [json.loads(text or "{}").get(name) for text in self.table["fields"].to_pylist()]


def _step_record(step: dict[str, Any]) -> StepRecord:
    return StepRecord(**{**step, "rules": tuple(Rule(**rule) for rule in step["rules"])})


def _joined(table: pa.Table, more: pa.Table) -> pa.Table:
    """`table` with those columns of `more` that it lacks, by sample_id."""
    rows = pc.index_in(table["sample_id"], more["sample_id"])
    for name in more.column_names:
        if name not in table.column_names and name not in STORE_COLUMNS:
            table = table.append_column(name, more[name].take(rows))
    return table
