"""What an evaluation found, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.evaluate.compare import Comparison, Estimate
from photogenic.evaluate.copies import NearestNeedles
from photogenic.evaluate.extremes import Extremes
from photogenic.evaluate.pictures import Measured

NOBODY_JUDGED = "No person has judged these pictures."
NO_NEEDLES = "There are no needles in this run: distances to them and near-copies are left out."

# Of a single picture, and higher is meant to be better: these are compared prompt by prompt.
JUDGED = {
    "appeal_score": "appeal by pixel measures: sharp, rightly exposed, clean, whole, vivid; 0 to 10",
    "taste_prob": "how likely the reviewers who taught it would keep a picture; 0 to 1",
    "clip_score": "how well picture and prompt agree: 100 x cosine of their embeddings; -100 to 100",
}
# Of a whole set of pictures, in the space of the CLIP's image embeddings, or counted.
OF_SETS = {
    "frechet_distance": "Frechet distance to the needles; 0 is the same distribution",
    "cmmd": "maximum mean discrepancy to the needles (Gaussian kernel); 0 is the same distribution",
    "diversity": "how far a model's pictures lie apart; a fall may mean that it repeats itself",
    "near_copy_ratio": "share of pictures that are near-copies of a needle",
}


@dataclass(frozen=True)
class Drawn:
    """The pictures of one model: rows of its manifest, numbers, nearest needles (None without needles)."""

    rows: Sequence[Mapping[str, Any]]
    measured: Measured
    nearest: NearestNeedles | None

    @property
    def prompt_ids(self) -> list[str]:
        return [row["prompt_id"] for row in self.rows]


@dataclass(frozen=True)
class Paired:
    """A model against the base: pair i is `rows[i]` of the model and `base_rows[i]` of the base."""

    rows: NDArray[np.int64]
    base_rows: NDArray[np.int64]
    judged: Mapping[str, Comparison]  # measures of JUDGED
    described: Mapping[str, Comparison]  # all other measures of single pictures
    of_sets: Mapping[str, Estimate]  # difference of measures of OF_SETS
    slices: Mapping[str, Mapping[str, Mapping[str, Comparison]]]  # category|challenge -> its value -> measure


@dataclass(frozen=True)
class Results:
    """Everything that report and JSON tell."""

    base: str
    drawn: Mapping[str, Drawn]
    needles: Measured | None
    estimates: Mapping[str, Mapping[str, Estimate]]  # model -> measure
    needle_means: Mapping[str, float]
    paired: Mapping[str, Paired]  # every model but the base
    space: str | None  # whose image embeddings the distances live in
    remarks: Sequence[str]  # what was left out, and why
    size_px: int  # longer side at which pictures were measured
    confidence: float  # of all intervals
    extremes: Mapping[str, Extremes] = field(
        default_factory=dict
    )  # of models asked for solid black and white


def as_json(results: Results) -> dict[str, Any]:
    """The content of measures.json; what is unknown or unbounded is null."""
    return {
        "people": 0,
        "statement": NOBODY_JUDGED,
        "base": results.base,
        "space": results.space,
        "measured_at_px": results.size_px,
        "num_pictures": {name: len(drawn.rows) for name, drawn in results.drawn.items()},
        "num_needles": len(results.needles.items) if results.needles else 0,
        "remarks": list(results.remarks),
        "solid_black_and_white": {
            name: {"black": one.black, "white": one.white, "contrast": one.contrast, "num": one.num_pictures}
            for name, one in results.extremes.items()
        },
        "models": {
            name: {measure: estimate_json(estimate) for measure, estimate in estimates.items()}
            for name, estimates in results.estimates.items()
        },
        "paired": {name: _paired(paired, results.confidence) for name, paired in results.paired.items()},
        "slices": {
            name: {
                column: {
                    value: {
                        measure: _comparison(comparison, results.confidence)
                        for measure, comparison in measures.items()
                    }
                    for value, measures in values.items()
                }
                for column, values in paired.slices.items()
            }
            for name, paired in results.paired.items()
        },
        "needles": {measure: _number(mean) for measure, mean in results.needle_means.items()},
    }


def _paired(paired: Paired, confidence: float) -> dict[str, Any]:
    compared = {**paired.judged, **paired.described}
    return {measure: _comparison(comparison, confidence) for measure, comparison in compared.items()} | {
        measure: estimate_json(estimate) for measure, estimate in paired.of_sets.items()
    }


def _comparison(comparison: Comparison, confidence: float) -> dict[str, Any]:
    prompts = comparison.prompts
    return {
        **estimate_json(comparison.difference),
        "num_pairs": comparison.num_pairs,
        "num_prompts": prompts.n,
        "wins": prompts.wins,
        "ties": prompts.ties,
        "losses": prompts.losses,
        "net_win": _number(prompts.net_win),
        "win_rate_without_ties": _number(prompts.win_rate_without_ties),
        "win_rate_with_half_ties": _number(prompts.win_rate_with_half_ties),
        "win_rate_interval": [_number(end) for end in prompts.interval(confidence)],
        "p_value": comparison.p_value,
        "p_value_holm": comparison.p_value_holm,
    }


def estimate_json(estimate: Estimate) -> dict[str, float | None]:
    """What is unknown or unbounded is None, for JSON knows neither."""
    return {
        "mean": _number(estimate.mean),
        "low": _number(estimate.low),
        "high": _number(estimate.high),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
