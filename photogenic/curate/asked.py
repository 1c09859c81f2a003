"""Which columns the steps of a recipe read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from photogenic.curate.config import (
    CurateConfig,
    DuplicatesStep,
    FilterStep,
    PopularityStep,
    ScorerStep,
    SelectStep,
    StepsConfig,
)
from photogenic.curate.filters import columns_of, rules_for
from photogenic.curate.finishing import finish_scorer
from photogenic.curate.scorers import Scorer, pixel_scorer, read_scorer

# What steps with a model write; the models themselves may be far away when this is asked.
OF_MODELS = (
    "clip_score",
    "aesthetic_score",
    "concept_prob",
    "taste_prob",
    "unsafe_prob",
    "watermark_score",
    "num_words",
    "text_area_ratio",
    "num_date_stamps",
)
TYPO = 0.85  # as alike as this two names are meant to be one


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


def meant(config: CurateConfig, wanted: Iterable[str]) -> dict[str, str]:
    """Names that no column has, each with the column whose name it nearly is."""
    known = {*asked_columns(config.steps), *OF_MODELS}
    for scorer in (read_scorer(), pixel_scorer(), finish_scorer()):
        known.update(scorer.columns)
    for name, step in config.steps.items():
        if isinstance(step, ScorerStep):
            known.update((name, *step.columns))
    near = {name: difflib.get_close_matches(name, sorted(known), n=1, cutoff=TYPO) for name in wanted}
    return {name: found[0] for name, found in near.items() if found and name not in known}
