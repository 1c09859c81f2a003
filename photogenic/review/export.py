"""needles.parquet: the pool's row of each needle, its caption, and who decided."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.core.manifest import NEEDLES_SCHEMA, POOL_SCHEMA, iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import write_table
from photogenic.core.tombstones import read_tombstones
from photogenic.review.captions import Caption


@dataclass(frozen=True)
class Needles:
    """What a round hands on; all are of one length and order."""

    rows: pa.Table  # has the columns of POOL_SCHEMA
    captions: Sequence[Caption]
    decided_by: Sequence[str]
    scores: Sequence[float | None]
    decisions: Sequence[str | None] | None = None  # JSON lists, where people decided one by one


def needles_table(needles: Needles) -> pa.Table:
    """The needles as a table of NEEDLES_SCHEMA; ids, locators and side-car fields are the pool's own."""
    scores = [score if score is not None and math.isfinite(score) else None for score in needles.scores]
    columns = {
        **{name: needles.rows[name] for name in POOL_SCHEMA.names},
        "caption": [caption.text for caption in needles.captions],
        "caption_source": [caption.source for caption in needles.captions],
        "decided_by": list(needles.decided_by),
        "score": scores,
        "decisions": list(needles.decisions or [None] * len(scores)),
    }
    return pa.table(columns, schema=NEEDLES_SCHEMA)


def write_needles(needles: Needles, run: Run) -> pa.Table:
    """Write RUN/review/needles.parquet.

    Raises:
        RunError: there is not a single needle.
    """
    if needles.rows.num_rows == 0:
        raise RunError(
            "The review found no needles.",
            "`photogenic status RUN` tells which step dropped the pictures: loosen it under `curate`, or look"
            " at the decisions.",
        )
    table = needles_table(replace(needles, rows=_with_uids(needles.rows, run)))
    table = read_tombstones(run.folder).without(table)
    write_table(run.stage("review") / "needles.parquet", table)
    without = sum(not caption.text for caption in needles.captions)
    if without:
        sentence = f"{without} of {table.num_rows} needles have no caption; they can only teach the look"
        run.log.warning("review: %s", sentence)
        console.print(f"[yellow]{sentence}.[/yellow]")
    run.log.info("review: %d needles", table.num_rows)
    return table


def _with_uids(rows: pa.Table, run: Run) -> pa.Table:
    """The rows with every uid known: where no funnel has read the bytes, they are read now."""
    if rows["uid"].null_count == 0:
        return rows
    sources = run.sources()
    uids = [
        sample.uid or hashlib.sha256(sources.read(sample.locator)).hexdigest()
        for sample in iter_samples(rows)
    ]
    return rows.set_column(rows.column_names.index("uid"), "uid", pa.array(uids, pa.string()))
