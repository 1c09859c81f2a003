"""The table and the figures of an ablation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogenic.ablation.config import Ablations
from photogenic.core.run import Run
from photogenic.core.shards import atomic_path, write_json
from photogenic.web.page import line_chart, render

TEMPLATE = Path(__file__).with_name("report.html.j2")

# measure -> what the table calls it; those of single pictures are compared prompt by prompt
MEASURES = {
    "appeal_score": "appeal",
    "clip_score": "CLIP score",
    "diversity": "diversity",
    "near_copy_ratio": "near-copies",
}


@dataclass(frozen=True)
class Comparison:
    """All that the report tells."""

    config: Ablations
    against_base: Mapping[str, Any]  # measures.json
    against_reference: Mapping[str, Any]  # the same, with the reference in the base's place
    gates: Mapping[str, Mapping[str, Any]]  # variant -> gate.json
    num_pictures: Mapping[str, int]  # variant -> on how many it was tuned


def write_report(comparison: Comparison, run: Run) -> Path:
    """Write RUN/table.json and RUN/report.html; the report's path."""
    rows = list(table_rows(comparison))
    write_json(run.folder / "table.json", {"reference": comparison.config.compared_with(), "rows": rows})
    measures = [name for name in MEASURES if any(row["against_base"].get(name) for row in rows)]
    page = render(
        TEMPLATE,
        f"Ablations: {comparison.config.name}",
        rows=rows,
        measures=[{"name": name, "label": MEASURES[name], "reach": _reach(rows, name)} for name in measures],
        reference=comparison.config.compared_with(),
        statement=comparison.against_base["statement"],
        remarks=comparison.against_base["remarks"],
        curves=_curves(comparison),
    )
    path = run.folder / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def table_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """One per variant, in the order of the file."""
    for name, variant in comparison.config.variants.items():
        gate = comparison.gates[name]
        yield {
            "variant": name,
            "take": variant.pictures.take,
            "num_pictures": comparison.num_pictures[name],
            "set": list(variant.set),
            "chosen_step": gate["chosen_step"],
            "sentence": gate["sentence"],
            "against_base": _differences(comparison.against_base, name),
            "against_reference": _differences(comparison.against_reference, name),
        }


def _differences(measures: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Measure -> difference with its interval and, prompt by prompt, the win rate; what was measured."""
    paired = measures["paired"].get(name, {})
    kept = ("mean", "low", "high", "win_rate_with_half_ties", "win_rate_interval", "num_prompts")
    return {
        measure: {key: paired[measure][key] for key in kept if key in paired[measure]}
        for measure in MEASURES
        if paired.get(measure, {}).get("mean") is not None
    }


def _reach(rows: list[dict[str, Any]], measure: str) -> float:
    """The largest distance from zero that a dot or a whisker has to show."""
    ends = [
        abs(end)
        for row in rows
        for found in [row["against_base"].get(measure)]
        if found
        for end in (found["mean"], found["low"], found["high"])
        if end is not None
    ]
    return max(ends, default=1.0) or 1.0


def _curves(comparison: Comparison) -> list[dict[str, Any]]:
    """Quality and generality over the steps of tuning, one line per variant."""
    charts = []
    for column, label in (("quality", "quality"), ("generality", "generality far from the needles")):
        series = {
            name: [
                (float(row["global_step"]), float(row[column]))
                for row in gate["rows"]
                if row.get(column) is not None
            ]
            for name, gate in comparison.gates.items()
        }
        drawn = {name: points for name, points in series.items() if points}
        if drawn:
            charts.append({"label": label, "chart": line_chart(drawn, x_label="step", y_label=label)})
    return charts
