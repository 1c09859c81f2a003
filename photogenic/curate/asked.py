"""Which columns the steps of a recipe read."""

from __future__ import annotations

from collections.abc import Iterable

from photogenic.curate.config import (
    CurateConfig,
    DuplicatesStep,
    FilterStep,
    PopularityStep,
    SelectStep,
    StepsConfig,
)
from photogenic.curate.filters import columns_of, rules_for
from photogenic.curate.finishing import finish_scorer
from photogenic.curate.scorers import Scorer, pixel_scorer


def asked_columns(steps: StepsConfig) -> frozenset[str]:
    """All that rules, groups, duplicates, selections and own filters look at."""
    found: set[str] = set()
    for name, step in steps.items():
        found.update(columns_of(rules_for(name, step)), columns_besides(step))
    return frozenset(found)


def columns_besides(step: object) -> list[str]:
    """What a step looks at that stands in none of its rules."""
    match step:
        case DuplicatesStep():
            return ["phash", step.keep]
        case SelectStep():
            return [step.by, *([step.balance] if step.balance else [])]
        case PopularityStep():
            return [step.within] if step.within else []
        case FilterStep():
            return list(step.columns)
    return []


def pixels_for(config: CurateConfig) -> Scorer:
    """The scorer of pixels: with all measures, or with those that the steps ask for."""
    return pixel_scorer() if config.pixel_measures == "all" else pixel_scorer(asked_columns(config.steps))


def lacking(config: CurateConfig, wanted: Iterable[str]) -> list[str]:
    """Which of these columns the funnel leaves unmeasured, because no step asks for them.

    Of pixels and finish: what others measure (CLIP, your own scorers) is known once they have run.
    """
    measured = {*pixels_for(config).columns, *asked_columns(config.steps)}
    told_here = {*pixel_scorer().columns, *finish_scorer().columns}
    return [name for name in wanted if name in told_here and name not in measured]
