"""Every sample of the pool and what has become of it. Nothing vanishes: a dropped sample keeps its row.

What happened to a sample is not stored but asked: the ledger is a list of events, each a condition over the
columns, and the first one that holds decides. So a changed threshold is a query, however large the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from photogenic.core.manifest import POOL_SCHEMA, VERDICTS_SCHEMA
from photogenic.core.shards import write_table
from photogenic.curate.columns import Ints, PoolColumns, column_sql
from photogenic.curate.filters import FIELD, Floats, Rule
from photogenic.curate.tables import POOL, ROWS, first_of, like_any, literal, write_batches

KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
FATES, ALIVE = "fates", "-1"  # the number of the event that decides for each sample, or that none does
_FATE = column_sql(FATES, "fate")


@dataclass(frozen=True)
class Event:
    """What happened to some samples. All but `step` and `verdict` is SQL over the aligned tables."""

    step: str
    verdict: str  # dropped | failed
    condition: str
    reason: str
    value: str = "NULL"
    threshold: str = "NULL"


class Ledger(PoolColumns):
    """The pool with a verdict for each row."""

    def __init__(self, manifest: Path, folder: Path) -> None:
        super().__init__(manifest, folder)
        self.events: list[Event] = []
        self._num_settled = 0  # of the events: FATES knows what came of them

    # --- who is alive ----------------------------------------------------------------------------------

    @property
    def living(self) -> str:
        """The condition, as SQL, that no event has happened to a sample so far."""
        self.settle()
        return f"{_FATE} = {ALIVE}"

    def settle(self) -> None:
        """Ask which event decides for each sample, of those before and those since the last time.

        Every condition is asked once, however often the answer is read.
        """
        since = range(self._num_settled, len(self.events))
        if self.tables.has(FATES) and not since:
            return
        before = [(f"{_FATE} <> {ALIVE}", _FATE)] if self.tables.has(FATES) else []
        cases = before + [(self.events[fate].condition, str(fate)) for fate in since]
        self.tables.keep(FATES, self.tables.select({"fate": f"({first_of(cases, ALIVE)})::SMALLINT"}))
        self._num_settled = len(self.events)

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

    def some_with_text(self, num: int) -> Ints:
        """Up to `num` rows of who is alive and has a text. Sample ids are hashes: their order is random."""
        has_text = f"regexp_matches({column_sql(POOL, 'alt_text')}, '\\S')"
        tail = f"ORDER BY {column_sql(POOL, 'sample_id')} LIMIT {num}"
        query = self.tables.select({"row": column_sql(ROWS, "row")}, f"{self.living} AND {has_text}", tail)
        return np.sort(np.asarray(self.tables.table(query)["row"].to_numpy(), dtype=np.int64))

    def among(self, rows: Ints) -> str:
        """The condition, as SQL, of being one of a few rows."""
        return f"{column_sql(ROWS, 'row')} IN ({', '.join(map(str, rows.tolist())) or 'NULL'})"

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

    def drop_oversized(self, step: str, most_bytes: int) -> None:
        """Drop those whose file is larger, as the listing tells it: nobody reads them."""
        size = column_sql(POOL, "size_bytes")
        reason = literal(f"a file of more than {most_bytes / 2**30:g} GiB")
        condition, most = f"{size} > {most_bytes}", literal(float(most_bytes))
        self.events.append(Event(step, DROPPED, condition, reason, f"{size}::DOUBLE", most))

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
        row, sample_id = column_sql(ROWS, "row"), column_sql(POOL, "sample_id")
        struck = f"{self.living} AND {sample_id} IN (FROM named)"
        query = self.tables.select({"row": row, "id": sample_id}, struck, f"ORDER BY {row}")
        found = self.tables.table_with("named", pa.table({"id": list(reasons)}), query)
        texts = pa.array([reasons[name] for name in found["id"].to_pylist()], pa.string())
        self.strike(step, verdict, found["row"].to_numpy(), texts)

    def _drop_where(self, condition: str, step: str, reason: str) -> None:
        self.events.append(Event(step, DROPPED, condition, reason))

    # --- what came of it -------------------------------------------------------------------------------

    def counts(self) -> list[tuple[str, str, int]]:
        """(step, verdict, number of samples) of every event, in their order."""
        self.settle()
        rows = self.tables.rows(self.tables.select({"fate": _FATE, "num": "count(*)"}, tail="GROUP BY 1"))
        found = {int(fate): int(num) for fate, num in rows}
        return [(event.step, event.verdict, found.get(fate, 0)) for fate, event in enumerate(self.events)]

    def write_verdicts(self, path: Path) -> None:
        """One row per sample, as VERDICTS_SCHEMA."""
        self.settle()
        columns = {name: column_sql(POOL, name) for name in ("sample_id", "source", "key")}
        columns |= {
            "uid": self._uid,
            "verdict": self._told_by(lambda event: literal(event.verdict), literal(KEPT)),
            "drop_step": self._told_by(lambda event: literal(event.step)),
            "drop_reason": self._told_by(lambda event: event.reason),
            "value": self._told_by(lambda event: event.value),
            "threshold": self._told_by(lambda event: event.threshold),
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

    def _told_by(self, told: Callable[[Event], str], of_living: str = "NULL") -> str:
        """What the event that decides says, as SQL."""
        cases = [(f"{_FATE} = {fate}", told(event)) for fate, event in enumerate(self.events)]
        return first_of(cases, of_living)


def broken(rule: Rule, value: str) -> str:
    """The condition that a value is on the wrong side of the rule; as Rule.breaks has it."""
    side = "<" if rule.side == "min" else ">"
    wrong = "FALSE" if rule.threshold is None else f"{value} {side} {literal(float(rule.threshold))}"
    return wrong if rule.keep_unknown else f"({wrong} OR {value} IS NULL)"
