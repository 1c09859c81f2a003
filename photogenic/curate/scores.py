"""The score store: score once, decide often.

`scores/<scorer>-<revision>/` holds one table per scorer, in the manifest's order, and while scoring is under
way the parts that tasks have finished. To decide, it is aligned with the pool once: a row for each sample,
null where there is no score (`columns/`). A score is valid for its stamp (the bytes, and the text where it
counts); what is valid is never computed again, so the store is also how an interrupted run goes on.

Array jobs score slices of the pool at the same time, each into a store of its own
(`slices/<slice>/<scorer>-<revision>/`). A run over the whole pool takes in what it finds there.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.console import progress
from photogenic.core.manifest import iter_samples
from photogenic.core.shards import Sources, read_json, write_json
from photogenic.curate.columns import listing
from photogenic.curate.judging import write_judged
from photogenic.curate.ledger import Ledger
from photogenic.curate.scorers import Scorer, ScoreTask, score
from photogenic.curate.tables import BATCH_ROWS, num_nulls, write_batches
from photogenic.engines.tasks import Engine, Failure

if TYPE_CHECKING:
    from photogenic.curate.neural import Head

MAX_SAMPLES_PER_TASK = 512
NUM_TASKS = 2000  # a large pool gets larger tasks instead of more part files than this
SLICES = "slices"  # the folder of the slices' stores, beside the store of the whole pool


@dataclass
class Scored:
    """Who could not be scored: sample_id -> reason."""

    unreachable: dict[str, str] = field(default_factory=dict)  # the storage did not give the bytes
    broke: dict[str, str] = field(default_factory=dict)  # its worker died, hung or raised


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

    def attach(self, scorer: Scorer, ledger: Ledger, who: str | None = None) -> Scored:
        """Set the scorer's table beside the ledger's; `who` (SQL; all who are alive) is scored first.

        Nothing is held in memory but what is being scored. What the result tells is who could not be.
        """
        alias, scored = scorer.folder_name, Scored()
        if self._align(scorer, ledger) == len(ledger):
            return scored
        missing = f"({ledger.living if who is None else who}) AND {ledger.unscored(alias)}"
        num = ledger.count(missing)
        if not num:
            return scored
        if scorer.head is not None:
            self._judge(scorer, scorer.head, ledger, missing, scored)
        else:
            self._score(scorer, ledger.pool_rows(missing), num, scored)
        ledger.detach(alias)
        self._align(scorer, ledger)
        return scored

    def _judge(self, scorer: Scorer, head: Head, ledger: Ledger, who: str, scored: Scored) -> None:
        """Score by a head: `who` (SQL) get its columns, from vectors that are made where they are missing."""
        for source in head.sources:
            found = self.attach(source, ledger, who)
            scored.unreachable |= found.unreachable
            scored.broke |= found.broke
        write_judged(self.folder / scorer.folder_name / "parts" / "judged.parquet", scorer, head, ledger, who)
        for source in head.sources:
            ledger.detach(source.folder_name)

    def _align(self, scorer: Scorer, ledger: Ledger) -> int:
        """Attach one row per sample: its valid score, else null. Where parts lie about, they are taken in.

        Returns how many have one.
        """
        folder, beside = self.folder / scorer.folder_name, self.beside(scorer)
        path = ledger.kept(scorer.folder_name, listing([folder, *beside]))
        store, parts = folder / "00000.parquet", [folder / "parts", *([] if self.whole else beside)]
        if not path.exists():
            files = sorted(file for each in (folder, *beside) for file in each.rglob("*.parquet"))
            aligned = ledger.scratch / "aligned.parquet"
            num = ledger.align(aligned, scorer.schema, scorer.basis, files)
            if any(part.exists() for part in parts) or not store.exists() or _num_rows(store) != num:
                write_batches(store, scorer.schema, scored_rows(aligned))
                for taken_in in parts:
                    shutil.rmtree(taken_in, ignore_errors=True)
                path = ledger.kept(scorer.folder_name, listing([folder, *self.beside(scorer)]))
            path.parent.mkdir(parents=True, exist_ok=True)
            aligned.replace(path)
        ledger.attach(scorer.folder_name, path, scorer.own_schema)
        return len(ledger) - num_nulls(path, "stamp")

    def beside(self, scorer: Scorer) -> list[Path]:
        """The scorer's folders in other stores: a slice reads the whole pool's, a whole run all slices'."""
        if self.whole is not None:
            return [self.whole / scorer.folder_name]
        return sorted((self.folder.parent / SLICES).glob(f"*/{scorer.folder_name}"))

    def _score(self, scorer: Scorer, rows: Iterable[pa.RecordBatch], num: int, scored: Scored) -> None:
        begun = time.monotonic()
        tasks = self._tasks(scorer, rows, num)
        with progress(f"curate: {scorer.name}", num) as advance:
            for task, result in self.engine.map(score, tasks, timeout_s=self.timeout_s):
                if isinstance(result, Failure):
                    scored.broke[task.samples[0].sample_id] = result.reason
                else:
                    scored.unreachable.update(result)
                advance(len(task))
        self._note_time(scorer.name, num, time.monotonic() - begun)

    def _tasks(self, scorer: Scorer, rows: Iterable[pa.RecordBatch], num: int) -> Iterator[ScoreTask]:
        size = min(max(scorer.samples_per_task, num // NUM_TASKS), MAX_SAMPLES_PER_TASK)
        parts = self.folder / scorer.folder_name / "parts"
        samples = (sample for batch in rows for sample in iter_samples(pa.Table.from_batches([batch])))
        while some := tuple(itertools.islice(samples, size)):
            yield ScoreTask(scorer, some, self.roots, parts)

    def _note_time(self, name: str, num: int, seconds: float) -> None:
        """Times are for the report alone; they stand in no table."""
        path = self.folder / "times.json"
        times = read_json(path) if path.exists() else {}
        before = times.get(name, {"num": 0, "seconds": 0.0})
        times[name] = {"num": before["num"] + num, "seconds": round(before["seconds"] + seconds, 3)}
        write_json(path, times)


def _num_rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def scored_rows(aligned: Path) -> Iterator[pa.RecordBatch]:
    """The rows of an aligned table that hold a score."""
    with pq.ParquetFile(aligned) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            yield batch.filter(batch["stamp"].is_valid())
