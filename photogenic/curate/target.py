"""`target: 200000`: one quantile for all bounds that say `target`, so that this many are left at the end.

From the first such step on, all is decided by bounds of columns. Those columns are measured for everyone who
reaches that step; then the quantile is found by bisection, each try walking the rest of the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photogenic.curate.filters import Floats, Mask, Rule, columns_of
from photogenic.curate.ledger import Ledger

PRECISION = 1e-9


@dataclass(frozen=True)
class Solved:
    """What was found. Where values are equal at a threshold, more are left than were wanted."""

    target: int
    quantile: float
    left: int


def solve(ledger: Ledger, steps: Sequence[Sequence[Rule]], target: int) -> Solved:
    """The largest quantile that leaves at least `target` of those alive after the rules of `steps`.

    If even the quantile 0 leaves fewer, it is 0: the other bounds are too tight for the target.
    """
    columns = columns_of([rule for rules in steps for rule in rules])
    names = {f"column {place}": ledger.number(column) for place, column in enumerate(columns)}
    table = ledger.of_alive(names)
    values = {
        column: np.asarray(table[name].to_numpy(), dtype=np.float64)
        for name, column in zip(names, columns, strict=True)
    }
    num = table.num_rows
    low, high = 0.0, 1.0
    left = left_at(0.0, steps, values, num)
    while left > target and high - low > PRECISION:
        middle = (low + high) / 2
        found = left_at(middle, steps, values, num)
        if found >= target:
            low, left = middle, found
        else:
            high = middle
    return Solved(target, low, left)


def left_at(quantile: float, steps: Sequence[Sequence[Rule]], values: dict[str, Floats], num: int) -> int:
    """How many of `num` samples break none of the rules. values: column -> [num], NaN where not measured."""
    alive: Mask = np.ones(num, dtype=bool)
    for rules in steps:
        resolved = [rule.solved(quantile).resolved(values[rule.column][alive]) for rule in rules]
        for rule in resolved:
            alive &= ~rule.breaks(values[rule.column])
    return int(alive.sum())
