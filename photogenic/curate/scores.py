"""The score store: score once, decide often.

`scores/<scorer>-<revision>/` holds one table per scorer, in the manifest's order, and while scoring is under
way the parts that tasks have finished. A score is valid for its stamp (the bytes, and the text where it
counts); what is valid is never computed again, so the store is also how an interrupted run goes on.

Array jobs score slices of the pool at the same time, each into a store of its own
(`slices/<slice>/<scorer>-<revision>/`). A run over the whole pool takes in what it finds there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.core.console import progress
from photogenic.core.manifest import POOL_SCHEMA, iter_samples
from photogenic.core.shards import Sources, read_json, read_table, write_json, write_table
from photogenic.curate.filters import Mask
from photogenic.curate.ledger import Ledger
from photogenic.curate.scorers import Scorer, ScoreTask, score
from photogenic.engines.tasks import Engine, Failure

MAX_SAMPLES_PER_TASK = 512
NUM_TASKS = 2000  # a large pool gets larger tasks instead of more part files than this
SLICES = "slices"  # the folder of the slices' stores, beside the store of the whole pool

Strings = NDArray[np.object_]


@dataclass
class Scored:
    """What is known after scoring: `table` has a row per sample of the pool, null where there is no score."""

    table: pa.Table
    unreachable: dict[str, str] = field(default_factory=dict)  # sample_id -> reason; storage
    broke: dict[str, str] = field(
        default_factory=dict
    )  # sample_id -> reason; its worker died, hung or raised


class Scores:
    """The score tables of a run, filled as steps ask for them."""

    def __init__(
        self, folder: Path, sources: Sources, engine: Engine, timeout_s: float, *, whole: Path | None = None
    ) -> None:
        """whole: for a slice's store in `folder`, the store of the whole pool, which it only reads."""
        self.folder = folder
        self.whole = whole
        self.roots = sources.roots
        self.engine = engine
        self.timeout_s = timeout_s

    def fill(self, scorer: Scorer, ledger: Ledger, which: Mask, texts: Strings | None = None) -> Scored:
        """Score what of `which` has no valid score yet; return the scores of the whole pool.

        texts: [N], where a picture is to be judged with another text than its own.
        """
        texts = ledger.texts if texts is None else texts
        if scorer.head is not None:
            from photogenic.curate.judging import fill_head

            return fill_head(self, scorer, ledger, which, texts)
        stamps = stamps_of(scorer, ledger, texts)
        folder, beside = self.folder / scorer.folder_name, self.beside(scorer)
        stored = valid_rows(stored_rows(scorer, [*beside, folder]), ledger, stamps)
        missing = np.flatnonzero(which & pc.is_null(stored["stamp"]).to_numpy())
        is_whole = (folder / "00000.parquet").exists() and not (folder / "parts").exists()
        if is_whole and not len(missing) and (self.whole or not beside):
            return Scored(stored)
        scored = Scored(stored)
        if len(missing):
            self._score(scorer, _pool_rows(ledger, texts, missing), scored)
            scored.table = valid_rows(stored_rows(scorer, [*beside, folder]), ledger, stamps)
        write_table(folder / "00000.parquet", scored.table.filter(pc.is_valid(scored.table["stamp"])))
        for taken_in in [folder / "parts", *([] if self.whole else beside)]:
            shutil.rmtree(taken_in, ignore_errors=True)
        return scored

    def beside(self, scorer: Scorer) -> list[Path]:
        """The scorer's folders in other stores: a slice reads the whole pool's, a whole run all slices'."""
        if self.whole is not None:
            return [self.whole / scorer.folder_name]
        return sorted((self.folder.parent / SLICES).glob(f"*/{scorer.folder_name}"))

    def _score(self, scorer: Scorer, rows: pa.Table, scored: Scored) -> None:
        begun = time.monotonic()
        tasks = self._tasks(scorer, rows)
        with progress(f"curate: {scorer.name}", rows.num_rows) as advance:
            for task, result in self.engine.map(score, tasks, timeout_s=self.timeout_s):
                if isinstance(result, Failure):
                    scored.broke[task.samples[0].sample_id] = result.reason
                else:
                    scored.unreachable.update(result)
                advance(len(task))
        self._note_time(scorer.name, rows.num_rows, time.monotonic() - begun)

    def _tasks(self, scorer: Scorer, rows: pa.Table) -> Iterator[ScoreTask]:
        size = min(max(scorer.samples_per_task, rows.num_rows // NUM_TASKS), MAX_SAMPLES_PER_TASK)
        parts = self.folder / scorer.folder_name / "parts"
        for start in range(0, rows.num_rows, size):
            yield ScoreTask(scorer, tuple(iter_samples(rows.slice(start, size))), self.roots, parts)

    def _note_time(self, name: str, num: int, seconds: float) -> None:
        """Times are for the report alone; they stand in no table."""
        path = self.folder / "times.json"
        times = read_json(path) if path.exists() else {}
        before = times.get(name, {"num": 0, "seconds": 0.0})
        times[name] = {"num": before["num"] + num, "seconds": round(before["seconds"] + seconds, 3)}
        write_json(path, times)


def stamps_of(scorer: Scorer, ledger: Ledger, texts: Strings) -> pa.Array:
    """The stamp that a valid score has. [N]"""
    sizes = ledger.manifest["size_bytes"].to_pylist()
    return pa.array(map(scorer.stamp, sizes, ledger.uids, texts), pa.string())


def stored_rows(scorer: Scorer, folders: list[Path]) -> pa.Table:
    """All rows in these folders of the scorer."""
    paths = [path for folder in folders for path in sorted(folder.glob("*.parquet"))]
    paths += [path for folder in folders for path in sorted((folder / "parts").glob("*.parquet"))]
    return pa.concat_tables([scorer.schema.empty_table(), *map(read_table, paths)]).combine_chunks()


def valid_rows(stored: pa.Table, ledger: Ledger, stamps: pa.Array) -> pa.Table:
    """The stored row of each sample of the pool; all null where there is none, or one for other bytes. [N]"""
    ids = ledger.manifest["sample_id"]
    expected = stamps.take(pc.index_in(stored["sample_id"], ids))
    stored = stored.filter(pc.fill_null(pc.equal(stored["stamp"], expected), False))
    return stored.take(pc.index_in(ids, stored["sample_id"]))


def _pool_rows(ledger: Ledger, texts: Strings, rows: NDArray[np.int64]) -> pa.Table:
    """The samples to be scored, with their uids and the texts to score them with, without other fields."""
    columns = {name: ledger.manifest[name] for name in POOL_SCHEMA.names}
    columns |= {"uid": ledger.uids, "alt_text": texts, "fields": pa.nulls(len(ledger), pa.string())}
    return pa.table(columns, schema=POOL_SCHEMA).take(rows)
