"""A curated pool in memory: the columns that the funnel's rules read, and what the run decided."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.filters import FIELD, Rule, number, text_of

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Column:
    """Numbers of the whole pool, NaN where nothing was measured, and of whom there is a score at all. [N]"""

    values: Values
    scored: Mask


@dataclass(frozen=True)
class Step:
    """A step of the run. `came`: who came to it in the run; `gone`: whom it dropped or failed. [N]"""

    name: str
    rules: tuple[Rule, ...]
    skipped: str
    came: Mask
    gone: Mask
    note: str = ""
    stand_in: NDArray[np.int64] | None = None  # near-duplicates: the row that stayed for each, -1 for none


@dataclass(frozen=True)
class Choice:
    """The step `select`: how many, and each sample's score and group. [N]"""

    num: int
    scores: Values
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class ExploredPool:
    """One row per sample of the pool."""

    run: Run
    manifest: pa.Table  # POOL_SCHEMA
    steps: tuple[Step, ...]
    columns: dict[str, Column]
    choice: Choice | None

    def __len__(self) -> int:
        return int(self.manifest.num_rows)

    @classmethod
    def read(cls, run: Run, config: CurateConfig) -> ExploredPool:
        """What the run has on record.

        Raises:
            RunError: the run has not been curated.
        """
        folder = run.folder / "curate"
        if not (folder / "counts.json").exists():
            raise RunError(f"{run.folder} has not been curated.", "Run `photogenic curate RECIPE` first.")
        counts = read_json(folder / "counts.json")
        manifest = read_table(run.folder / "pool" / "manifest", POOL_SCHEMA.names).combine_chunks()
        reader = _Reader(manifest, [folder / "scores" / name for name in counts["scores"]])
        verdicts = read_table(folder / "verdicts.parquet", ["sample_id", "drop_step", "drop_reason"])
        verdicts = verdicts.take(pc.index_in(manifest["sample_id"], verdicts["sample_id"]))
        steps, came = [], np.ones(manifest.num_rows, bool)
        for told in counts["steps"]:
            steps.append(_step(told, came, verdicts, reader.ids))
            came = came & ~steps[-1].gone
        names = dict.fromkeys(rule.column for step in steps for rule in step.rules)
        columns = {name: reader.column(name) for name in names}
        return cls(run, manifest, tuple(steps), columns, _choice(config, reader))


class _Reader:
    """Score columns by the manifest's rows."""

    def __init__(self, manifest: pa.Table, folders: list[Path]) -> None:
        self.manifest = manifest
        self.ids = manifest["sample_id"]
        self._folders = {name: folder for folder in reversed(folders) for name in _columns_in(folder)}

    def column(self, name: str) -> Column:
        if name.startswith(FIELD):
            values = [number(value) for value in self.field(name.removeprefix(FIELD))]
            return Column(np.array(values, np.float32), np.ones(len(values), bool))
        table = self._table(name)
        if table is None:
            nothing = np.full(self.manifest.num_rows, np.nan, np.float32)
            return Column(nothing, np.zeros(len(nothing), bool))
        values = pc.cast(table[name], pa.float32(), safe=False).to_numpy(zero_copy_only=False)
        return Column(np.asarray(values, np.float32), pc.is_valid(table["stamp"]).to_numpy())

    def words(self, name: str) -> list[Any]:
        """A scorer's column of words, or else a side-car field."""
        table = self._table(name)
        return self.field(name) if table is None else table[name].to_pylist()

    def field(self, name: str) -> list[Any]:
        return [json.loads(text or "{}").get(name) for text in self.manifest["fields"].to_pylist()]

    def _table(self, name: str) -> pa.Table | None:
        """The column and its stamps, in the manifest's order, null where there is no score."""
        if name not in self._folders:
            return None
        table = read_table(self._folders[name], ["sample_id", "stamp", name])
        table = table.filter(pc.is_valid(table["stamp"]))
        return table.take(pc.index_in(self.ids, table["sample_id"]))


def _columns_in(folder: Path) -> list[str]:
    paths = sorted(folder.glob("*.parquet"))
    return [str(name) for name in pq.read_schema(paths[0]).names] if paths else []


def _step(step: dict[str, Any], came: Mask, verdicts: pa.Table, ids: pa.ChunkedArray) -> Step:
    gone = pc.fill_null(pc.equal(verdicts["drop_step"], step["name"]), False).to_numpy()
    stand_in = None
    if step["name"] == "duplicates":
        rows = np.flatnonzero(gone)
        reasons = verdicts["drop_reason"].take(pa.array(rows)).to_pylist()
        stayed = pa.array([reason.rpartition(" ")[2] for reason in reasons], pa.string())
        stand_in = np.full(len(gone), -1, np.int64)
        stand_in[rows] = pc.fill_null(pc.index_in(stayed, ids), -1).to_numpy(zero_copy_only=False)
    rules = tuple(Rule(**rule) for rule in step["rules"])
    return Step(step["name"], rules, step["skipped"], came, gone, step.get("note", ""), stand_in)


def _choice(config: CurateConfig, reader: _Reader) -> Choice | None:
    step = config.steps.select
    if step is None:
        return None
    groups = np.zeros(reader.manifest.num_rows, np.int64)
    if step.balance:
        names = [text_of(value) or "" for value in reader.words(step.balance)]
        groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return Choice(step.num, reader.column(step.by).values, groups)
