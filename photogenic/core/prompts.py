"""Prompts from a list or a file: text, TSV such as PartiPrompts, CSV, parquet."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.errors import RecipeError

PROMPT_FILES = (".txt", ".tsv", ".csv", ".parquet")
TEXT_COLUMNS = ("prompt", "text", "caption")  # the first that a table has; upper and lower case are one
Row = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """What to draw. `prompt_id` comes from the text, so it survives when other lines come and go."""

    prompt_id: str
    text: str
    category: str = ""
    challenge: str = ""


def read_prompts(prompts: Path | Sequence[str]) -> list[Prompt]:
    """The prompts of a file, by its suffix, or of a list, in their order.

    .txt has one prompt a line and .tsv no quoting, so that quotation marks belong to the prompt, as in
    PartiPrompts. Tables need a column `prompt` (or `text`, `caption`) and may have `category`, `challenge`.

    Raises:
        RecipeError: the file cannot be read, or there is no prompt, blank ones not counted.
    """
    if not isinstance(prompts, Path):
        found = _with_ids({"text": text} for text in prompts)
        if not found:
            raise RecipeError("There is no prompt: all are empty.", "Say what to draw.")
        return found
    path = prompts.expanduser()
    try:
        found = _with_ids(_rows(path))
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        raise RecipeError(f"The prompts in {path} cannot be read: {error}.") from error
    if not found:
        raise RecipeError(f"There is no prompt in {path}.")
    return found


def prompt_id_for(text: str) -> str:
    """The text made fit for a file's name, and eight hex digits that tell apart what this makes equal."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{words}-{digest}" if words else digest


def _with_ids(rows: Iterable[Row]) -> list[Prompt]:
    """Prompts of the rows that say something; a text that comes again is told apart by a number."""
    seen: Counter[str] = Counter()
    prompts = []
    for row in rows:
        text = row["text"].strip()
        if not text:
            continue
        seen[text] += 1
        again = f"-{seen[text]}" if seen[text] > 1 else ""
        prompt_id = prompt_id_for(text) + again
        prompts.append(Prompt(prompt_id, text, row.get("category", ""), row.get("challenge", "")))
    return prompts


def _rows(path: Path) -> list[Row]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table = pq.read_table(path)
        return _table_rows(path, table.column_names, (tuple(row.values()) for row in table.to_pylist()))
    if suffix in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            tabs = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            lines = list(tabs if suffix == ".tsv" else csv.reader(file))
        return _table_rows(path, lines[0], lines[1:]) if lines else []
    return [{"text": line} for line in path.read_text(encoding="utf-8-sig").splitlines()]


def _table_rows(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> list[Row]:
    names = [name.strip().lower() for name in header]
    text_name = next((name for name in TEXT_COLUMNS if name in names), None)
    if text_name is None:
        raise RecipeError(
            f"{path} has no column `prompt`, `text` or `caption`.", f"It has: {', '.join(header)}."
        )
    wanted = {"text": text_name, "category": "category", "challenge": "challenge"}
    at = {ours: names.index(theirs) for ours, theirs in wanted.items() if theirs in names}
    return [
        {ours: _text(line[index]) if index < len(line) else "" for ours, index in at.items()}
        for line in lines
    ]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
