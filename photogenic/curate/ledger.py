"""Every sample of the pool and what has become of it. Nothing vanishes: a dropped sample keeps its row.

What happened to a sample is not stored but asked: the ledger is a list of events, each a condition over the
columns, and the first one that holds decides. So a changed threshold is a query, however large the pool.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA, VERDICTS_SCHEMA
from photogenic.core.shards import fingerprint, read_table, write_table
from photogenic.curate.filters import FIELD, Floats, Mask, Rule, number
from photogenic.curate.tables import (
    POOL,
    ROWS,
    STAMPS,
    Tables,
    first_of,
    like_any,
    literal,
    none_of,
    num_nulls,
    quoted,
    write_batches,
)

KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
NUMBER, TEXT = "number", "text"  # a side-car field as either

Ints = NDArray[np.int64]
Strings = NDArray[np.object_]


@dataclass(frozen=True)
class Event:
    """What happened to some samples. All but `step` and `verdict` is SQL over the aligned tables."""

    step: str
    verdict: str  # dropped | failed
    condition: str
    reason: str
    value: str = "NULL"
    threshold: str = "NULL"


class Ledger:
    """The pool manifest with a verdict for each row, in the manifest's order.

    manifest: the folder of its shards. folder: where aligned tables are kept for the next time (`columns`)
    and what is only needed to decide (`.deciding`, removed by `close`).
    """

    def __init__(self, manifest: Path, folder: Path) -> None:
        shards = sorted(manifest.glob("*.parquet"))
        if not shards:
            raise RunError(f"There is no table at {manifest}.", "Run `photogenic pool RECIPE` first.")
        self._manifest = manifest
        self._folder = folder / "columns"
        self._kept: set[Path] = set()  # the aligned tables that this walk has used
        self.scratch = folder / ".deciding"
        shutil.rmtree(self.scratch, ignore_errors=True)  # of a process that was killed
        self.tables = Tables(self.scratch)
        self._key = listing([manifest])
        self.tables.attach(POOL, shards)
        self._num: int = sum(pq.read_metadata(shard).num_rows for shard in shards)
        self.tables.number_rows(self._num)
        self.events: list[Event] = []
        self._columns: dict[str, str] = {}  # name -> SQL, of the score tables
        self._attached: dict[str, pa.Schema] = {}
        self._paths: dict[str, Path] = {}
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

    # --- columns ---------------------------------------------------------------------------------------

    def attach(self, alias: str, path: Path, schema: pa.Schema) -> None:
        """Set a table with one row per sample beside the others; its columns can be asked for by name."""
        self.tables.attach(alias, [path])
        self._attached[alias], self._paths[alias] = schema, path
        for name in schema.names:
            self._columns.setdefault(name, column_sql(alias, name))
        if "uid" in schema.names:
            self._uid, self._of_uids = column_sql(alias, "uid"), path.name
            self.__dict__.pop("uids", None)

    def align(self, path: Path, schema: pa.Schema, basis: str, files: Sequence[Path]) -> int:
        """Write one row per sample: its valid score among those in `files`, else all null.

        Returns how many have one.
        basis: what the score is computed from; another one makes it stale.
        """
        columns = {name: column_sql(POOL, name) for name in ("size_bytes", "alt_text")} | {"uid": self._uid}
        keys = {"sample_id": column_sql(POOL, "sample_id"), "stamp": STAMPS[basis].format(**columns)}
        if files:
            batches = _each_once(self.tables.batches(self.tables.lookup(keys, files)))
        else:
            batches = self.tables.batches(self.tables.select(dict.fromkeys(schema.names, "NULL")))
        write_batches(path, schema, batches)
        return len(self) - num_nulls(path, "stamp")

    def unscored(self, alias: str) -> str:
        """The condition, as SQL, of having no score in an attached table."""
        return f"{column_sql(alias, 'stamp')} IS NULL"

    def path(self, alias: str) -> Path:
        """The file of an attached score table."""
        return self._paths[alias]

    def detach(self, alias: str) -> None:
        """Take a table away, and its columns."""
        for name in self._attached.pop(alias).names:
            if self._columns[name] == column_sql(alias, name):
                del self._columns[name]
        if self._uid == column_sql(alias, "uid"):
            self._uid, self._of_uids = column_sql(POOL, "uid"), ""
            self.__dict__.pop("uids", None)
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
            path = self.kept(f"field-{fingerprint(name)}", "")
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

    # --- the whole pool in memory, for those who score -----------------------------------------------------

    @cached_property
    def manifest(self) -> pa.Table:
        """The pool manifest."""
        return read_table(self._manifest).combine_chunks()

    @cached_property
    def ids(self) -> Strings:
        """The sample_ids. [N]"""
        return self._column(column_sql(POOL, "sample_id"))

    @cached_property
    def uids(self) -> Strings:
        """The uids known so far. [N]"""
        return self._column(self._uid)

    @cached_property
    def texts(self) -> Strings:
        """The samples' own texts. [N]"""
        return self._column(column_sql(POOL, "alt_text"))

    @property
    def alive(self) -> Mask:
        """Whom no event has happened to so far. [N]"""
        return self.mask(self.living)

    def mask(self, condition: str) -> Mask:
        """Whom the condition (SQL) holds for. [N]"""
        found = self.tables.table(self.tables.select({"row": column_sql(ROWS, "row")}, condition))
        mask = np.zeros(len(self), dtype=bool)
        mask[found["row"].to_numpy()] = True
        return mask

    def marked(self, which: Mask) -> str:
        """The condition, as SQL, of being one of `which`: [N]."""
        path = self.scratch / "marked.parquet"
        write_table(path, pa.table({"is": which}))
        self.tables.attach("marked", [path])
        return column_sql("marked", "is")

    def pool_rows(self, where: str) -> Iterator[pa.RecordBatch]:
        """Rows of the manifest to be scored: with the uids known so far, without side-car fields."""
        columns = {name: column_sql(POOL, name) for name in POOL_SCHEMA.names}
        columns |= {"uid": self._uid, "fields": "NULL::VARCHAR"}
        for batch in self.tables.batches(self.tables.select(columns, where)):
            yield from pa.Table.from_batches([batch]).cast(POOL_SCHEMA).to_batches()

    def _column(self, sql: str) -> Strings:
        column = self.tables.table(self.tables.select({"value": sql}))["value"]
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)

    # --- who is alive ----------------------------------------------------------------------------------

    @property
    def living(self) -> str:
        """The condition, as SQL, that no event has happened to a sample so far."""
        return none_of(event.condition for event in self.events)

    def count(self, where: str) -> int:
        """How many samples the condition holds for."""
        return int(self.tables.rows(self.tables.select({"num": "count(*)"}, where))[0][0])

    def of_alive(self, columns: Mapping[str, str], where: str = "TRUE") -> pa.Table:
        """`row` and `columns` (name -> SQL) of who is alive, in the pool's order, in memory."""
        columns = {"row": column_sql(ROWS, "row")} | dict(columns)
        return self.tables.table(self.tables.select(columns, f"{self.living} AND ({where})"))

    def living_batches(self, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """As `of_alive`, bit by bit."""
        columns = {"row": column_sql(ROWS, "row")} | dict(columns)
        return self.tables.batches(self.tables.select(columns, self.living))

    def numbers(self, name: str) -> Floats:
        """A column of all who are alive, without what was not measured. [n] float64"""
        value = self.number(name)
        query = self.tables.select({"value": value}, f"{self.living} AND {value} IS NOT NULL")
        return np.asarray(self.tables.table(query)["value"].to_numpy(), dtype=np.float64)

    def distinct(self, value: str) -> list[str]:
        """The different values (SQL, text) of who is alive, in order."""
        query = self.tables.select({"value": value}, self.living, "GROUP BY ALL")
        return sorted(row[0] for row in self.tables.rows(query))

    def take(self, columns: Mapping[str, str], rows: Ints) -> pa.Table:
        """`columns` (name -> SQL) of some rows, in the pool's order. rows: [D], ascending, each once."""
        row = column_sql(ROWS, "row")
        query = self.tables.select(columns, f"{row} IN (FROM taken)", f"ORDER BY {row}")
        return self.tables.table_with("taken", pa.table({"row": rows}), query)

    # --- events ----------------------------------------------------------------------------------------

    def drop_by(self, rule: Rule, step: str) -> None:
        """Drop those alive who break the rule."""
        value = self.number(rule.column)
        reason, threshold = literal(rule.sentence), literal(rule.threshold)
        self.events.append(Event(step, DROPPED, broken(rule, value), reason, value, threshold))

    def drop_unless_any(self, step: str, column: str, patterns: Sequence[str], keep_unknown: bool) -> None:
        """Drop those whose text matches none of the patterns (`*` is anything, capitals do not count)."""
        value = self.value(column)
        matches = f"({like_any(value, patterns)}) IS NOT TRUE"
        condition = f"({value} IS NOT NULL AND {matches})" if keep_unknown else matches
        said = f"coalesce({value}, 'not stated')"
        self._drop_where(
            condition, step, f"{literal(column.removeprefix(FIELD))} || ' ' || {said} || ' is not allowed'"
        )

    def drop_if_said(self, step: str, column: str, means_no: Sequence[str]) -> None:
        """Drop those where the column says anything but no."""
        value = self.value(column)
        condition = f"({value} IS NOT NULL AND NOT ({like_any(value, means_no)}))"
        self._drop_where(condition, step, literal(f"opted out ({column})"))

    def drop_if_named(self, step: str, phrases: Sequence[str]) -> None:
        """Drop those whose text has one of the phrases, as whole words in a row.

        phrases: lower-case words with one space between; capitals and punctuation of the text do not count.
        """
        text = f"lower({column_sql(POOL, 'alt_text')})"
        words = f"' ' || regexp_replace({text}, '[^\\pL\\pN]+', ' ', 'g') || ' '"
        pattern = f" ({'|'.join(phrases)}) "  # letters, digits and spaces: nothing to escape
        named = f"regexp_extract({words}, {literal(pattern)}, 1)"
        self._drop_where(f"{named} <> ''", step, f"'held out: its text names ' || {named}")

    def drop_copies(self, step: str, uids: Iterable[str]) -> None:
        """Drop those whose bytes were taken out for good under another name."""
        gone = ", ".join(map(literal, sorted(uids)))
        if gone:
            reason = literal("forgotten: its bytes were taken out for good")
            self._drop_where(f"{self._uid} IN ({gone})", step, reason)

    def drop_undecodable(self, alias: str, step: str) -> None:
        """Drop whom the scorer of an attached table could not decode, each for its own reason."""
        reason = column_sql(alias, "undecodable")
        self._drop_where(f"{reason} IS NOT NULL", step, reason)

    def strike(
        self,
        step: str,
        verdict: str,
        rows: Ints,
        reasons: pa.Array,
        values: Floats | None = None,
        thresholds: Floats | None = None,
    ) -> None:
        """Drop or fail single samples, each for its own reason. rows, reasons, ...: [D]; no NaN is told."""
        if not len(rows):
            return
        nothing = np.full(len(rows), np.nan)
        struck = pa.table(
            {
                "reason": reasons.dictionary_encode() if pa.types.is_string(reasons.type) else reasons,
                "value": pa.array(nothing if values is None else values, from_pandas=True),
                "threshold": pa.array(nothing if thresholds is None else thresholds, from_pandas=True),
            }
        )
        places = np.full(len(self), -1, dtype=np.int32)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        alias = f"struck {len(self.events)}"
        path = self.scratch / f"{alias}.parquet"
        write_table(path, struck.take(pa.array(places, mask=places < 0)))
        self.tables.attach(alias, [path])
        reason, value, threshold = (column_sql(alias, name) for name in struck.column_names)
        self.events.append(Event(step, verdict, f"{reason} IS NOT NULL", reason, value, threshold))

    def strike_ids(self, step: str, verdict: str, reasons: Mapping[str, str]) -> None:
        """Drop or fail samples by their sample_id -> reason."""
        if not reasons:
            return
        ids = ", ".join(map(literal, reasons))
        found = self.of_alive(
            {"id": column_sql(POOL, "sample_id")}, f"{column_sql(POOL, 'sample_id')} IN ({ids})"
        )
        texts = pa.array([reasons[sample_id] for sample_id in found["id"].to_pylist()], pa.string())
        self.strike(step, verdict, found["row"].to_numpy(), texts)

    def _drop_where(self, condition: str, step: str, reason: str) -> None:
        self.events.append(Event(step, DROPPED, condition, reason))

    # --- what came of it -------------------------------------------------------------------------------

    def counts(self) -> list[tuple[str, str, int]]:
        """(step, verdict, number of samples) of every event, in their order."""
        rows = self.tables.rows(
            self.tables.select({"fate": self._fate(), "num": "count(*)"}, tail="GROUP BY 1")
        )
        found = {int(fate): int(num) for fate, num in rows}
        return [(event.step, event.verdict, found.get(fate, 0)) for fate, event in enumerate(self.events)]

    def write_verdicts(self, path: Path) -> None:
        """One row per sample, as VERDICTS_SCHEMA."""
        events = self.events
        columns = {name: column_sql(POOL, name) for name in ("sample_id", "source", "key")}
        columns |= {"uid": self._uid}
        columns |= {
            "verdict": first_of(
                [(event.condition, literal(event.verdict)) for event in events], literal(KEPT)
            ),
            "drop_step": first_of([(event.condition, literal(event.step)) for event in events], "NULL"),
            "drop_reason": first_of([(event.condition, event.reason) for event in events], "NULL"),
            "value": first_of([(event.condition, event.value) for event in events], "NULL"),
            "threshold": first_of([(event.condition, event.threshold) for event in events], "NULL"),
        }
        write_batches(path, VERDICTS_SCHEMA, self.tables.batches(self.tables.select(columns)))

    def write_candidates(self, path: Path) -> int:
        """The survivors with the pool's columns and those of every attached table; their number."""
        columns = {name: (POOL, name) for name in POOL_SCHEMA.names}
        schema = POOL_SCHEMA
        for alias, attached in self._attached.items():
            for field in attached:
                if field.name == "uid":
                    columns["uid"] = (alias, "uid")
                elif field.name not in columns:
                    columns[field.name] = (alias, field.name)
                    schema = schema.append(field)
        return write_batches(path, schema, self.tables.gathered(columns, self.living))

    def _fate(self) -> str:
        """The number of the first event that happened to a sample; -1 to who is alive."""
        return first_of([(event.condition, str(fate)) for fate, event in enumerate(self.events)], "-1")


def _each_once(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of rows that come several times, by the column `row`, the first. Equal stamps are equal scores."""
    last = -1
    for batch in batches:
        rows = batch["row"].to_numpy()
        is_first = np.diff(rows, prepend=last) > 0
        yield batch if is_first.all() else batch.filter(pa.array(is_first))
        last = int(rows[-1]) if len(rows) else last


def listing(paths: Sequence[Path]) -> str:
    """Changes with every file that is added, removed or rewritten at or below the paths; none is opened."""
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.parquet")))
    return fingerprint([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files])


FIELD_SCHEMA = pa.schema([(NUMBER, pa.float64()), (TEXT, pa.string())])


def field_batch(values: Sequence[Any]) -> pa.RecordBatch:
    """Side-car values as numbers and as texts; null for what is none. [n]"""
    numbers = pa.array([number(value) for value in values], pa.float64(), from_pandas=True)
    texts = pa.array([str(value) if value else None for value in values], pa.string())
    return pa.record_batch([numbers, texts], schema=FIELD_SCHEMA)


def column_sql(alias: str, name: str) -> str:
    """A column of an attached table, as SQL."""
    return f"{quoted(alias)}.{quoted(name)}"


def broken(rule: Rule, value: str) -> str:
    """The condition that a value is on the wrong side of the rule; as Rule.breaks has it."""
    side = "<" if rule.side == "min" else ">"
    wrong = "FALSE" if rule.threshold is None else f"{value} {side} {literal(float(rule.threshold))}"
    return wrong if rule.keep_unknown else f"({wrong} OR {value} IS NULL)"
