"""The pool's manifest with tables set beside it, as columns that a query can speak of.

Every table is aligned with the pool first: one row per sample, in the manifest's order.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.shards import fingerprint
from photogenic.curate.filters import FIELD, number, text_of
from photogenic.curate.gather import rows_at, starts_of
from photogenic.curate.tables import POOL, ROWS, STAMPS, Tables, num_nulls, quoted, write_batches

NUMBER, TEXT = "number", "text"  # a side-car field as either
FIELD_SCHEMA = pa.schema([(NUMBER, pa.float64()), (TEXT, pa.string())])
FIELD_REVISION = "2"  # raised when a value is read differently

Ints = NDArray[np.int64]


class PoolColumns:
    """The pool manifest, and tables with a row for each of its rows.

    manifest: the folder of its shards. folder: where aligned tables are kept for the next time (`columns`)
    and what is only needed to decide (`.deciding`, removed by `close`).
    """

    def __init__(self, manifest: Path, folder: Path) -> None:
        shards = sorted(manifest.glob("*.parquet"))
        if not shards:
            raise RunError(f"There is no table at {manifest}.", "Run `photogenic pool RECIPE` first.")
        self._folder = folder / "columns"
        self._kept: set[Path] = set()  # the aligned tables that this walk has used
        self.scratch = folder / ".deciding"
        shutil.rmtree(self.scratch, ignore_errors=True)  # of a process that was killed
        self.tables = Tables(self.scratch)
        self._key = listing([manifest])
        self.tables.attach(POOL, shards)
        self._num: int = sum(pq.read_metadata(shard).num_rows for shard in shards)
        self.tables.number_rows(self._num)
        self._columns: dict[str, str] = {}  # name -> SQL, of the score tables
        self._attached: dict[str, pa.Schema] = {}
        self._uid, self._of_uids = column_sql(POOL, "uid"), ""

    def __len__(self) -> int:
        return self._num

    def close(self) -> None:
        """Remove what was only needed to decide."""
        self.tables.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def tidy(self) -> None:
        """Remove aligned tables that this walk has not used: they are of another pool or recipe."""
        for path in set(self._folder.glob("*")) - self._kept:
            path.unlink()

    def attach(self, alias: str, path: Path, schema: pa.Schema) -> None:
        """Set a table with one row per sample beside the others; its columns can be asked for by name."""
        self.tables.attach(alias, [path])
        self._attached[alias] = schema
        for name in schema.names:
            self._columns.setdefault(name, column_sql(alias, name))
        if "uid" in schema.names:
            self._uid, self._of_uids = column_sql(alias, "uid"), path.name

    def align(self, path: Path, schema: pa.Schema, basis: str, files: Sequence[Path]) -> int:
        """Write one row per sample: its valid score among those in `files`, else all null.

        Returns how many have one.
        basis: what the score is computed from; another one makes it stale.
        """
        keys = {"sample_id": column_sql(POOL, "sample_id"), "stamp": self.stamp(basis)}
        if files:
            starts = starts_of(files)
            places = _each_once(self.tables.lookup(keys, files, starts[-1]))
            batches = rows_at(files, starts, schema, places)
        else:
            batches = self.tables.batches(self.tables.select(dict.fromkeys(schema.names, "NULL")))
        write_batches(path, schema, batches)
        return len(self) - num_nulls(path, "stamp")

    def stamp(self, basis: str) -> str:
        """What a valid score is computed from, as SQL; as Scorer.stamp has it."""
        columns = {name: column_sql(POOL, name) for name in ("size_bytes", "alt_text")}
        return STAMPS[basis].format(uid=self._uid, **columns)

    def unscored(self, alias: str) -> str:
        """The condition, as SQL, of having no score in an attached table."""
        return f"{column_sql(alias, 'stamp')} IS NULL"

    def detach(self, alias: str) -> None:
        """Take a table away, and its columns."""
        for name in self._attached.pop(alias).names:
            if self._columns.get(name) == column_sql(alias, name):
                del self._columns[name]
        if self._uid == column_sql(alias, "uid"):
            self._uid, self._of_uids = column_sql(POOL, "uid"), ""
        self.tables.detach(alias)

    def kept(self, name: str, key: str) -> Path:
        """Where the aligned table of that name lies, if it is there: another key, another file."""
        path = self._folder / f"{name}-{fingerprint(name, key, self._key, self._of_uids)}.parquet"
        self._kept.add(path)
        return path

    def value(self, name: str) -> str:
        """A column as it is, as SQL: the uid, one of a score table or of the pool, or a field as text."""
        if name == "uid":
            return self._uid
        if name.startswith(FIELD):
            return self._field(name, TEXT)
        return self._columns.get(name) or column_sql(POOL, name)

    def number(self, name: str) -> str:
        """A column as a number, as SQL; null where nothing was measured."""
        if name.startswith(FIELD):
            return self._field(name, NUMBER)
        return f"nullif({self._columns[name]}::DOUBLE, 'NaN'::DOUBLE)"

    def _field(self, name: str, form: str) -> str:
        if not self.tables.has(name):
            path = self.kept(f"field-{fingerprint(name)}", FIELD_REVISION)
            if not path.exists():
                write_batches(path, FIELD_SCHEMA, self._field_batches(name.removeprefix(FIELD)))
            self.tables.attach(name, [path])
        return column_sql(name, form)

    def _field_batches(self, field: str) -> Iterator[pa.RecordBatch]:
        for batch in self.tables.batches(self.tables.select({"fields": column_sql(POOL, "fields")})):
            yield field_batch([json.loads(text or "{}").get(field) for text in batch["fields"].to_pylist()])

    @property
    def id_key(self) -> str:
        """A number, as SQL, of the order of the sample_ids: their first 64 bits."""
        return f"('0x' || {column_sql(POOL, 'sample_id')}[1:16])::UBIGINT"

    def pool_rows(self, where: str) -> Iterator[pa.RecordBatch]:
        """Rows of the manifest to be scored: with the uids known so far, without side-car fields."""
        columns = {name: column_sql(POOL, name) for name in POOL_SCHEMA.names}
        columns |= {"uid": self._uid, "fields": "NULL::VARCHAR"}
        for batch in self.tables.batches(self.tables.select(columns, where)):
            yield from pa.Table.from_batches([batch]).cast(POOL_SCHEMA).to_batches()

    def count(self, where: str) -> int:
        """How many samples the condition holds for."""
        return int(self.tables.rows(self.tables.select({"num": "count(*)"}, where))[0][0])

    def take(self, columns: Mapping[str, str], rows: Ints) -> pa.Table:
        """`columns` (name -> SQL) of some rows, in the pool's order. rows: [D], ascending, each once."""
        row = column_sql(ROWS, "row")
        query = self.tables.select(columns, f"{row} IN (FROM taken)", f"ORDER BY {row}")
        return self.tables.table_with("taken", pa.table({"row": rows}), query)


def _each_once(batches: Iterable[pa.RecordBatch]) -> Iterator[Ints]:
    """Of rows that come several times the first `place`. Equal stamps are equal scores."""
    last = -1
    for batch in batches:
        rows = batch["row"].to_numpy()
        yield batch["place"].to_numpy()[np.diff(rows, prepend=last) > 0]
        last = int(rows[-1]) if len(rows) else last


def listing(paths: Sequence[Path]) -> str:
    """Changes with every file that is added, removed or rewritten at or below the paths; none is opened."""
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.parquet")))
    return fingerprint([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files])


def field_batch(values: Sequence[Any]) -> pa.RecordBatch:
    """Side-car values as numbers and as texts; null for what is none. [n]"""
    numbers = pa.array([number(value) for value in values], pa.float64(), from_pandas=True)
    texts = pa.array([text_of(value) for value in values], pa.string())
    return pa.record_batch([numbers, texts], schema=FIELD_SCHEMA)


def column_sql(alias: str, name: str) -> str:
    """A column of an attached table, as SQL."""
    return f"{quoted(alias)}.{quoted(name)}"
