"""The table and the figure of an ablation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photogenic.ablation.config import BASE, Ablations
from photogenic.ablation.figure import Difference, Line, forest
from photogenic.core.run import Run
from photogenic.core.shards import atomic_path, write_json
from photogenic.evaluate.results import NO_NEEDLES
from photogenic.web.page import line_chart, render

TEMPLATE = Path(__file__).with_name("report.html.j2")

# measure -> what the table calls it; those of single pictures are compared prompt by prompt
MEASURES = {
    "appeal_score": "appeal",
    "clip_score": "CLIP score",
    "diversity": "diversity",
}
DRAWN = ("appeal_score", "clip_score")  # in the figure: quality, and whether the text is still followed


@dataclass(frozen=True)
class Comparison:
    """All that the report tells."""

    config: Ablations
    against_base: Mapping[str, Any]  # measures.json
    against_reference: Mapping[str, Any]  # the same, with the reference in the base's place
    gates: Mapping[str, Mapping[str, Any]]  # variant that was tuned -> gate.json
    steps: Mapping[str, int]  # variant -> after how many steps its model was taken
    num_pictures: Mapping[str, int]  # variant -> on how many it was tuned
    rankings: Mapping[str, Any] | None = None  # attention's, against the needles
    # variant -> share of drawings that are near-copies of what it was tuned on; None: its pictures are gone
    own_copies: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


def write_report(comparison: Comparison, run: Run) -> Path:
    """Write RUN/table.json, RUN/figure.svg and RUN/report.html; the report's path."""
    rows = list(table_rows(comparison))
    sentences = generality_sentences(comparison, rows)
    write_json(
        run.folder / "table.json",
        {
            "reference": comparison.config.compared_with(),
            "at": comparison.config.at,
            "rows": rows,
            "generality": sentences,
            "rankings": comparison.rankings,
        },
    )
    groups = _groups(comparison.config, rows)
    drawn = {name: MEASURES[name] for name in DRAWN if any(row["against_base"].get(name) for row in rows)}
    _write(run.folder / "figure.svg", forest(groups, drawn, standalone=True))
    measures = [name for name in MEASURES if any(row["against_base"].get(name) for row in rows)]
    page = render(
        TEMPLATE,
        f"Ablations: {comparison.config.name}",
        rows=rows,
        figure=forest(groups, drawn),
        gates=comparison.gates,
        sentences=sentences,
        rankings=comparison.rankings,
        measures=[{"name": name, "label": MEASURES[name]} for name in measures],
        reference=comparison.config.compared_with(),
        common_step=_common_step(comparison),
        statement=comparison.against_base["statement"],
        remarks=[one for one in comparison.against_base["remarks"] if one != NO_NEEDLES],
        curves=_curves(comparison),
    )
    path = run.folder / "report.html"
    _write(path, page)
    return path


def table_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """One per variant, in the order of the file."""
    for name, variant in comparison.config.variants.items():
        source = comparison.config.source(name)
        gate = comparison.gates[source]
        yield {
            "variant": name,
            "of": variant.of,
            "take": comparison.config.variants[source].pictures.take,
            "num_pictures": comparison.num_pictures[name],
            "set": list(variant.set),
            "ema_sigma_rel": variant.ema_sigma_rel,
            "global_step": comparison.steps[name],
            "chosen_step": gate["chosen_step"],
            "sentence": gate["sentence"],
            "own_copies": comparison.own_copies.get(name),
            "against_base": _differences(comparison.against_base, name),
            "against_reference": _differences(comparison.against_reference, name),
        }


def generality_sentences(comparison: Comparison, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the text is followed worse for certain, of each tuning of which several steps were drawn."""
    sentences = []
    for source, gate in comparison.gates.items():
        of_it = [
            row
            for row in rows
            if row["variant"] == source or (row["of"] == source and not row["ema_sigma_rel"])
        ]
        curve = sorted(
            (row["global_step"], row["against_base"]["clip_score"])
            for row in of_it
            if "clip_score" in row["against_base"]
        )
        if len({step for step, _ in curve}) < 2:
            continue
        worse = [step for step, found in curve if found["high"] is not None and found["high"] < 0]
        lost = [row["global_step"] for row in gate["rows"] if _lost(row, gate)]
        if not worse:
            said = f"the CLIP score does not fall for certain up to step {curve[-1][0]}"
        else:
            said = f"the CLIP score's interval lies wholly below the base's first at step {worse[0]}"
        by_gate = (
            f"by the gate's own pictures too much is lost first at step {lost[0]}"
            if lost
            else ("by the gate's own pictures never too much is lost")
        )
        kept = int(gate["chosen_step"])
        when = "" if not worse else (", before that" if kept < worse[0] else ", which is not before that")
        sentences.append(f"{source}: {said}; {by_gate}. The gate kept step {kept}{when}.")
    return sentences


def _lost(row: Mapping[str, Any], gate: Mapping[str, Any]) -> bool:
    """Whether the gate found too little generality left."""
    base = gate["rows"][0].get("generality")
    if base is None or row.get("generality") is None or row["global_step"] == 0:
        return False
    return bool(row["generality"] < base - gate["max_generality_loss"] * abs(base))


def _common_step(comparison: Comparison) -> int | None:
    """The step at which all were taken; None where each was by its own gate."""
    kept = comparison.gates[comparison.config.compared_with()]["chosen_step"]
    return int(kept) if comparison.config.at == "reference" and kept else None


def _groups(config: Ablations, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Line]]:
    """Question -> lines; without questions all variants are one group."""
    of = {row["variant"]: Line(row["variant"], _drawn(row["against_base"])) for row in rows}
    of[BASE] = Line(BASE, {name: Difference(0.0, 0.0, 0.0) for name in DRAWN})
    asked = config.questions or {"Variants": tuple(config.variants)}
    groups = {question: [of[name] for name in names] for question, names in asked.items()}
    return {question: lines for question, lines in groups.items() if lines}


def _drawn(differences: Mapping[str, Any]) -> dict[str, Difference]:
    return {
        name: Difference(found["mean"], found["low"], found["high"])
        for name, found in differences.items()
        if name in DRAWN
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


def _curves(comparison: Comparison) -> list[dict[str, Any]]:
    """Quality and generality over the steps of tuning, one line per tuned variant."""
    charts = []
    kept = float(comparison.gates[comparison.config.compared_with()]["chosen_step"])
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
            chart = line_chart(
                drawn, x_label="step", y_label=label, marker_x=kept or None, marker_label="kept"
            )
            charts.append({"label": label, "chart": chart})
    return charts


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
