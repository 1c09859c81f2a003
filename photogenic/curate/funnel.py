"""The funnel: the recipe's steps in their order, each on what the earlier ones left.

Nothing is scored before a step asks for it, and then only for the samples still alive; all that was scored is
kept. So the same command again goes on where it was interrupted, and a changed threshold opens no picture.
"""

from __future__ import annotations

import difflib
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.core.config import StrictModel
from photogenic.core.errors import RecipeError, StorageError
from photogenic.core.run import Run
from photogenic.core.shards import Sources, read_table, write_json, write_table
from photogenic.curate import agreement, neural, report, select
from photogenic.curate.config import (
    AestheticStep,
    ClipScoreStep,
    ConceptStep,
    CurateConfig,
    DuplicatesStep,
    SelectStep,
    StepsConfig,
)
from photogenic.curate.filters import FIELD, Floats, Rule, columns_of, number, rules_for
from photogenic.curate.ledger import DROPPED, FAILED, Ledger
from photogenic.curate.scorers import (
    STORE_COLUMNS,
    Scorer,
    ocr_scorer,
    pixel_scorer,
    read_scorer,
    unsafe_scorer,
)
from photogenic.curate.scores import SLICES, Scores
from photogenic.engines.local import engine_for
from photogenic.engines.tasks import EngineName

READ = "read"  # the step before the recipe's first: what cannot be decoded is dropped here


@dataclass
class StepCount:
    """What a step did. `entered` and the others are filled in when the funnel is through."""

    name: str
    rules: list[Rule] = field(default_factory=list)
    skipped: str = ""  # why the step was left out
    entered: int = 0
    dropped: int = 0
    failed: int = 0


def curate(config: CurateConfig, run: Run, *, workers: int, engine: EngineName = "local") -> None:
    """Write RUN/curate/{scores/, verdicts.parquet, candidates.parquet, counts.json, report.html}.

    Raises:
        RecipeError: a step reads a column that does not exist.
        MissingModelError: a model is not where the recipe says.
        MissingExtraError: the engine is Ray, and that is not installed.
        StorageError: a source of the pool cannot be reached at all, or the disk is full.
    """
    sources = run.sources()
    check(config, sources)
    folder = run.stage("curate")
    for leftover in folder.rglob(".*.tmp"):  # of a process that was killed while it wrote
        leftover.unlink(missing_ok=True)
    ledger = Ledger(read_table(run.folder / "pool" / "manifest"))
    with closing(engine_for(workers, engine)) as hands:
        funnel = Funnel(ledger, Scores(folder / "scores", sources, hands, config.timeout_s))
        funnel.walk(config)
        write_table(folder / "verdicts.parquet", ledger.verdicts())
        write_table(folder / "candidates.parquet", funnel.candidates())
        write_json(folder / "counts.json", funnel.counts())
        report.write(config, run, hands)
    shutil.rmtree(folder / SLICES, ignore_errors=True)  # what array jobs scored has been taken in
    for step in funnel.steps:
        run.log.info("curate: %s: %s", step.name, step.skipped or f"{step.dropped} of {step.entered} dropped")


def inputs(config: CurateConfig) -> list[object]:
    """What besides the configuration's values could change the result: the steps' order, and the models."""
    steps = config.steps
    by_embedding = steps.duplicates and neural.embedding_model(steps.duplicates)
    scorers = [*neural.neural_scorers(steps), *([neural.image_scorer(by_embedding)] if by_embedding else [])]
    return [steps.order, [scorer.folder_name for scorer in scorers]]


class Funnel:
    """One walk of the pool through the steps.

    On a slice of the pool, what is decided over the whole set drops nothing: the walk then only scores.
    """

    def __init__(self, ledger: Ledger, scores: Scores, *, is_slice: bool = False) -> None:
        self.is_slice = is_slice
        self.ledger = ledger
        self.scores = scores
        self.steps = [StepCount(READ)]
        self._tables: dict[Scorer, pa.Table] = {}
        self._scorers: list[Scorer] = []

    def walk(self, config: CurateConfig) -> None:
        """Apply all steps. Whoever is left has been decoded and has every pixel measure."""
        self._scorers = _all_scorers(config.steps)
        self._scored(read_scorer())
        for name, step in config.steps.items():
            self.steps.append(StepCount(name))
            self._apply(name, step, config)
        self._scored(pixel_scorer())
        self._count()

    def candidates(self) -> pa.Table:
        """The survivors: the pool's columns and every score column."""
        table = self.ledger.survivors()
        alive = pa.array(self.ledger.alive)
        for scores in self._tables.values():
            scores = scores.filter(alive)
            for name in scores.column_names:
                if name not in STORE_COLUMNS and name not in table.column_names:
                    table = table.append_column(scores.schema.field(name), scores[name])
        return table

    def counts(self) -> dict[str, Any]:
        """What counts.json says: the pool, each step with its resolved rules, the score tables in use."""
        return {
            "pool": len(self.ledger),
            "kept": int(self.ledger.alive.sum()),
            "steps": [asdict(step) for step in self.steps],
            "scores": [scorer.folder_name for scorer in self._tables],
        }

    def _apply(self, name: str, step: StrictModel, config: CurateConfig) -> None:
        match step:
            case DuplicatesStep():
                self._drop_duplicates(step)
                self._drop_look_alikes(step, config.domain)
            case SelectStep():
                self._select(step)
            case ClipScoreStep() | AestheticStep() | ConceptStep():
                reason = agreement.reason_to_skip(step, config.domain, self.ledger, self.scores)
                self.steps[-1].skipped = reason
                if not reason:
                    if isinstance(step, ConceptStep):
                        self._scored(self._scorer_of("concept"))
                    self._filter(name, rules_for(name, step))
            case _:
                self._filter(name, rules_for(name, step))

    def _filter(self, name: str, rules: list[Rule]) -> None:
        columns = {column: self._column(column) for column in columns_of(rules)}
        alive = self.ledger.alive
        rules = [rule for rule in rules if not (self.is_slice and rule.quantile is not None)]
        rules = [rule.resolved(columns[rule.column][alive]) for rule in rules]
        for rule in rules:
            values = columns[rule.column]
            self.ledger.drop(rule.breaks(values), name, rule.sentence, values, rule.threshold)
        self.steps[-1].rules = rules

    def _drop_duplicates(self, step: DuplicatesStep) -> None:
        from photogenic.measures.duplicates import near_duplicate_groups

        ledger, scores = self.ledger, self._column(step.keep)
        table = self._scored(pixel_scorer())
        if self.is_slice:
            return
        rows = np.flatnonzero(ledger.alive)
        hashes = table["phash"].take(pa.array(rows)).to_numpy().astype(np.uint64)
        labels = near_duplicate_groups(hashes, step.max_distance)
        best = select.keepers(labels, hashes, scores[rows], ledger.ids[rows], step.max_distance)
        distances = select.hamming_distance(hashes, hashes[best])
        for index in np.flatnonzero(best != np.arange(len(rows))):
            row, keeper = rows[index], rows[best[index]]
            same = "same bytes as" if ledger.uids[row] == ledger.uids[keeper] else "near-duplicate of"
            reason = f"{same} {ledger.ids[keeper]}"
            ledger.drop_one(row, "duplicates", reason, float(distances[index]), float(step.max_distance))

    def _select(self, step: SelectStep) -> None:
        ledger, scores = self.ledger, self._column(step.by)
        self._scored(pixel_scorer())  # what cannot be decoded takes nobody's place
        if self.is_slice:
            return
        rows = np.flatnonzero(ledger.alive)
        groups = self._groups(step.balance) if step.balance else np.full(len(ledger), "", dtype=object)
        groups = np.array([str(group or "") for group in groups[rows]], dtype=object)
        selection = select.top(scores[rows], ledger.ids[rows], groups, step.num)
        for index in np.flatnonzero(~selection.selected):
            among = f" of {step.balance} {groups[index]!r}" if step.balance else ""
            reason = f"not among the best{among} by {step.by}"
            ledger.drop_one(rows[index], "select", reason, scores[rows[index]], selection.thresholds[index])

    def _drop_look_alikes(self, step: DuplicatesStep, domain: str | None) -> None:
        """By embeddings: one thing cropped, recoloured or retouched, which the hash tells apart."""
        model = neural.embedding_model(step)
        if model is None or self.is_slice:
            return
        reason = agreement.reason_to_skip(step, domain, self.ledger, self.scores)
        if reason:
            self.steps[-1].skipped = f"By perceptual hash only. {reason}"
            return
        from photogenic.curate.lookalikes import look_alikes

        ledger, scores = self.ledger, self._column(step.keep)
        rows, vectors = self._vectors(neural.image_scorer(model))
        keeper, cosines = look_alikes(vectors, scores[rows], ledger.ids[rows], step.min_cosine)
        for index in np.flatnonzero(keeper != np.arange(len(rows))):
            told = f"looks like {ledger.ids[rows[keeper[index]]]}"
            ledger.drop_one(rows[index], "duplicates", told, float(cosines[index]), step.min_cosine)

    def _vectors(self, scorer: Scorer) -> tuple[NDArray[np.int64], neural.Vectors]:
        """Rows of those alive that have a vector, and the vectors. [M], [M, D]"""
        from photogenic.curate.judging import vectors_of

        table = self.scores.fill(scorer, self.ledger, self.ledger.alive).table
        has_one = self.ledger.alive & pc.is_valid(table[neural.EMBEDDING]).to_numpy(zero_copy_only=False)
        return np.flatnonzero(has_one), vectors_of(table.filter(pa.array(has_one)))

    def _groups(self, name: str) -> NDArray[np.object_]:
        """What `balance` names: a scorer's column of words such as concept, or else a side-car field. [N]"""
        if any(name in scorer.columns for scorer in self._scorers):
            values = self._scored(self._scorer_of(name))[name]
            return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)
        return self.ledger.field(name)

    def _column(self, name: str) -> Floats:
        """A numeric column of the whole pool, NaN where nothing was measured. [N] float64"""
        if name.startswith(FIELD):
            return np.array([number(value) for value in self.ledger.field(name.removeprefix(FIELD))])
        scorer = self._scorer_of(name)
        values = pc.cast(self._scored(scorer)[name], pa.float64(), safe=False)
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def _scorer_of(self, column: str) -> Scorer:
        return next(scorer for scorer in self._scorers if column in scorer.columns)

    def _scored(self, scorer: Scorer) -> pa.Table:
        """The scorer's table for the whole pool. Whoever is alive is scored first, or dropped, or failed."""
        if scorer not in self._tables:
            scored = self.scores.fill(scorer, self.ledger, self.ledger.alive)
            self._tables[scorer] = scored.table
            if "uid" in scorer.columns:
                self.ledger.uids = scored.table["uid"].to_numpy(zero_copy_only=False)
            reasons = scored.table["undecodable"].to_numpy(zero_copy_only=False)
            for row in map(int, np.flatnonzero(self.ledger.alive)):
                sample_id = self.ledger.ids[row]
                if reasons[row] is not None:
                    self.ledger.drop_one(row, READ, reasons[row], np.nan, np.nan)
                elif sample_id in scored.unreachable:
                    self.ledger.fail_one(row, READ, scored.unreachable[sample_id])
                elif sample_id in scored.broke:
                    self.ledger.fail_one(row, self.steps[-1].name, scored.broke[sample_id])
        return self._tables[scorer]

    def _count(self) -> None:
        """A group-by over the ledger."""
        left = len(self.ledger)
        for step in self.steps:
            here = self.ledger.step == step.name
            step.entered = left
            step.dropped = int((here & (self.ledger.verdict == DROPPED)).sum())
            step.failed = int((here & (self.ledger.verdict == FAILED)).sum())
            left -= step.dropped + step.failed


def _all_scorers(steps: StepsConfig) -> list[Scorer]:
    """Whatever can make a column, cheap first; a classifier that the recipe names comes before ours."""
    return [read_scorer(), pixel_scorer(), ocr_scorer(), *neural.neural_scorers(steps), unsafe_scorer()]


def check(config: CurateConfig, sources: Sources) -> None:
    """Everything that would stop the funnel half-way is found before it begins."""
    for name, root in sources.roots.items():
        if not root.exists():
            raise StorageError(
                f"The pool's source {name!r} cannot be reached: {root} is not there.",
                "Mount it, or set its path in the recipe and index the pool again.",
            )
    steps = config.steps
    columns = [column for scorer in _all_scorers(steps) for column in scorer.columns]
    for key, column in (
        ("duplicates.keep", steps.duplicates and steps.duplicates.keep),
        ("select.by", steps.select and steps.select.by),
    ):
        if column and not column.startswith(FIELD) and column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            raise RecipeError(
                f"curate.steps.{key}: there is no column {column!r}.",
                f"Did you mean {near[0]!r}?" if near else f"Side-car fields are written {FIELD}NAME.",
            )
