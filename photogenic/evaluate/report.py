"""RUN/evaluate/report.html: the numbers, and above all the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.core.shards import atomic_path
from photogenic.evaluate.beside import Said, opening, went_by
from photogenic.evaluate.compare import Comparison, Estimate
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.marks import (
    UNKNOWN,
    extent_of,
    interval,
    interval_track,
    number,
    p_value,
    percent,
    signed,
)
from photogenic.evaluate.pictures import Item
from photogenic.evaluate.results import JUDGED, OF_SETS, Drawn, Paired, Results
from photogenic.measures.decode import decode
from photogenic.measures.pixel import COLUMNS
from photogenic.web.page import render, thumbnail_uri

TEMPLATE = Path(__file__).with_name("report.html.j2")
THUMBNAIL_PX = 192
MAX_MOVED = 3.0  # standard deviations at the end of the line; what moved further is drawn at the end
Rows = NDArray[np.int64]


def write_report(path: Path, results: Results, config: EvaluateConfig, said: Said | None) -> None:
    """Write one self-contained page; it begins with what raters have `said` of the pictures, if any have."""
    votes = {"opening": opening(said), "went_by": went_by(said)}
    page = render(TEMPLATE, "What the measures say", **votes, **_context(results, config))
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _context(results: Results, config: EvaluateConfig) -> dict[str, Any]:
    base = results.drawn[results.base]
    return {
        "base": results.base,
        "num_prompts": len(set(base.prompt_ids)),
        "num_pictures": {name: len(drawn.rows) for name, drawn in results.drawn.items()},
        "num_needles": len(results.needles.items) if results.needles else 0,
        "comparisons": [
            _comparison(name, paired, results, config.num_shown) for name, paired in results.paired.items()
        ],
        "models": _models(results),
        "copies": _copies(results, config.num_shown),
        "near_copy": config.near_copy,
        "confidence": f"{100 * config.confidence:g} %",
        "num_resamples": config.num_resamples,
        "space": results.space,
        "size_px": results.size_px,
        "remarks": results.remarks,
        "judged_words": {name: words for name, words in JUDGED.items() if name in base.measured.columns},
    }


# --- one model against the base ------------------------------------------------------------------------


def _comparison(name: str, paired: Paired, results: Results, num_shown: int) -> dict[str, Any]:
    drawn, base = results.drawn[name], results.drawn[results.base]
    return {
        "name": name,
        "num_pairs": len(paired.rows),
        "judged": [
            _judged_row(measure, compared, name, results) for measure, compared in paired.judged.items()
        ],
        "unselected": _pairs(_spread(len(paired.rows), num_shown), paired, drawn, base),
        "extremes": [
            {
                "measure": measure,
                "gains": _pairs(gains, paired, drawn, base, measure),
                "losses": _pairs(losses, paired, drawn, base, measure),
            }
            for measure in paired.judged
            for gains, losses in [_extremes(_differences(paired, drawn, base, measure), num_shown)]
        ],
        "of_sets": _set_rows(name, paired, results),
        "described": _described_rows(name, paired, results),
        "slices": [
            {"column": column, "rows": _slice_rows(values)}
            for column, values in paired.slices.items()
            if values
        ],
    }


def _judged_row(measure: str, compared: Comparison, name: str, results: Results) -> dict[str, Any]:
    prompts = compared.prompts
    share = prompts.interval(results.confidence)
    return {
        "measure": measure,
        "words": JUDGED[measure],
        "base": number(results.estimates[results.base][measure].mean),
        "model": number(results.estimates[name][measure].mean),
        "needles": number(results.needle_means.get(measure, math.nan)),
        "difference": signed(compared.difference.mean),
        "interval": interval(compared.difference),
        "track": interval_track(compared.difference, extent_of([compared.difference])),
        "wins": prompts.wins,
        "ties": prompts.ties,
        "losses": prompts.losses,
        "win_rate": percent(prompts.win_rate_without_ties),
        "win_interval": f"{percent(share.low)} to {percent(share.high)}",
        "p_value": p_value(compared.p_value_holm),
        "verdict": _verdict(compared, name, results.base),
    }


def _verdict(compared: Comparison, name: str, base: str) -> str:
    difference = compared.difference
    if not math.isfinite(difference.low):
        return "too few prompts to tell"
    if difference.low > 0:
        return f"{name} is higher"
    if difference.high < 0:
        return f"{base} is higher"
    return "cannot be told apart"


def _set_rows(name: str, paired: Paired, results: Results) -> list[dict[str, Any]]:
    differences = {**paired.of_sets}
    if "near_copy_ratio" in paired.described:
        differences["near_copy_ratio"] = paired.described["near_copy_ratio"].difference
    return [
        {
            "measure": measure,
            "words": words,
            "base": number(results.estimates[results.base][measure].mean),
            "model": number(results.estimates[name][measure].mean),
            "difference": signed(differences[measure].mean),
            "interval": interval(differences[measure]),
            "track": interval_track(differences[measure], extent_of([differences[measure]])),
        }
        for measure, words in OF_SETS.items()
        if measure in differences
    ]


def _described_rows(name: str, paired: Paired, results: Results) -> list[dict[str, Any]]:
    """Pixel measures by how far they moved, in standard deviations of the base's pictures."""
    base = results.drawn[results.base].measured
    moved = {
        measure: _scaled(paired.described[measure].difference, float(np.nanstd(base.columns[measure])))
        for measure in COLUMNS
        if measure in paired.described
    }
    moved = {measure: estimate for measure, estimate in moved.items() if math.isfinite(estimate.mean)}
    extent = min(extent_of(list(moved.values())), MAX_MOVED)
    return [
        {
            "measure": measure,
            "words": COLUMNS[measure],
            "base": number(results.estimates[results.base][measure].mean),
            "model": number(results.estimates[name][measure].mean),
            "needles": number(results.needle_means.get(measure, math.nan)),
            "moved": signed(estimate.mean),
            "track": interval_track(estimate, extent),
        }
        for measure, estimate in sorted(moved.items(), key=lambda one: (-abs(one[1].mean), one[0]))
    ]


def _scaled(estimate: Estimate, spread: float) -> Estimate:
    if not spread > 0:
        return Estimate(math.nan, math.nan, math.nan)
    return Estimate(estimate.mean / spread, estimate.low / spread, estimate.high / spread)


def _slice_rows(values: Any) -> list[dict[str, Any]]:
    return [
        {
            "value": value,
            "num_prompts": max((compared.prompts.n for compared in measures.values()), default=0),
            "measures": [
                {
                    "difference": signed(compared.difference.mean),
                    "interval": interval(compared.difference),
                    "wins": compared.prompts.wins,
                    "losses": compared.prompts.losses,
                    "p_value": p_value(compared.p_value_holm),
                }
                for compared in measures.values()
            ],
        }
        for value, measures in values.items()
    ]


# --- pictures --------------------------------------------------------------------------------------------


def _spread(num: int, num_shown: int) -> Rows:
    """`num_shown` of `num` pairs, evenly spaced: nobody has picked them."""
    return np.unique(np.linspace(0, num - 1, min(num, num_shown)).round().astype(np.int64))


def _differences(paired: Paired, drawn: Drawn, base: Drawn, measure: str) -> NDArray[np.float64]:
    return drawn.measured.columns[measure][paired.rows] - base.measured.columns[measure][paired.base_rows]


def _extremes(differences: NDArray[np.float64], num_shown: int) -> tuple[Rows, Rows]:
    """The pairs that gained most and lost most; a pair without a number is neither."""
    order = np.argsort(-differences, kind="stable")
    gains = [pair for pair in order if differences[pair] > 0][:num_shown]
    losses = [pair for pair in order[::-1] if differences[pair] < 0][:num_shown]
    return np.array(gains, np.int64), np.array(losses, np.int64)


def _pairs(
    pairs: Rows, paired: Paired, drawn: Drawn, base: Drawn, measure: str | None = None
) -> list[dict[str, Any]]:
    told = []
    for pair in pairs:
        row, base_row = int(paired.rows[pair]), int(paired.base_rows[pair])
        shown = {
            "prompt": drawn.rows[row]["prompt"],
            "seed": drawn.rows[row]["seed"],
            "base": _thumbnail(base.measured.items[base_row]),
            "model": _thumbnail(drawn.measured.items[row]),
            "change": "",
        }
        if measure is not None:
            before = base.measured.columns[measure][base_row]
            after = drawn.measured.columns[measure][row]
            shown["change"] = f"{number(before)} → {number(after)}"
        told.append(shown)
    return told


def _copies(results: Results, num_shown: int) -> list[dict[str, Any]]:
    """Of each model, the base last: the pictures that are nearest to a needle, and the needle."""
    if results.needles is None:
        return []
    names = [name for name in results.drawn if name != results.base] + [results.base]
    return [_copies_of(name, results.drawn[name], results.needles.items, num_shown) for name in names]


def _copies_of(name: str, drawn: Drawn, needles: Sequence[Item], num_shown: int) -> dict[str, Any]:
    nearest = drawn.nearest
    if nearest is None:
        return {"name": name, "num_copies": 0, "num": len(drawn.rows), "pairs": []}
    return {
        "name": name,
        "num_copies": int(nearest.is_copy.sum()),
        "num": len(drawn.rows),
        "pairs": [
            {
                "prompt": drawn.rows[row]["prompt"],
                "seed": drawn.rows[row]["seed"],
                "drawn": _thumbnail(drawn.measured.items[row]),
                "needle": _thumbnail(needles[nearest.needle[row]]),
                "caption": needles[nearest.needle[row]].name,
                "num_bits": int(nearest.num_bits[row]),
                "cosine": number(float(nearest.cosine[row])),
                "is_copy": bool(nearest.is_copy[row]),
            }
            for row in nearest.nearest_first()[:num_shown]
        ],
    }


def _thumbnail(item: Item) -> str:
    return thumbnail_uri(decode(item.read(), min_long_side_px=THUMBNAIL_PX).rgb, THUMBNAIL_PX)


# --- all models ------------------------------------------------------------------------------------------


def _models(results: Results) -> dict[str, Any]:
    """A table of every model's estimates of the measures that have a better and a worse end."""
    measures = [
        name
        for name in (*JUDGED, *OF_SETS)
        if any(name in estimates for estimates in results.estimates.values())
    ]
    rows = [
        {
            "name": name,
            "cells": [
                {"mean": number(estimates[measure].mean), "interval": interval(estimates[measure])}
                if measure in estimates
                else {"mean": UNKNOWN, "interval": ""}
                for measure in measures
            ],
        }
        for name, estimates in results.estimates.items()
    ]
    return {"measures": measures, "rows": rows}
