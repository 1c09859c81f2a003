"""Which step a scorer is paid for by: the first that needs one of its columns."""

from __future__ import annotations

from collections.abc import Iterable

from photogenic.curate.config import CurateConfig
from photogenic.curate.filters import Rule
from photogenic.curate.scorers import Scorer


def scorers_by_step(
    config: CurateConfig, steps: Iterable[tuple[str, Iterable[Rule]]]
) -> dict[str, tuple[str, ...]]:
    """Step -> names of the scorers that run because of it. steps: (name, rules), first to last."""
    from photogenic.curate.funnel import all_scorers

    scorers, paid = all_scorers(config), set[str]()
    found: dict[str, tuple[str, ...]] = {}
    for name, rules in steps:
        needed = ["read"] if name == "read" else _needed(config, name, rules, scorers)
        found[name] = tuple(scorer for scorer in needed if scorer not in paid)
        paid.update(needed)
    return found


def _needed(config: CurateConfig, name: str, rules: Iterable[Rule], scorers: list[Scorer]) -> list[str]:
    steps = config.steps
    columns = [rule.column for rule in rules]
    if name == "duplicates" and steps.duplicates:
        columns += ["phash", steps.duplicates.keep]
    if name == "select" and steps.select:
        columns += ["decoder", steps.select.by, steps.select.balance or ""]
    if name == "concept":
        columns += ["concept"]
    makers = (next((it for it in scorers if column in it.columns), None) for column in columns)
    names = [source for maker in makers if maker for source in _sources(maker)]
    if name == "duplicates" and steps.duplicates and steps.duplicates.model:
        names.append("image_embedding")
    return list(dict.fromkeys(names))


def _sources(scorer: Scorer) -> list[str]:
    """A head costs next to nothing; the vectors that it reads do."""
    return [source.name for source in scorer.head.sources] if scorer.head else [scorer.name]
