"""A sample's whole story: each value, threshold and verdict."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group
from rich.table import Table
from rich.text import Text

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.tombstones import read_tombstones
from photogenic.curate.evidence import Evidence, StepRecord
from photogenic.curate.filters import Rule
from photogenic.curate.ledger import FAILED, KEPT
from photogenic.curate.left_out import reason_for
from photogenic.curate.readers import CAMERA_RAW

PASSED, NOT_REACHED, LEFT_OUT = "passed", "not reached", "left out"
COLOURS = {PASSED: "green", KEPT: "green", "dropped": "red", FAILED: "yellow"}


@dataclass(frozen=True)
class Line:
    """What one step had to say."""

    step: str
    said: str
    outcome: str  # passed | dropped | failed | left out | not reached


@dataclass(frozen=True)
class Story:
    """One sample on its way through the funnel; prints itself on a rich console."""

    sample: dict[str, Any]  # the sample's row of Evidence.rows
    lines: tuple[Line, ...]
    measured: tuple[tuple[str, str], ...] = ()  # (scorer with revision and model, all its values)

    @property
    def verdict(self) -> str:
        """In a sentence."""
        row = self.sample
        if row["verdict"] == KEPT:
            return "kept: a candidate"
        return f"{row['verdict']} at the step {row['drop_step']}: {row['drop_reason']}"

    def __rich__(self) -> Group:
        row = self.sample
        head = Text.assemble((f"{row['source']}/{row['member']}", "bold"), f"  {row['alt_text']}")
        names = Text(
            f"key {row['key']}   sample_id {row['sample_id']}   uid {row['uid'] or 'not read'}", "dim"
        )
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("step", "what it saw", "verdict"):
            table.add_column(title)
        for line in self.lines:
            style = COLOURS.get(line.outcome, "dim")
            table.add_row(line.step, Text(line.said), Text(line.outcome, style))  # a Text is no markup
        values = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
        for title in ("measured by", "values"):
            values.add_column(title, style="dim")
        for scorer, said in self.measured:
            values.add_row(Text(scorer), Text(said))
        verdict = Text(self.verdict, COLOURS.get(row["verdict"], ""))
        return Group(head, names, table, verdict, *([values] if self.measured else []))


def why(run: Run, name: str) -> list[Story]:
    """The stories of all samples that `name` means: a sample_id, uid, key, member, file name or path.

    Raises:
        RunError: the run has not been curated, or no sample has that name.
    """
    evidence = Evidence.read(run)
    rows = find(evidence, run, name)
    if not rows:
        raise _unknown(evidence, run, name)
    samples = evidence.rows(rows).to_pylist()
    return [
        Story(sample, tuple(_lines(evidence, sample, row)), tuple(_values(evidence, sample)))
        for row, sample in zip(rows, samples, strict=True)
    ]


def _unknown(evidence: Evidence, run: Run, name: str) -> RunError:
    """What is known of a name that no sample of the pool has."""
    for stone in read_tombstones(run.folder).stones:
        if name in (stone.sample_id, stone.uid):
            reason = f": {stone.reason}" if stone.reason else ""
            what = f"{name} was taken out for good on {stone.when[:10]}{reason}."
            return RunError(what, "This is all that is left of it.")
    if reason := reason_for(run.folder / "pool" / "left_out.parquet", name):
        return RunError(f"{name} was left out of the pool: {reason}.", "Nothing looked at it.")
    what = f"There is no sample {name!r} in the pool of {run.folder}."
    if Path(name).suffix.lower() in CAMERA_RAW:
        return RunError(what, "Camera raw files are left out: export them as JPEG first.")
    if near := difflib.get_close_matches(name, evidence.column("key").to_pylist(), n=3):
        return RunError(what, f"Near it: {', '.join(near)}.")
    return RunError(what, "Give a key, a path, a sample_id or a uid.")


def _values(evidence: Evidence, sample: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All that was measured of it, whether or not a step asked: scorer by scorer."""
    for folder in evidence.folders[1:]:
        known = {name: sample[name] for name, home in evidence.homes.items() if home == folder}
        said = ", ".join(f"{name} {_short(value)}" for name, value in known.items() if value is not None)
        if said:
            name, _, revision = folder.name.rpartition("-")
            model = evidence.models.get(folder.name)
            yield f"{name}, revision {revision}{f', {model}' if model else ''}", said


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def find(evidence: Evidence, run: Run, name: str) -> list[int]:
    """Rows of the samples that `name` means; the first kind of name that fits any sample counts."""
    for column in ("sample_id", "uid", "key", "member"):
        rows = _where(pc.equal(evidence.column(column), name))
        if rows:
            return rows
    path = Path(name).expanduser().resolve()
    for source, root in run.sources().roots.items():
        at = str(path) if isinstance(root, Path) else name
        if at.startswith(f"{root}/"):
            member = at.removeprefix(f"{root}/")
            same = pc.equal(evidence.column("member"), member)
            return _where(pc.and_(pc.equal(evidence.column("source"), source), same))
    return _where(pc.equal(pc.replace_substring_regex(evidence.column("member"), "^.*/", ""), name))


def _where(mask: pa.ChunkedArray) -> list[int]:
    return [int(row) for row in pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()]


def _lines(evidence: Evidence, sample: dict[str, Any], row: int) -> Iterator[Line]:
    stopped_at = int(evidence.stopped_at[row])
    for place, step in enumerate(evidence.steps):
        if place > stopped_at:
            yield Line(step.name, "", NOT_REACHED)
        elif step.skipped:
            yield Line(step.name, step.skipped, LEFT_OUT)
        elif place == stopped_at:
            yield from _last_lines(evidence, step, sample, row)
        elif step.rules:
            for rule in step.rules:
                yield Line(step.name, _measured(evidence, rule, row), PASSED)
        else:
            yield Line(step.name, _passed(step, sample), PASSED)


def _last_lines(evidence: Evidence, step: StepRecord, sample: dict[str, Any], row: int) -> Iterator[Line]:
    """The step that decided: the rules that it kept to, up to the one that it broke."""
    for rule in step.rules:
        if rule.sentence == sample["drop_reason"]:
            yield Line(step.name, f"{_measured(evidence, rule, row)}: {rule.reason}", sample["verdict"])
            return
        yield Line(step.name, _measured(evidence, rule, row), PASSED)
    said = f"{sample['drop_reason']}{_better(evidence, sample)}{_numbers(sample)}"
    yield Line(step.name, said, sample["verdict"])


def _better(evidence: Evidence, sample: dict[str, Any]) -> str:
    """The key of the look-alike that stayed, where the reason names its sample_id."""
    named = _where(pc.equal(evidence.column("sample_id"), str(sample["drop_reason"]).rpartition(" ")[2]))
    return f", {evidence.column('key')[named[0]].as_py()}" if named else ""


def _numbers(sample: dict[str, Any]) -> str:
    """The value and threshold that decided, where numbers did."""
    if sample["value"] is None:
        return ""
    threshold = "" if sample["threshold"] is None else f", threshold {sample['threshold']:.4g}"
    return f" ({sample['value']:.4g}{threshold})"


def _measured(evidence: Evidence, rule: Rule, row: int) -> str:
    value = float(evidence.numbers(rule.column)[row])
    measured = "not measured" if math.isnan(value) else f"{value:.4g}"
    return f"{rule.column} {measured}, {rule.bound}"


def _passed(step: StepRecord, sample: dict[str, Any]) -> str:
    if step.name == "read":
        size = f"{sample['width_px']} x {sample['height_px']} px, {sample['size_bytes']:,} bytes"
        return f"{sample['format']} {size}, decoder {sample['decoder'] or 'not run'}"
    return {"duplicates": "the best of its look-alikes", "select": "among the best"}.get(step.name, "")
