"""Tables on disk, side by side: what every query is made of.

Every table has one row per sample of the pool, in the manifest's order, so they are joined by position:
nothing is looked up, and nothing is held in memory but what a query returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.errors import StorageError
from photogenic.core.shards import atomic_path
from photogenic.curate.gather import RowGroups, starts_of

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"  # DuckDB's own; what does not fit is spilled to disk
BATCH_ROWS = 20_000
ROWS_PER_GROUP = 25_000  # of a parquet file
NO_SPACE = ("No space left on device", "Disk quota exceeded", "failed to offload")  # as DuckDB says it

POOL, ROWS = "pool", "rows"


def quoted(name: str) -> str:
    """A name as SQL: whatever is in it, it stays a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as SQL, a float to its last bit."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"'{value!r}'::DOUBLE"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def first_of(cases: Sequence[tuple[str, str]], otherwise: str) -> str:
    """The value of the first (condition, value) whose condition holds."""
    if not cases:
        return otherwise
    branches = " ".join(f"WHEN {condition} THEN {value}" for condition, value in cases)
    return f"CASE {branches} ELSE {otherwise} END"


def like_any(value: str, patterns: Sequence[str]) -> str:
    """Whether a text matches one of the patterns, of which `*` stands for anything; capitals do not count."""
    return " OR ".join(f"lower({value}) GLOB {literal(_glob(pattern.lower()))}" for pattern in patterns)


def _glob(pattern: str) -> str:
    """What GLOB reads as the pattern: `?`, `[` and the backslash are letters like others."""
    return re.sub(r"[?\[\\]", r"[\g<0>]", pattern)


def _mark(texts: Iterable[str]) -> str:
    together = " || ' ' || ".join(texts)
    return f"md5_number({together})"


def files_of(paths: Sequence[Path]) -> str:
    """Parquet files as one relation, in this order."""
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])"


class Tables:
    """A DuckDB connection with named, aligned relations. `folder` takes what does not fit into memory.

    Whatever is asked of it raises StorageError where the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        import duckdb

        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        with self._space():
            self._db: duckdb.DuckDBPyConnection = duckdb.connect(str(folder / "tables.duckdb"))
            self._db.execute(f"SET memory_limit = '{MEMORY}'")
            self._db.execute(f"SET temp_directory = {literal(str(folder / 'spill'))}")
            self._db.execute("SET enable_progress_bar = false")
        self._relations: dict[str, str] = {}
        self._paths: dict[str, list[Path]] = {}
        self._starts: dict[str, list[int]] = {}  # the first row of each file, and the number of all

    def close(self) -> None:
        """The connection's files are left to whoever made the folder."""
        self._db.close()

    def attach(self, alias: str, paths: Sequence[Path]) -> None:
        """Set parquet files, read one after the other, beside the others under a name."""
        self._relations[alias], self._paths[alias] = files_of(paths), list(paths)
        self._starts[alias] = starts_of(paths)

    def detach(self, alias: str) -> None:
        """Take a relation away; its file stays."""
        del self._relations[alias]

    def has(self, alias: str) -> bool:
        """Whether something is attached under that name."""
        return alias in self._relations

    def number_rows(self, num: int) -> None:
        """A relation `rows` with the column `row`: 0 to num - 1."""
        self.keep(ROWS, f"SELECT range AS row FROM range({num})")

    def keep(self, alias: str, query: str) -> None:
        """Set a query's result, one row per sample in the pool's order, beside the others under a name."""
        with self._space():
            self._db.execute(f"CREATE OR REPLACE TABLE {quoted(alias)} AS {query}")
        self._relations[alias] = quoted(alias)

    def from_clause(self, *sql: str) -> str:
        """The relations that the expressions speak of, joined by position."""
        text = " ".join(sql)
        named = [alias for alias in self._relations if f"{quoted(alias)}." in text] or [ROWS]
        return " POSITIONAL JOIN ".join(f"{self._relations[alias]} AS {quoted(alias)}" for alias in named)

    def select(self, columns: Mapping[str, str], where: str = "TRUE", tail: str = "") -> str:
        """`columns` (name -> expression) of all aligned rows `where` holds."""
        named = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns.items())
        return f"SELECT {named} FROM {self.from_clause(named, where, tail)} WHERE {where} {tail}"

    def gathered(self, columns: Mapping[str, tuple[str, str]], where: str) -> Iterator[pa.RecordBatch]:
        """As `select`, of columns as they are: each relation is read by itself, and of it what is wanted.

        columns: name -> (alias, column).
        """
        own: dict[str, dict[str, None]] = {}
        for alias, column in columns.values():
            own.setdefault(alias, {})[column] = None
        with ExitStack() as stack:
            readers = {
                alias: stack.enter_context(
                    closing(RowGroups(self._paths[alias], self._starts[alias], list(names)))
                )
                for alias, names in own.items()
            }
            for batch in self.batches(self.select({"row": f"{quoted(ROWS)}.row"}, where)):
                if batch.num_rows:
                    found = {alias: reader.take(batch["row"].to_numpy()) for alias, reader in readers.items()}
                    named = {name: found[alias][column] for name, (alias, column) in columns.items()}
                    yield from pa.table(named).to_batches()

    def lookup(
        self, keys: Mapping[str, str], files: Sequence[Path], num_places: int
    ) -> Iterator[pa.RecordBatch]:
        """`row`, in the pool's order, and the `place` of its sample among all rows of the files; -1: nowhere.

        keys: column of the files -> expression; both are texts, and only the last one has spaces. Whoever is
        there several times comes as often, the first place first. Keys are compared by their MD5, 16 bytes
        instead of a hundred, so that ten million are joined in memory.
        """
        ours = self.select({"row": f"{quoted(ROWS)}.row", "mark": _mark(keys.values())})
        places = f"range({num_places}) AS places(place)"
        theirs = f"SELECT place, {_mark(map(quoted, keys))} AS mark"
        return self.batches(
            f"SELECT row, coalesce(place, -1) AS place FROM ({ours}) LEFT JOIN"
            f" ({theirs} FROM {places} POSITIONAL JOIN {files_of(files)}) USING (mark) ORDER BY row, place"
        )

    def table(self, query: str) -> pa.Table:
        """The whole result, in memory."""
        with self._space():
            return self._db.sql(query).to_arrow_table()

    def table_with(self, name: str, table: pa.Table, query: str) -> pa.Table:
        """As `table`; the query may speak of one more table, which is in memory."""
        self._db.register(name, table)
        try:
            return self.table(query)
        finally:
            self._db.unregister(name)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The whole result, as Python's own values."""
        with self._space():
            return list(self._db.execute(query).fetchall())

    def batches(self, query: str, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The result bit by bit. Another query may be run meanwhile."""
        with self._space(), self._db.cursor() as cursor:
            yield from cursor.sql(query).to_arrow_reader(batch_rows)

    @contextmanager
    def _space(self) -> Iterator[None]:
        """Says in a sentence that there is none left: to DuckDB that is one of many errors."""
        import duckdb

        try:
            yield
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            if not any(sign in str(error) for sign in NO_SPACE):
                raise
            raise StorageError(
                f"The disk is full: {self._folder} takes what does not fit into memory.",
                "Free some space and run the same command again.",
            ) from error


# What a score is computed from -> its stamp, as Scorer.stamp has it.
_UID = "coalesce({uid}, 'None')"
STAMPS = {
    "size_bytes": "{size_bytes}::VARCHAR",
    "uid": _UID,
    "uid and text": _UID + " || ' ' || sha256({alt_text})[1:16]",
    "text": "sha256({alt_text})[1:16]",
}


def write_batches(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a parquet file atomically without holding it; the same rows are the same bytes. Their number.

    Types are cast to `schema`; columns are found by name.
    """
    num = 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for table in _row_groups(schema, batches):
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            num += table.num_rows
    return num


def num_nulls(path: Path, column: str) -> int:
    """Nulls in a column of a parquet file, as its own statistics tell."""
    with pq.ParquetFile(path) as file:
        place = file.schema_arrow.names.index(column)
        groups = (file.metadata.row_group(group) for group in range(file.num_row_groups))
        return sum(group.column(place).statistics.null_count for group in groups)


def _row_groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of exactly ROWS_PER_GROUP rows, the last one shorter; each in one piece."""
    held, num = [schema.empty_table()], 0
    for batch in batches:
        table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        while num + table.num_rows >= ROWS_PER_GROUP:
            cut = ROWS_PER_GROUP - num
            yield pa.concat_tables([*held, table.slice(0, cut)]).combine_chunks()
            held, num, table = [schema.empty_table()], 0, table.slice(cut)
        held.append(table)
        num += table.num_rows
    if num:
        yield pa.concat_tables(held).combine_chunks()
