"""Votes of simulated raters, as real records: which model is better, and by how much, is known."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from photogenic.core.records import Vote

CATEGORIES = ("Animals", "Food & Beverage", "Illustrations")


def vote(**changes: Any) -> Vote:
    """A plain vote: `tuned` on the left was preferred."""
    values: dict[str, Any] = {
        "vote_id": "v1",
        "pair_id": "p1",
        "prompt_id": "fox",
        "prompt": "a red fox",
        "question": "visual_appeal",
        "left_model": "tuned",
        "right_model": "base",
        "answer": "left",
        "rater": "ann",
        "rater_kind": "person",
    }
    return Vote(**{**values, **changes})


def cast(
    strengths: dict[str, float],
    *,
    num_prompts: int = 60,
    num_raters: int = 5,
    question: str = "visual_appeal",
    kind: str = "person",
    tie_weight: float = 0.5,
    seed: int = 0,
) -> list[Vote]:
    """Every rater votes on every two models' pair of every prompt, by Davidson's model; sides are drawn."""
    rng = np.random.default_rng(seed)
    votes = []
    for number in range(num_prompts):
        for one, other in combinations(strengths, 2):
            for rater in range(num_raters):
                left, right = (one, other) if rng.random() < 0.5 else (other, one)
                gap = strengths[left] - strengths[right]
                weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), tie_weight])
                drawn = rng.choice(3, p=weights / weights.sum())
                undecided = "tie" if question == "visual_appeal" else ("both", "neither")[rng.integers(2)]
                votes.append(
                    Vote(
                        vote_id=f"{kind}-{question}-{number:04}-{one}-{other}-{rater}",
                        pair_id=f"{number:04}-{one}-{other}",
                        prompt_id=f"{number:04}",
                        prompt=f"prompt number {number}, of a fox",
                        category=CATEGORIES[number % len(CATEGORIES)],
                        challenge="Basic" if number % 2 else "Fine-grained Detail",
                        question=question,
                        left_model=left,
                        right_model=right,
                        answer=("left", "right", undecided)[drawn],
                        rater=f"{kind} {rater}",
                        rater_kind=kind,
                        seconds=float(rng.integers(20, 120)) / 10,
                    )
                )
    return votes
