"""Orders of the same pictures, compared with the choice that review made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import spearmanr

from photogenic.ablation.choose import Haystack
from photogenic.core.ranking import Auc, auc, auc_difference, found_at

NOBODY = "no person looked"  # how needles.parquet ends the line of who decided, where it was no person
FIRST = (25, 100, 300)  # of how many of the first the hits are counted


def compare_rankings(haystack: Haystack, attention: Mapping[str, float], num_sampled: int) -> dict[str, Any]:
    """Attention and `by` against the needles, among the candidates and in the haystack.

    Among the candidates every picture lay before review, and the funnel has done its work already. In the
    haystack (its needles, and a random sample of the rest) all that nobody looked at counts as not chosen.
    """
    needles = set(haystack.needles["sample_id"].to_pylist())
    candidates = haystack.candidates
    sampled = haystack.shuffled("ranked")[:num_sampled]
    fields = {"candidates": candidates, "haystack": sorted({*sampled, *(needles & haystack.usable)})}
    rankings = {"attention_score": attention, haystack.by: haystack.measured}
    return {
        "by": haystack.by,
        "chosen_by": _chosen_by(haystack.needles),
        "fields": {
            name: found
            for name, ids in fields.items()
            if (found := _compared(ids, rankings, needles, name == "candidates")) is not None
        },
    }


def _chosen_by(needles: pa.Table) -> str:
    """`score`, `models` or `people`: where models alone decided, each row of needles.parquet says so."""
    if needles["score"].null_count < needles.num_rows:
        return "score"
    return "models" if all(NOBODY in who for who in needles["decided_by"].to_pylist()) else "people"


def _compared(
    ids: Sequence[str], rankings: Mapping[str, Mapping[str, float]], needles: set[str], is_whole: bool
) -> dict[str, Any] | None:
    """None where all or none were chosen, so that there is nothing to find."""
    known = [one for one in ids if all(one in scores for scores in rankings.values())]
    chosen = np.array([one in needles for one in known], bool)
    if not chosen.any() or chosen.all():
        return None
    values = {name: np.array([scores[one] for one in known]) for name, scores in rankings.items()}
    attention, by = values.values()
    return {
        "num_pictures": len(known),
        "num_needles": int(chosen.sum()),
        "rankings": {
            name: {
                "auc": _auc(auc(scores, chosen)),
                "first": _first(scores, chosen) if is_whole else [],
            }
            for name, scores in values.items()
        },
        "auc_difference": _auc(auc_difference(attention, by, chosen)),
        "spearman": _correlation(attention, by),
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's; None where one of them is the same everywhere."""
    return None if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic)


def _first(scores: np.ndarray, chosen: np.ndarray) -> list[dict[str, Any]]:
    found = [found_at(scores, chosen, k) for k in (*FIRST, int(chosen.sum())) if k <= len(scores)]
    return [
        {
            "k": one.k,
            "hits": one.hits,
            "expected": one.expected,
            "precision": one.precision,
            "interval": list(one.interval),
        }
        for one in sorted({each.k: each for each in found}.values(), key=lambda each: each.k)
    ]


def _auc(found: Auc) -> dict[str, float]:
    return {"value": found.value, "low": found.interval.low, "high": found.interval.high}
