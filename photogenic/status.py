"""What has become of a run, and of one picture in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from photogenic.core.errors import PhotogenicError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.road import Road

MAX_MATCHES = 5  # how many samples `why` tells about at most


class FunnelRow(NamedTuple):
    """One step of the funnel."""

    step: str
    num_in: int
    num_dropped: int
    num_failed: int

    @property
    def num_out(self) -> int:
        return self.num_in - self.num_dropped - self.num_failed


def show(road: Road) -> None:
    """Print each stage's state and, where there are verdicts, the funnel's counts."""
    out = Console()
    took = road.seconds()
    stages = Table("stage", "state", box=SIMPLE_HEAD, title=str(road.run.folder), title_justify="left")
    stages.add_column("seconds", justify="right")
    for stage in road.stages():
        seconds = took.get(stage.name)
        stages.add_row(stage.name, _state(road, stage.name), "" if seconds is None else f"{seconds:.1f}")
    out.print(stages)
    rows = funnel(road.run)
    if rows:
        out.print(_funnel_table(rows))
    report = road.run.folder / "report.html"
    if report.exists():
        out.print(f"The whole story: {report}")


def funnel(run: Run) -> list[FunnelRow]:
    """The funnel's steps with their counts, first to last; empty before curate is done.

    Steps stand in the order of the resolved recipe, and one that dropped nothing has its row too.
    """
    path = run.folder / "curate" / "verdicts.parquet"
    if not path.exists():
        return []
    table = read_table(path, ["verdict", "drop_step"])
    counts = Counter(zip(table["verdict"].to_pylist(), table["drop_step"].to_pylist(), strict=True))
    left, rows = table.num_rows, []
    for step in _steps(run, [str(step) for _, step in counts if step is not None]):
        row = FunnelRow(step, left, counts["dropped", step], counts["failed", step])
        rows.append(row)
        left = row.num_out
    return rows


def _steps(run: Run, seen: list[str]) -> list[str]:
    """The recipe's steps; before them those that stand in no recipe, such as `read`."""
    from photogenic.recipe import load_recipe

    recipe = load_recipe(run.folder / "recipe.resolved.yaml")
    planned = list(recipe.curate.steps.order) if recipe.curate is not None else []
    return [*sorted(set(seen) - set(planned)), *planned]


def _funnel_table(rows: list[FunnelRow]) -> Table:
    table = Table("step", box=SIMPLE_HEAD, title="The funnel", title_justify="left")
    for name in ("in", "dropped", "failed", "left"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (row.num_in, row.num_dropped, row.num_failed, row.num_out)
        table.add_row(row.step, *(f"{number:,}" for number in numbers))
    return table


def _state(road: Road, name: str) -> str:
    try:
        return road.state(name)
    except PhotogenicError as error:
        return f"cannot be told: {error.what}"


def explain(run: Run, key: str) -> None:
    """Print what the funnel did with the samples whose key, member, sample_id or uid is `key`.

    Raises:
        RunError: the funnel has not run, or has never seen such a sample.
    """
    out = Console()
    for sample in _matches(run, key):
        table = Table(
            "", "", title=f"{sample['source']}/{sample['member']}", title_justify="left", show_header=False
        )
        for name, value in _story_of(run, sample):
            table.add_row(name, value)
        out.print(table)


def _matches(run: Run, key: str) -> list[dict[str, Any]]:
    verdicts_path = run.folder / "curate" / "verdicts.parquet"
    if not verdicts_path.exists():
        raise RunError(f"In {run.folder} the funnel has not run.", "Run `photogenic curate RECIPE` first.")
    verdicts = read_table(verdicts_path).drop_columns(["uid", "source", "key"])
    pool = read_table(run.folder / "pool" / "manifest").drop_columns(["uid"])
    uids = read_table(verdicts_path, ["sample_id", "uid"])
    table = pool.join(uids, "sample_id").join(verdicts, "sample_id").sort_by("sample_id")
    hit = pc.or_kleene(pc.equal(table["sample_id"], key), pc.equal(table["uid"], key))
    for name in ("key", "member"):
        hit = pc.or_kleene(hit, pc.equal(table[name], key))
    hit = pc.or_kleene(hit, pc.ends_with(table["member"], f"/{key}"))
    found = table.filter(pc.fill_null(hit, False))
    if found.num_rows == 0:
        raise RunError(f"The pool of {run.folder} has no sample {key!r}.", _near(table, key))
    return list(found.slice(0, MAX_MATCHES).to_pylist())


def _near(table: pa.Table, key: str) -> str:
    import difflib

    near = difflib.get_close_matches(key, table["key"].to_pylist(), n=3)
    return f"Nearest keys: {', '.join(near)}." if near else "Give a key, a file name, a sample_id or a uid."


def _story_of(run: Run, sample: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "verdict", sample["verdict"]
    if sample["drop_step"] is not None:
        yield "at step", sample["drop_step"]
        yield "because", sample["drop_reason"] or ""
    for name in ("value", "threshold"):
        if sample[name] is not None:
            yield name, f"{sample[name]:.6g}"
    for name in ("key", "sample_id", "uid", "alt_text"):
        yield name, sample[name] or "unknown"
    for name, value in json.loads(sample["fields"] or "{}").items():
        yield f"field {name}", str(value)
    yield from _scores(run.folder / "curate" / "scores", sample)


def _scores(folder: Path, sample: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All that was measured of the sample, from every table of scores that knows it."""
    import pyarrow.parquet as pq

    for path in sorted(folder.rglob("*.parquet")):
        names = set(pq.read_schema(path).names)
        for by in ("sample_id", "uid"):
            if by in names and sample[by] is not None:
                for row in pq.read_table(path, filters=[(by, "=", sample[by])]).to_pylist():
                    yield from ((name, _short(value)) for name, value in row.items() if name not in sample)
                break


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
