"""A slice of the pool, for array jobs: each job scores its own, a last run without a slice decides.

What a step decides over the whole set (a quantile, near-duplicates, the best so many) cannot be decided on a
slice. There a slice keeps all, so that it scores whatever the whole funnel may ask for, and a little more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.errors import PhotogenicError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.ledger import Ledger
from photogenic.curate.scores import SLICES, Scores
from photogenic.curate.tables import write_batches
from photogenic.engines.local import engine_for
from photogenic.engines.tasks import EngineName


@dataclass(frozen=True)
class Slice:
    """The `number`-th of `of` equal parts of the pool, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`3/8`.

        Raises:
            PhotogenicError: it is not of that form, or out of range.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise PhotogenicError(
                f"--shard {text!r} is no slice.",
                "Write I/N with I from 1 to N: --shard 3/8 is the third of eight.",
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}-of-{self.of}"

    def rows(self, num: int) -> tuple[int, int]:
        """First row, and the one after the last, of a pool of `num`."""
        return num * (self.number - 1) // self.of, num * self.number // self.of

    def folder(self, run: Run) -> Path:
        """Where the slice's scores lie until the last run takes them."""
        return run.folder / "curate" / SLICES / str(self)


def score_slice(
    config: CurateConfig, run: Run, part: Slice, *, workers: int, engine: EngineName = "local"
) -> tuple[int, int]:
    """Score the slice, as far as its own samples are enough to decide; (how many there are, how many failed).

    Writes RUN/curate/slices/<slice>/ and nothing else: no verdict, no candidate.

    Raises:
        RunError: the pool has not been indexed.
        StorageError: a source of the pool cannot be reached at all, or the disk is full.
    """
    from photogenic.curate.funnel import Funnel
    from photogenic.curate.roster import check

    sources = run.sources()
    check(config, sources)
    folder = part.folder(run)
    write_batches(folder / "manifest" / "00000.parquet", POOL_SCHEMA, rows_of(part, run))
    whole = run.folder / "curate" / "scores"
    with (
        closing(engine_for(workers, engine)) as hands,
        closing(Ledger(folder / "manifest", folder)) as ledger,
    ):
        funnel = Funnel(ledger, Scores(folder, sources, hands, config.timeout_s, whole=whole), is_slice=True)
        funnel.walk(config)
    failed = sum(step.failed for step in funnel.steps)
    run.log.info("curate: slice %s: %d samples, %d failed", part, len(ledger), failed)
    return len(ledger), failed


def rows_of(part: Slice, run: Run) -> Iterator[pa.RecordBatch]:
    """The slice's rows of the manifest. Only shards that hold some are read: there may be a thousand jobs."""
    shards = sorted((run.folder / "pool" / "manifest").glob("*.parquet"))
    ends = list(accumulate((pq.read_metadata(shard).num_rows for shard in shards), initial=0))
    start, stop = part.rows(ends[-1])
    for shard, (first, end) in zip(shards, pairwise(ends), strict=True):
        if first < stop and start < end:
            table = read_table(shard).slice(max(0, start - first), stop - max(start, first))
            yield from table.combine_chunks().to_batches()
