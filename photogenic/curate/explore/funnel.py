"""The funnel decided anew in memory, with other thresholds: tens of milliseconds for a million samples.

What the pictures would have to be opened for is not guessed: a sample that comes to a step whose column was
never measured for it is counted as not yet scored, and goes no further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from photogenic.curate.explore.pool import Choice, ExploredPool, Mask, Step, Values
from photogenic.curate.filters import Rule
from photogenic.curate.select import equal_parts

NUM_BINS = 72
NUM_NEAR = 10

Changes = Mapping[str, float]  # rule ("size.0": the step's name and the rule's place in it) -> threshold


@dataclass(frozen=True)
class Count:
    """What became of the samples at one step."""

    name: str
    entered: int
    dropped: int
    unscored: int  # came so far, and would have to be scored first
    left: int
    thresholds: tuple[float | None, ...]  # of its rules, as they are now


class Explorer:
    """Decides over a pool again and again."""

    def __init__(self, pool: ExploredPool) -> None:
        self.pool = pool
        self._before: list[tuple[Mask, Any]] = []  # per step: who entered it, and under which changes
        self._last: tuple[dict[str, float], list[Count]] | None = None
        self._orders: dict[str, NDArray[np.int64]] = {}
        self._ranking = _Ranking(pool.choice) if pool.choice else None

    def counts(self, changes: Changes) -> list[Count]:
        """Each step's counts under `changes`; what comes before the first changed step is not done again."""
        if self._last is not None and self._last[0] == changes:
            return self._last[1]
        counts, alive = [], np.ones(len(self.pool), bool)
        done: list[tuple[str, float]] = []
        for place, step in enumerate(self.pool.steps):
            settled = [(key, changes[key]) for key in keys_of(step) if key in changes]
            known = self._before[place] if place < len(self._before) else None
            if known is None or known[1] != done:
                self._before[place:] = [(alive.copy(), list(done))]
            before = int(alive.sum())
            alive, unscored, thresholds = self._step(step, alive, changes)
            left = int(alive.sum())
            counts.append(Count(step.name, before, before - left - unscored, unscored, left, thresholds))
            done += settled
        self._last = dict(changes), counts
        return counts

    def entering(self, rule_key: str, changes: Changes) -> Mask:
        """Who comes to the rule's step with a score for it: its quantile is of these. [N]"""
        self.counts(changes)
        place, index = self._find(rule_key)
        return self._before[place][0] & self.pool.columns[self.pool.steps[place].rules[index].column].scored

    def histogram(self, rule_key: str, changes: Changes) -> dict[str, Any]:
        """Counts of the entering values in NUM_BINS bins, the outermost of which hold what lies beyond."""
        rule = self.rule(rule_key)
        values = self.pool.columns[rule.column].values[self.entering(rule_key, changes)]
        values = values[~np.isnan(values)]
        if not values.size:
            return {"low": 0.0, "high": 1.0, "bins": [], "measured": 0}
        thin = values[:: max(1, values.size // 200_000)]  # quantiles for the axis need no more
        low, high = (float(edge) for edge in np.quantile(thin, [0.002, 0.998]))
        now = self._threshold(rule, values, changes.get(rule_key))
        low, high = (low, high) if now is None else (min(low, now), max(high, now))
        room = 0.03 * (high - low) or 0.5
        low, high = low - room, high + room
        bins, _ = np.histogram(np.clip(values, low, high), bins=NUM_BINS, range=(low, high))
        return {"low": low, "high": high, "bins": bins.tolist(), "measured": int(values.size)}

    def neighbours(self, rule_key: str, changes: Changes) -> dict[str, list[int]]:
        """Rows just below and just above the threshold, nearest first."""
        rule = self.rule(rule_key)
        entering, values = self.entering(rule_key, changes), self.pool.columns[rule.column].values
        threshold = self._threshold(rule, values[entering], changes.get(rule_key))
        if threshold is None:
            return {"below": [], "above": []}
        entering &= self._past_the_rules_before(rule_key, changes)
        order = self._order(rule.column)
        side: Literal["left", "right"] = "left" if rule.side == "min" else "right"
        middle = int(np.searchsorted(values, float(np.float32(threshold)), side=side, sorter=order))
        return {
            "below": _first(order[:middle][::-1], entering, values),
            "above": _first(order[middle:], entering, values),
        }

    def share_below(self, rule_key: str, threshold: float, changes: Changes) -> float:
        """Which quantile of the entering values a threshold is, 0-1."""
        rule = self.rule(rule_key)
        values = self.pool.columns[rule.column].values[self.entering(rule_key, changes)]
        values = values[~np.isnan(values)]
        return float((values < np.float32(threshold)).mean()) if values.size else 0.0

    def _past_the_rules_before(self, rule_key: str, changes: Changes) -> Mask:
        """Who of those that come to the rule's step breaks none of the step's rules before it. [N]"""
        place, index = self._find(rule_key)
        step, came = self.pool.steps[place], self._before[place][0]
        left = came
        for number, rule in enumerate(step.rules[:index]):
            left, _ = self._rule(rule, came, left, changes.get(f"{step.name}.{number}"))
        return left

    def rule(self, rule_key: str) -> Rule:
        """The rule as the run had it."""
        place, index = self._find(rule_key)
        return self.pool.steps[place].rules[index]

    def _find(self, rule_key: str) -> tuple[int, int]:
        name, _, index = rule_key.rpartition(".")
        place = next(place for place, step in enumerate(self.pool.steps) if step.name == name)
        return place, int(index)

    def _order(self, column: str) -> NDArray[np.int64]:
        if column not in self._orders:
            self._orders[column] = np.argsort(self.pool.columns[column].values, kind="stable")
        return self._orders[column]

    def _step(self, step: Step, alive: Mask, changes: Changes) -> tuple[Mask, int, tuple[float | None, ...]]:
        if step.stand_in is not None:  # a look-alike goes as long as the better one is there
            goes = step.gone & ((step.stand_in < 0) | alive[step.stand_in])
            return alive & ~goes, 0, ()
        if step.name == "select" and self._ranking is not None:
            return self._ranking.best(alive), 0, ()
        if not all(map(can_move, step.rules)) or not step.rules:
            left = alive & step.came & ~step.gone  # as the run decided; of others nothing is known
            return left, int((alive & ~step.came).sum()), tuple(rule.threshold for rule in step.rules)
        unscored, thresholds, came = 0, [], alive
        for number, rule in enumerate(step.rules):
            missing = int((alive & ~self.pool.columns[rule.column].scored & ~step.gone).sum())
            alive, threshold = self._rule(rule, came, alive, changes.get(f"{step.name}.{number}"))
            unscored += missing
            thresholds.append(threshold)
        return alive, unscored, tuple(thresholds)

    def _rule(self, rule: Rule, came: Mask, alive: Mask, change: float | None) -> tuple[Mask, float | None]:
        """Who is left of those alive, and the threshold; a quantile is of all who came to the step."""
        column = self.pool.columns[rule.column]
        threshold = change
        if change is None:
            wanted = rule.quantile is not None
            values = column.values[came & column.scored] if wanted else column.values
            threshold = self._threshold(rule, values, None)
        return alive & column.scored & ~_breaks(rule, threshold, column.values), threshold

    def _threshold(self, rule: Rule, values: Values, change: float | None) -> float | None:
        """As given, as the recipe says it, or the quantile of `values`."""
        if change is not None:
            return change
        if rule.quantile is None:
            return rule.threshold
        measured = values[~np.isnan(values)]
        return float(np.quantile(measured, rule.quantile)) if measured.size else None


class _Ranking:
    """The best of each group, found by one pass over an order that never changes."""

    def __init__(self, choice: Choice) -> None:
        worst_last = np.where(np.isnan(choice.scores), np.inf, -choice.scores)
        self._order = np.lexsort((worst_last, choice.groups))
        self._groups = choice.groups[self._order]
        self._num_groups = int(choice.groups.max(initial=-1)) + 1
        self._num = choice.num

    def best(self, alive: Mask) -> Mask:
        """Of those alive the best `num`, in equal parts as far as the groups can give them. [N]"""
        here = alive[self._order]
        groups = self._groups[here]
        sizes = np.bincount(groups, minlength=self._num_groups)
        parts = equal_parts(sizes.astype(np.int64), self._num)
        rank = np.arange(len(groups)) - (np.cumsum(sizes) - sizes)[groups]
        best = np.zeros(len(alive), bool)
        best[self._order[here][rank < parts[groups]]] = True
        return best


def _breaks(rule: Rule, threshold: float | None, values: Values) -> Mask:
    """As Rule.breaks, in float32."""
    limit = np.float32(np.nan if threshold is None else threshold)
    wrong = values < limit if rule.side == "min" else values > limit
    return wrong if rule.keep_unknown else wrong | np.isnan(values)


def can_move(rule: Rule) -> bool:
    """Whether one number is the rule's threshold; a quantile within groups has one for each."""
    return rule.within is None


def keys_of(step: Step) -> list[str]:
    """The keys of a step's rules."""
    return [f"{step.name}.{number}" for number in range(len(step.rules))]


def _first(order: NDArray[np.int64], entering: Mask, values: Values) -> list[int]:
    """The first NUM_NEAR rows of `order` that entered and were measured."""
    found: list[int] = []
    for start in range(0, len(order), 4096):
        rows = order[start : start + 4096]
        found += rows[entering[rows] & ~np.isnan(values[rows])].tolist()
        if len(found) >= NUM_NEAR:
            break
    return found[:NUM_NEAR]
