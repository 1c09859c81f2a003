"""Which step a scorer is paid for by: the first that needs one of its columns."""

from __future__ import annotations

from collections.abc import Iterable

from photogenic.curate.asked import columns_besides
from photogenic.curate.config import CurateConfig
from photogenic.curate.filters import Rule
from photogenic.curate.scorers import Scorer

PIXEL = "pixel"  # the scorer of all pixel measures


def scorers_by_step(
    config: CurateConfig, steps: Iterable[tuple[str, Iterable[Rule]]]
) -> dict[str, tuple[str, ...]]:
    """Step -> names of the scorers that run because of it. steps: (name, rules), first to last.

    Whoever is left at the end has the pixel measures: if nothing asked for them, the last step pays.
    """
    from photogenic.curate.roster import all_scorers

    scorers, paid, last = all_scorers(config), set[str](), ""
    found: dict[str, tuple[str, ...]] = {}
    for name, rules in steps:
        needed = ["read"] if name == "read" else _needed(config, name, rules, scorers)
        found[name] = tuple(scorer for scorer in needed if scorer not in paid)
        paid.update(needed)
        last = name
    if last and PIXEL not in paid:
        found[last] += (PIXEL,)
    return found


def _needed(config: CurateConfig, name: str, rules: Iterable[Rule], scorers: list[Scorer]) -> list[str]:
    steps = config.steps
    columns = [rule.column for rule in rules] + columns_besides(steps.get(name))
    if name == "select":
        columns += ["decoder"]
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
