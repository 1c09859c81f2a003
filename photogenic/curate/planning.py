"""What curating a pool of another size would take, from rates measured on this machine.

Some of the pool's pictures are sent through the very funnel of the recipe, in one process and with the models
loaded already. That gives the seconds of each scorer, and, where no run has told more exactly, how many
pictures come to each step. The rest is multiplication, and its assumptions are listed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from photogenic.core.errors import RunError
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import read_json, read_table, write_table
from photogenic.curate.config import CurateConfig, DuplicatesStep, PoolConfig, Range
from photogenic.curate.costs import scorers_by_step
from photogenic.curate.filters import Rule
from photogenic.measures.duplicates import expected_seconds

WARM_UP = 4  # pictures, so that the loading of models is no picture's time
FEW_HASHES = 100_000  # what they take is no reason to plan otherwise
HASH_BYTES = 200  # of memory each while near-duplicates are looked for (docs/measures.md)
HASH_ENTROPY = 50  # bits that the hashes of 16,000 drawings were worth; random ones 64
VECTORS, VECTORS_S = 12_000, 1.1  # look-alikes by embedding: so many took so long; grows with the square


@dataclass(frozen=True)
class StepCost:
    """A step at the planned size."""

    name: str
    entered: float  # samples
    left: float
    scorers: tuple[str, ...]  # that run because of it
    scored: float  # pictures that they look at
    seconds_each: float  # of one core, all its scorers together
    read_bytes: float

    @property
    def core_hours(self) -> float:
        """Of one core of this machine."""
        return self.scored * self.seconds_each / 3600


@dataclass(frozen=True)
class CuratePlan:
    """All steps, and what they add up to."""

    pool_size: float
    num_measured: int
    steps: tuple[StepCost, ...]
    num_cores: int  # of this machine
    picture_bytes: float  # mean size of a file
    row_bytes: float  # of the run folder, a sample of the pool
    assumptions: tuple[str, ...]

    @property
    def core_hours(self) -> float:
        """Of all steps."""
        return sum(step.core_hours for step in self.steps)

    @property
    def read_bytes(self) -> float:
        """From storage: a scorer reads the pictures that it looks at."""
        return sum(step.read_bytes for step in self.steps)

    def machines(self, days: float) -> int:
        """Like this one, that are done within `days`."""
        return max(1, int(np.ceil(self.core_hours / (self.num_cores * 24 * days))))


def plan_curation(
    pool: PoolConfig, config: CurateConfig, run: Run, *, pool_size: float | None, num_measured: int = 100
) -> CuratePlan:
    """Measure `num_measured` pictures and multiply. `run` may be a folder that does not exist yet; without a
    `pool_size` the pool's own is planned.

    Raises:
        RunError: the pool holds no pictures.
    """
    with tempfile.TemporaryDirectory(prefix="photogenic-plan-") as name:
        manifest, folder = _manifest(pool, run, Path(name))
        rows = _drawn(manifest.num_rows, num_measured)
        if not rows.size:
            raise RunError("The pool holds no pictures to measure.", "Check pool.sources in the recipe.")
        # Once in the same process, so that models are loaded and code is warm; then for the clock.
        _walk(config, manifest.take(rows[:WARM_UP]), folder, Path(name) / "warm")
        measured = _walk(config, manifest.take(rows), folder, Path(name) / "measured")
        seconds = {name: it["seconds"] / it["num"] for name, it in _times(measured).items() if it["num"]}
        told = run if (run.folder / "curate" / "counts.json").exists() else measured
        counts = read_json(told.folder / "curate" / "counts.json")
        row_bytes = _size_of(told.folder) / max(1, counts["pool"])
    pool_size = pool_size or float(manifest.num_rows)
    sizes = manifest["size_bytes"].to_numpy()
    picture_bytes = float(sizes[sizes > 0].mean()) if (sizes > 0).any() else 0.0
    steps = tuple(_costs(config, counts, seconds, pool_size, picture_bytes))
    return CuratePlan(
        pool_size=pool_size,
        num_measured=len(rows),
        steps=steps,
        num_cores=_num_cores(),
        picture_bytes=picture_bytes,
        row_bytes=row_bytes,
        assumptions=tuple(_assumptions(config, steps, counts["pool"], len(rows), told is run, pool_size)),
    )


def _manifest(pool: PoolConfig, run: Run, scratch: Path) -> tuple[pa.Table, Path]:
    """The pool's listing, of the run or else made anew, and the folder that it lies in."""
    from photogenic.curate.pool import index

    folder = run.folder / "pool"
    if not (folder / "sources.json").exists():
        index(pool, Run(scratch / "listing"))
        folder = scratch / "listing" / "pool"
    return read_table(folder / "manifest").combine_chunks(), folder


def _drawn(num: int, wanted: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows drawn from the whole pool, always the same."""
    generator = np.random.default_rng(seed_for("plan"))
    return np.sort(generator.permutation(num)[:wanted]).astype(np.int64)


def _walk(config: CurateConfig, manifest: pa.Table, listing: Path, folder: Path) -> Run:
    """The funnel over a few samples, in this process."""
    from photogenic.curate.funnel import curate

    run = Run(folder)
    write_table(run.stage("pool") / "manifest" / "00000.parquet", manifest)
    shutil.copy(listing / "sources.json", folder / "pool" / "sources.json")
    curate(config, run, workers=1)
    return run


def _times(run: Run) -> dict[str, Any]:
    return dict(read_json(run.folder / "curate" / "scores" / "times.json"))


def _costs(
    config: CurateConfig, counts: dict[str, Any], seconds: dict[str, float], pool_size: float, size: float
) -> Iterator[StepCost]:
    """Each step in order. A scorer is paid for by the first step that needs one of its columns."""
    share = pool_size / counts["pool"]
    told = [(step["name"], [Rule(**rule) for rule in step["rules"]]) for step in counts["steps"]]
    needed = scorers_by_step(config, told)
    most = float("inf") if config.steps.select is None else config.steps.select.num
    come_to_target: float | None = None  # the columns of all later bounds are measured for these
    for step in counts["steps"]:
        entered = step["entered"] * share
        left = (step["entered"] - step["dropped"] - step["failed"]) * share
        if step["name"] == "select":
            left = min(entered, most)  # a number, whatever the pool's size
        if come_to_target is None and _asks_for_target(config, step["name"]):
            come_to_target = entered
        looked_at = entered if come_to_target is None else come_to_target
        names = [name for name in needed[step["name"]] if name in seconds]
        reads = sum(name != "text_embedding" for name in names)
        yield StepCost(
            name=step["name"],
            entered=entered,
            left=left,
            scorers=tuple(names),
            scored=looked_at if names else 0.0,
            seconds_each=sum(seconds[name] for name in names),
            read_bytes=reads * looked_at * size,
        )


def _asks_for_target(config: CurateConfig, name: str) -> bool:
    step = config.steps.get(name) if name in config.steps.order else None
    return isinstance(step, Range) and step.asks_for_target


def _assumptions(
    config: CurateConfig,
    steps: tuple[StepCost, ...],
    num_pool: int,
    num_measured: int,
    from_run: bool,
    pool_size: float,
) -> Iterator[str]:
    told = f"the run's {num_pool:,} samples" if from_run else f"the {num_measured:,} measured pictures"
    like = ": the large pool is like them in subject, size and format" if pool_size > num_pool else ""
    yield f"Shares that pass are those of {told}{like}."
    yield (
        f"Seconds are of one core of this machine, measured now over {num_measured:,} pictures drawn from the"
        " whole pool, with models loaded; busy neighbours make them longer."
    )
    yield "Cores and machines add up: tasks share nothing but storage, which must deliver the bytes in time."
    yield "Each scorer reads the pictures that it looks at anew; nothing is cached between steps."
    duplicates = next((step for step in steps if step.name == "duplicates"), None)
    if duplicates is not None and config.steps.duplicates is not None:
        yield from _of_duplicates(config.steps.duplicates, duplicates.entered)
    if pool_size > 100 * num_pool:
        yield f"{pool_size / num_pool:,.0f} times what was counted: a share of 1 in {num_pool:,} is a guess."


def _of_duplicates(step: DuplicatesStep, num: float) -> Iterator[str]:
    """What the step takes that is not in the table, and what to do where that is too much."""
    took, million, more = (
        _in_words(expected_seconds(size, step.max_distance, HASH_ENTROPY)) for size in (num, 1e6, 1e7)
    )
    found = (
        "Near-duplicates are found over all survivors at once, on one core of one machine: about"
        f" {took} and {max(0.1, num * HASH_BYTES / 1e9):,.1f} GB of memory for {num:,.0f} hashes, not in the"
        " table."
    )
    if num < FEW_HASHES and not step.model:
        yield found
        return
    yield (
        f"{found} At max_distance {step.max_distance} a million takes {million}, ten times as many {more},"
        " where hashes are as much alike as those of drawings; of random ones less."
    )
    if step.model:
        squared = _in_words(VECTORS_S * (num / VECTORS) ** 2)
        yield (
            f"Look-alikes by embedding grow with the square of what the hashes leave: {VECTORS:,} took"
            f" {VECTORS_S:g} s on one core, so {num:,.0f} take {squared}, not in the table. Without"
            " `duplicates.model` the hashes alone decide."
        )
    yield (
        "Where that is too much, put the steps with absolute bounds before `duplicates`, so that fewer reach"
        " it, or make several pools of one, by source or concept: what looks alike in two of them then stays."
    )


def _in_words(seconds: float) -> str:
    for unit, length, enough in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 72), ("days", 86400, 1000)):
        if seconds < enough * length:
            return f"{max(1.0, seconds / length):,.0f} {unit}"
    return f"{seconds / 86400 / 365:,.0f} years"


def _size_of(folder: Path) -> float:
    """Bytes of the tables that grow with the pool."""
    kinds = ("pool/manifest", "curate/scores", "curate/verdicts.parquet", "curate/candidates.parquet")
    files = [path for kind in kinds for path in [folder / kind, *(folder / kind).rglob("*")]]
    return float(sum(path.stat().st_size for path in files if path.is_file()))


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
