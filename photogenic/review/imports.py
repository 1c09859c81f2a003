"""Decisions made elsewhere: a table that says which samples to keep, as CSV, JSONL or parquet."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.markup import escape

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.review.annotators import called, caption_source, kind_in, who_looked
from photogenic.review.captions import caption_for
from photogenic.review.export import Needles
from photogenic.review.last_words import Rows, is_export, last_words
from photogenic.web.downloads import as_written

IDS = {
    "sample_id": "sample_id",
    "key": "key",
    "file_name": "member",
}  # column of the CSV -> column of the pool
KEEP_WORDS = frozenset(("1", "1.0", "true", "t", "yes", "y", "keep", "kept", "pick"))
REJECT_WORDS = frozenset(("0", "0.0", "false", "f", "no", "n", "reject", "rejected", ""))


@dataclass(frozen=True)
class ImportedDecision:
    """One row of the CSV. `line` is where it stands, for the sentences that name it."""

    line: int
    name: str
    source: str
    kept: bool
    caption: str
    caption_source: str  # writer | model
    decided_by: str
    unread: bool  # it has a caption that no second reader has approved, as others were


def needles_from_table(path: Path, run: Run) -> Needles:
    """The kept rows of the table as needles, in the order of their sample_id.

    They are looked up among the candidates, or, where no funnel has run, in the whole pool.

    Raises:
        RunError: the table cannot be read, contradicts itself, or keeps what is not there.
    """
    column, decisions = read_decisions(path)
    table = samples_of(run)
    rows = rows_by_name(table, IDS[column])
    sources = table["source"].to_pylist()
    chosen: dict[int, ImportedDecision] = {}
    rejected: dict[int, ImportedDecision] = {}
    lost: list[ImportedDecision] = []
    for decision in decisions:
        found = [row for row in rows.get(decision.name, ()) if decision.source in ("", sources[row])]
        if len(found) > 1:
            raise RunError(
                f"{path.name}, line {decision.line}: {column} {decision.name!r} is in several sources.",
                "Add a column `source`, or use sample_id.",
            )
        if found:
            (chosen if decision.kept else rejected).setdefault(found[0], decision)
        elif decision.kept:
            lost.append(decision)
    _refuse_contradictions(path, chosen, rejected)
    _refuse_lost(path, column, lost)
    _tell_unread(path, run, sum(decision.unread for decision in chosen.values()))
    return _needles(table, chosen, path)


def known_answers(path: Path, run: Run) -> dict[str, str]:
    """sample_id -> keep or drop, for gold and calibration; rows that name no candidate are left out.

    Raises:
        RunError: the table cannot be read.
    """
    column, decisions = read_decisions(path.expanduser())
    table = samples_of(run)
    rows, ids = rows_by_name(table, IDS[column]), table["sample_id"].to_pylist()
    sources = table["source"].to_pylist()
    return {
        ids[row]: "keep" if decision.kept else "drop"
        for decision in decisions
        for row in rows.get(decision.name, ())
        if decision.source in ("", sources[row])
    }


def read_decisions(path: Path) -> tuple[str, list[ImportedDecision]]:
    """The column that names the samples, and the rows of a .csv, .jsonl or .parquet file.

    Raises:
        RunError: the file cannot be read, or a row is no decision.
    """
    columns, rows = read_rows(path)
    column = next((name for name in IDS if name in columns), None)
    if column is None or "keep" not in columns:
        raise RunError(
            f"{path.name} needs a column `keep` and one of `sample_id`, `key`, `file_name`;"
            f" it has {', '.join(columns) or 'none'}."
        )
    if is_export(columns):
        rows = last_words(rows, column)
    return column, list(_decisions(path, rows, column))


def read_rows(path: Path) -> tuple[list[str], Rows]:
    """Column names and rows, with their lines, of a .csv, .jsonl or .parquet file; every cell as text.

    Raises:
        RunError: the file cannot be read.
    """
    readers = {".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
    try:
        return readers.get(path.suffix.lower(), _csv_rows)(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"Cannot read {path.name}: {error}.", "Save it as CSV in UTF-8.") from error
    except (json.JSONDecodeError, pa.ArrowInvalid) as error:
        raise RunError(f"Cannot read {path.name}: {error}.") from error


def _csv_rows(path: Path) -> tuple[list[str], Rows]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = [(reader.line_num, {name: _text(cell) for name, cell in row.items()}) for row in reader]
        columns = list(reader.fieldnames or [])
    if is_export(columns):
        rows = [(line, {name: as_written(cell) for name, cell in row.items()}) for line, row in rows]
    return columns, rows


def _jsonl_rows(path: Path) -> tuple[list[str], Rows]:
    rows = []
    with path.open(encoding="utf-8-sig") as file:  # `splitlines` would break at characters inside a text too
        for line, text in enumerate(file, 1):
            if text.strip():
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise RunError(f"{path.name}, line {line} is no JSON object.")
                rows.append((line, {name: _text(cell) for name, cell in row.items()}))
    return list(dict.fromkeys(name for _, row in rows for name in row)), rows


def _parquet_rows(path: Path) -> tuple[list[str], Rows]:
    table = pq.read_table(path)
    rows = [
        (number, {name: _text(cell) for name, cell in row.items()})
        for number, row in enumerate(table.to_pylist(), 1)
    ]
    return list(table.column_names), rows


def _text(cell: object) -> str:
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False)
    return "" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)


def _decisions(path: Path, rows: Rows, column: str) -> Iterator[ImportedDecision]:
    for line, row in rows:
        word = row.get("keep", "").strip().lower()
        if word not in KEEP_WORDS | REJECT_WORDS:
            raise RunError(
                f"{path.name}, line {line}: `keep` is {row['keep']!r}.", "Write 1 or 0, yes or no."
            )
        kind = kind_in(row, f"{path.name}, line {line}")
        model = who_looked([kind])
        yield ImportedDecision(
            line=line,
            name=row.get(column, "").strip(),
            source=row.get("source", "").strip(),
            kept=word in KEEP_WORDS,
            caption=row.get("caption", ""),
            caption_source=row.get("caption_source") or caption_source(kind),
            decided_by=called(row.get("decided_by", "").strip(), kind) + model,
            unread=bool(row.get("unread")),
        )


def samples_of(run: Run) -> pa.Table:
    candidates = run.folder / "curate" / "candidates.parquet"
    if candidates.exists():
        return read_table(candidates, POOL_SCHEMA.names)
    return read_table(run.folder / "pool" / "manifest", POOL_SCHEMA.names)


def rows_by_name(table: pa.Table, column: str) -> Mapping[str, Sequence[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(table[column].to_pylist()):
        rows[name].append(row)
    return rows


def _refuse_contradictions(
    path: Path, chosen: Mapping[int, ImportedDecision], rejected: Mapping[int, ImportedDecision]
) -> None:
    for row in chosen.keys() & rejected.keys():
        raise RunError(
            f"{path.name} keeps {chosen[row].name!r} in line {chosen[row].line}"
            f" and rejects it in line {rejected[row].line}.",
            "Settle on one decision.",
        )


def _refuse_lost(path: Path, column: str, lost: Sequence[ImportedDecision]) -> None:
    if lost:
        named = ", ".join(f"{decision.name!r} (line {decision.line})" for decision in lost[:5])
        raise RunError(
            f"{path.name} keeps {len(lost)} samples whose {column} is not among the candidates: {named}.",
            "`photogenic why` tells which step dropped a sample. Loosen that step, or leave the rows out.",
        )


def _tell_unread(path: Path, run: Run, num: int) -> None:
    if num:
        sentence = (
            f"captions of {path.name} left out, for no second reader has approved them as others: {num:,};"
            " the alternative text stands there"
        )
        run.log.warning("review: %s", sentence)
        console.print(f"[yellow]review: {escape(sentence)}[/yellow]")


def _needles(table: pa.Table, chosen: Mapping[int, ImportedDecision], path: Path) -> Needles:
    ids = table["sample_id"].to_pylist()
    order = sorted(chosen, key=lambda row: ids[row])
    rows = table.take(pa.array(order, pa.int64()))
    decisions = [chosen[row] for row in order]
    return Needles(
        rows=rows,
        captions=[
            caption_for(alt_text, decision.caption, decision.caption_source)
            for alt_text, decision in zip(rows["alt_text"].to_pylist(), decisions, strict=True)
        ],
        decided_by=[
            f"imported from {path.name}" + (f": {decision.decided_by}" if decision.decided_by else "")
            for decision in decisions
        ],
        scores=[None] * len(decisions),
    )
