"""The funnel: the recipe's steps in their order, each on what the earlier ones left.

Nothing is scored before a step asks for it, and then only for the samples still alive; all that was scored is
kept. So the same command again goes on where it was interrupted, and a changed threshold opens no picture.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.core.config import StrictModel
from photogenic.core.run import Run
from photogenic.core.shards import write_json
from photogenic.core.tombstones import read_tombstones
from photogenic.curate import agreement, neural, report
from photogenic.curate.asked import pixels_for
from photogenic.curate.config import (
    AestheticStep,
    ClipScoreStep,
    ConceptStep,
    CurateConfig,
    DuplicatesStep,
    FilterStep,
    HeldOutStep,
    LicenceStep,
    OptOutStep,
    SelectStep,
)
from photogenic.curate.filters import FIELD, Rule, columns_of, rules_for
from photogenic.curate.held_out import held_out_phrases
from photogenic.curate.judging import take_vectors
from photogenic.curate.ledger import DROPPED, FAILED, Ledger
from photogenic.curate.own import drop_by_own
from photogenic.curate.roster import all_scorers, check
from photogenic.curate.scorers import Scorer, pixel_scorer, read_scorer
from photogenic.curate.scores import SLICES, Scored, Scores
from photogenic.curate.setwise import drop_duplicates, drop_look_alikes, drop_within, select_best
from photogenic.curate.target import Solved, solve
from photogenic.engines.local import engine_for
from photogenic.engines.tasks import EngineName

READ = "read"  # the step before the recipe's first: what cannot be decoded is dropped here
MAX_FILE_BYTES = 2 * 2**30  # as many pixels as are decoded, in four channels of 16 bits, are 1.6 GB


@dataclass
class StepCount:
    """What a step did. `entered` and the others are filled in when the funnel is through."""

    name: str
    rules: list[Rule] = field(default_factory=list)
    skipped: str = ""  # why the step was left out
    note: str = ""  # what else there is to say of it
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
    with (
        closing(engine_for(workers, engine)) as hands,
        closing(Ledger(run.folder / "pool" / "manifest", folder)) as ledger,
    ):
        stores = Scores(folder / "scores", sources, hands, config.timeout_s)
        funnel = Funnel(ledger, stores, forgotten=read_tombstones(run.folder).uids)
        funnel.walk(config)
        ledger.write_candidates(folder / "candidates.parquet")
        ledger.write_verdicts(folder / "verdicts.parquet")
        write_json(folder / "counts.json", funnel.counts())
        ledger.tidy()
        report.write(config, run, hands)
    shutil.rmtree(folder / SLICES, ignore_errors=True)  # what array jobs scored has been taken in
    for step in funnel.steps:
        run.log.info("curate: %s: %s", step.name, step.skipped or f"{step.dropped} of {step.entered} dropped")


class Funnel:
    """One walk of the pool through the steps.

    On a slice of the pool, what is decided over the whole set drops nothing: the walk then only scores.
    """

    def __init__(
        self,
        ledger: Ledger,
        scores: Scores,
        *,
        is_slice: bool = False,
        forgotten: frozenset[str] = frozenset(),
    ) -> None:
        """forgotten: uids of what was taken out for good."""
        self._forgotten = forgotten
        self.is_slice = is_slice
        self.ledger = ledger
        self.scores = scores
        self.steps = [StepCount(READ)]
        self.solved: Solved | None = None
        self._done: list[Scorer] = []
        self._scorers: list[Scorer] = []
        self._pixels = pixel_scorer()

    def walk(self, config: CurateConfig) -> None:
        """Apply all steps. Whoever is left has been decoded and has the pixel measures of `pixels_for`."""
        self._scorers, self._pixels = all_scorers(config), pixels_for(config)
        self.ledger.drop_oversized(READ, MAX_FILE_BYTES)
        self._scored(read_scorer())
        self.ledger.drop_copies(READ, self._forgotten)
        for name, step in config.steps.items():
            self.steps.append(StepCount(name))
            self._apply(name, step, config)
        self._scored(self._pixels)
        self._count()

    def counts(self) -> dict[str, Any]:
        """What counts.json says: the pool, each step with its resolved rules, the score tables in use."""
        last = self.steps[-1]
        solved = {} if self.solved is None else {"target": asdict(self.solved)}
        return {
            "pool": len(self.ledger),
            "kept": last.entered - last.dropped - last.failed,
            "steps": [asdict(step) for step in self.steps],
            "scores": [scorer.folder_name for scorer in self._done],
            "models": {scorer.folder_name: scorer.told for scorer in self._done if scorer.told},
        } | solved

    def _apply(self, name: str, step: StrictModel, config: CurateConfig) -> None:
        match step:
            case DuplicatesStep():
                self._drop_duplicates(name, step, config.domain)
            case SelectStep():
                self._select(name, step)
            case ClipScoreStep() | AestheticStep() | ConceptStep():
                reason = agreement.reason_to_skip(step, config.domain, self.ledger, self.scores)
                self.steps[-1].skipped = reason
                if not reason:
                    if isinstance(step, ConceptStep):
                        self._scored(self._scorer_of("concept"))
                    self._filter(name, rules_for(name, step), config)
            case LicenceStep():
                self.ledger.drop_unless_any(name, FIELD + step.field, step.allow, step.keep_unknown)
            case OptOutStep():
                self.ledger.drop_if_said(name, FIELD + step.field, step.means_no)
            case HeldOutStep():
                self.ledger.drop_if_named(name, held_out_phrases(step))
            case FilterStep():
                for column in step.columns:
                    self._attached(column)
                if not self.is_slice:
                    drop_by_own(self.ledger, step, name)
            case _:
                self._filter(name, rules_for(name, step), config)

    def _filter(self, name: str, rules: list[Rule], config: CurateConfig) -> None:
        for column in columns_of(rules):
            self._attached(column)
        if self.is_slice:
            rules = [rule for rule in rules if not rule.is_relative]
        if any(rule.is_target for rule in rules):
            rules = [rule.solved(self._quantile(name, config)) for rule in rules]
        rules = [rule.resolved(self._values(rule)) for rule in rules]
        for rule in rules:
            if rule.within is None:
                self.ledger.drop_by(rule, name)
            else:
                drop_within(self.ledger, rule, name, self._group(rule.within))
        self.steps[-1].rules = rules

    def _values(self, rule: Rule) -> NDArray[np.float64]:
        is_needed = rule.quantile is not None and rule.within is None
        return self.ledger.numbers(rule.column) if is_needed else np.zeros(0)

    def _quantile(self, name: str, config: CurateConfig) -> float:
        """The quantile that leaves as many as `target` says; solved at the first step that asks for it."""
        if self.solved is None and config.target is not None:
            order = config.steps.order
            rest = [rules_for(later, config.steps.get(later)) for later in order[order.index(name) :]]
            for column in {column for rules in rest for column in columns_of(rules)}:
                self._attached(column)
            self.solved = solve(self.ledger, rest, config.target)
        return 0.0 if self.solved is None else self.solved.quantile

    def _drop_duplicates(self, name: str, step: DuplicatesStep, domain: str | None) -> None:
        self._attached(step.keep)
        self._scored(self._pixels)
        if self.is_slice:
            return
        drop_duplicates(self.ledger, step, name)
        model = neural.embedding_model(step)
        if model is None:
            return
        reason = agreement.reason_to_skip(step, domain, self.ledger, self.scores)
        if reason:
            self.steps[-1].note = f"By perceptual hash only. {reason}"
            return
        scorer = neural.image_scorer(model)
        self._failed(self.scores.attach(scorer, self.ledger))
        rows, vectors = take_vectors(scorer, self.ledger, self.ledger.living)
        drop_look_alikes(self.ledger, step, name, rows, vectors)

    def _select(self, name: str, step: SelectStep) -> None:
        self._attached(step.by)
        self._scored(self._pixels)  # what cannot be decoded takes nobody's place
        group = None if step.balance is None else self._group(step.balance)
        if not self.is_slice:
            select_best(self.ledger, step, name, group)

    def _group(self, name: str) -> str:
        """What `balance` or `within` names, as SQL: a scorer's column such as concept, or a field."""
        if any(name in scorer.columns for scorer in self._scorers):
            self._attached(name)
            return self.ledger.value(name)
        return self.ledger.value(FIELD + name)

    def _attached(self, column: str) -> None:
        """See to it that the ledger has the column."""
        if not column.startswith(FIELD):
            self._scored(self._scorer_of(column))

    def _scorer_of(self, column: str) -> Scorer:
        return next(scorer for scorer in self._scorers if column in scorer.columns)

    def _scored(self, scorer: Scorer) -> None:
        """Attach the scorer's table. Whoever is alive is scored first, or dropped, or failed."""
        if scorer in self._done:
            return
        self._done.append(scorer)
        scored = self.scores.attach(scorer, self.ledger)
        self.ledger.drop_undecodable(scorer.folder_name, READ)
        self._failed(scored)

    def _failed(self, scored: Scored) -> None:
        """Who could not be scored has failed: for want of its bytes, or at this step."""
        self.ledger.strike_ids(READ, FAILED, scored.unreachable)
        self.ledger.strike_ids(self.steps[-1].name, FAILED, scored.broke)

    def _count(self) -> None:
        """Fill in what each step did."""
        counts = self.ledger.counts()
        left = len(self.ledger)
        for step in self.steps:
            step.entered = left
            step.dropped = sum(
                num for name, verdict, num in counts if (name, verdict) == (step.name, DROPPED)
            )
            step.failed = sum(num for name, verdict, num in counts if (name, verdict) == (step.name, FAILED))
            left -= step.dropped + step.failed
