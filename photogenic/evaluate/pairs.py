"""Blind pairs: what raters are shown, in which order, with repeats and attention checks among them.

A pair is two pictures of one prompt and one seed by two models. Everything here is a function of the drawn
pictures, the configuration and the seed; sides are drawn later, for each rater anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from photogenic.core.run import seed_for
from photogenic.evaluate.automatic import pair_rows
from photogenic.evaluate.config import VotingConfig

MIN_GAP = 8  # pairs between a pair and its repeat
MIN_CHECKS = 1  # where any are asked for

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Showing:
    """One place in the order: a pair, a repeat of one, or an attention check.

    `models` and `pictures` are in an order of chance, so that the first is not always the same model.
    """

    pair_id: str  # opaque; a repeat has its pair's
    prompt_id: str
    prompt: str
    category: str
    challenge: str
    models: tuple[str, str]
    pictures: tuple[str, str]  # of each model: model/file, or the name of a check's picture
    purpose: str = "pair"  # pair | repeat | check
    expected: str | None = None  # of a check: the model that everybody prefers

    @property
    def is_pair(self) -> bool:
        return self.purpose == "pair"


def build_pairs(drawn: Mapping[str, Rows], config: VotingConfig, *, seed: int) -> list[Showing]:
    """All pairs of each two models, in an order of chance; at most `max_pairs` of two models.

    Args:
        drawn: model -> rows of its manifest.
    """
    pairs: list[Showing] = []
    for first, second in combinations(sorted(drawn), 2):
        rows, others = pair_rows(drawn[first], drawn[second])
        found = [
            _pair(first, drawn[first][row], second, drawn[second][other], seed)
            for row, other in zip(rows, others, strict=True)
        ]
        found.sort(key=lambda pair: seed_for(seed, "pair", pair.pair_id))
        pairs.extend(found[: config.max_pairs])
    return sorted(pairs, key=lambda pair: seed_for(seed, "place", pair.pair_id))


def arrange(
    pairs: Sequence[Showing],
    checks: Sequence[Showing],
    config: VotingConfig,
    *,
    seed: int,
    min_gap: int = MIN_GAP,
) -> list[Showing]:
    """The pairs with their repeats, at least `min_gap` pairs later, and the checks.

    Only pairs with so many behind them are repeated; where none has, the gap is as wide as there is room.
    """
    rng = np.random.default_rng(seed_for(seed, "arrange"))
    early = pairs[: max(0, len(pairs) - min_gap)] or pairs
    num_repeats = min(len(early), round(config.repeat_ratio * len(pairs)))
    order = list(pairs)
    for pair in (early[index] for index in sorted(rng.permutation(len(early))[:num_repeats])):
        earliest = min(len(order), order.index(pair) + 1 + min_gap)
        order.insert(int(rng.integers(earliest, len(order) + 1)), replace(pair, purpose="repeat"))
    for check in checks:
        order.insert(int(rng.integers(0, len(order) + 1)), check)
    return order


def num_checks(num_pairs: int, config: VotingConfig) -> int:
    """How many attention checks go among the pairs."""
    if config.check_ratio == 0 or num_pairs == 0:
        return 0
    return max(MIN_CHECKS, round(config.check_ratio * num_pairs))


def pair_id_for(first: str, second: str, prompt_id: str, seed: int) -> str:
    """The same for the same two models, prompt and seed; it tells a rater nothing."""
    first, second = sorted((first, second))
    return hashlib.sha256(f"{first}\0{second}\0{prompt_id}\0{seed}".encode()).hexdigest()[:16]


def pair_pictures(drawn: Mapping[str, Rows], folder: Path) -> dict[str, dict[str, Path]]:
    """pair_id -> model -> file, of all pictures below `folder`/<model>/."""
    found: dict[str, dict[str, Path]] = {}
    for first, second in combinations(sorted(drawn), 2):
        rows, others = pair_rows(drawn[first], drawn[second])
        for row, other in zip(rows, others, strict=True):
            one, two = drawn[first][row], drawn[second][other]
            found[pair_id_for(first, second, one["prompt_id"], one["seed"])] = {
                first: folder / first / one["file"],
                second: folder / second / two["file"],
            }
    return found


def left_first(secret: str, item_id: str, person_id: str) -> bool:
    """Whether this person sees the first picture on the left: a coin thrown for each showing and rater."""
    return bool(hashlib.sha256(f"{secret} {item_id} {person_id}".encode()).digest()[0] & 1)


def _pair(first: str, row: Mapping[str, Any], second: str, other: Mapping[str, Any], seed: int) -> Showing:
    pair_id = pair_id_for(first, second, row["prompt_id"], row["seed"])
    models, pictures = (first, second), (f"{first}/{row['file']}", f"{second}/{other['file']}")
    if seed_for(seed, "first", pair_id) % 2:
        models, pictures = (second, first), (pictures[1], pictures[0])
    return Showing(
        pair_id=pair_id,
        prompt_id=row["prompt_id"],
        prompt=row["prompt"],
        category=row["category"] or "",
        challenge=row["challenge"] or "",
        models=models,
        pictures=pictures,
    )
