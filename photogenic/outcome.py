"""What a stage came to, and what comes next, in a line or two; the reports have all of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from photogenic.core.shards import read_json
from photogenic.core.words import counted
from photogenic.review.settled import left_by_finish


def came_to(run_folder: Path, stage: str) -> Iterator[str]:
    """Of the stages that choose: how many went in, and how many came out."""
    if stage == "pool":
        num = sum(_num_rows(path) for path in (run_folder / "pool" / "manifest").glob("*.parquet"))
        yield f"pool: {counted(num, 'picture')}"
    elif stage == "curate":
        counts = read_json(run_folder / "curate" / "counts.json")
        unread = counts["steps"][0]["dropped"]
        if unread:
            yield f"curate: {counted(unread, 'file')} could not be read as a picture; the report names them"
        yield f"curate: {counts['kept']:,} of {counts['pool']:,} are candidates"
    elif stage == "review":
        yield f"review: {counted(_num_rows(run_folder / 'review' / 'needles.parquet'), 'needle')}"
        if left := left_by_finish(run_folder):
            yield f"[yellow]review: {left}[/yellow]"


def what_next(stages: Sequence[str], run_folder: Path) -> Iterator[str]:
    """What somebody wants who has walked the road: the pictures, and the model."""
    folder = shlex.quote(str(run_folder))
    if "review" in stages:
        yield f"The chosen pictures, as files: photogenic export {folder} --to folder --out best"
    if "tune" in stages:
        yield f"The tuned model, to be asked: photogenic studio {folder}"


def _num_rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)
