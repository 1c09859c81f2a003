"""The whole story on one page: haystack, funnel, decision, tuning, pictures before and after, measures.

One function per chapter; each reads files of the run folder and nothing else, so a story can be written again
at any time. A chapter whose stage is not part of the recipe is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from photogenic.core.errors import PhotogenicError
from photogenic.core.glimpse import Glimpse, first_rows, iter_tables, rows_with
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import MetricsLog, Run
from photogenic.core.shards import atomic_path, read_json, read_table
from photogenic.evaluate.beside import said_by_raters
from photogenic.recipe import Recipe
from photogenic.review.settled import left_by_finish
from photogenic.truth import read_truth
from photogenic.web.page import render, thumbnail_uri

TEMPLATE = Path(__file__).with_name("story.html.j2")

NUM_HAYSTACK, NUM_DROPPED, NUM_NEEDLES, NUM_PAIRS = 48, 8, 48, 48  # pictures shown
THUMBNAIL_PX, DRAWN_PX = 80, 192

# Of all measures, those that say something by themselves; evaluate/report.html has the rest.
TOLD = (
    "appeal_score",
    "taste_prob",
    "clip_score",
    "frechet_distance",
    "cmmd",
    "diversity",
    "near_copy_ratio",
)

GATE_MEASURES = ("quality", "generality", "diversity", "distance")  # curves of the gate; the first two decide

MODELS_ALONE = "(a model), no person looked"  # how needles.parquet ends a line of models alone

Picture = tuple[str, str]  # data: URI, caption


def write(recipe: Recipe, run: Run) -> Path:
    """Write RUN/report.html."""
    html = render(
        TEMPLATE,
        f"The story of {recipe.name}",
        haystack=tell_haystack(run),
        funnel=tell_funnel(run),
        truth=read_truth(recipe, run),
        decision=tell_decision(run),
        tuning=tell_tuning(run),
        drawn=tell_drawn(run),
        raters=said_by_raters(run.folder),
        measures=tell_measures(run),
    )
    path = run.folder / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def tell_haystack(run: Run) -> dict[str, Any] | None:
    """How many pictures of which source, and some of them."""
    folder = run.folder / "pool" / "manifest"
    if not folder.is_dir():
        return None
    num, num_with_text, sources, some = 0, 0, Counter[str](), Glimpse(NUM_HAYSTACK)
    for rows in iter_tables(folder, ["sample_id", "source", "alt_text"]):
        num += rows.num_rows
        num_with_text += pc.sum(pc.greater(pc.binary_length(rows["alt_text"]), 0)).as_py() or 0
        for count in pc.value_counts(rows["source"]).to_pylist():
            sources[count["values"]] += count["counts"]
        some.show(rows.select(["sample_id"]))
    return {
        "num": num,
        "num_with_text": num_with_text,
        "sources": sorted(sources.items()),
        "pictures": _contact_sheet(run, _in_order(rows_with(folder, some.column("sample_id")))),
    }


def tell_funnel(run: Run) -> dict[str, Any] | None:
    """The steps with their counts, and pictures that each of them dropped, with the reason."""
    folder = run.folder / "curate"
    if not (folder / "counts.json").exists():
        return None
    counts = read_json(folder / "counts.json")
    gone = _gone(folder / "verdicts.parquet")
    manifest = run.folder / "pool" / "manifest"
    samples = _in_order(
        rows_with(manifest, [sample_id for reasons in gone.values() for sample_id in reasons])
    )
    sheets = {}
    for step in counts["steps"]:
        reasons = gone.get(step["name"], {})
        those = [sample for sample in samples if sample.sample_id in reasons]
        sheets[step["name"]] = _contact_sheet(run, those, reasons)
    return {"counts": counts, "sheets": sheets}


def _gone(verdicts: Path) -> dict[str, dict[str, str]]:
    """Step -> some of the samples that it dropped or failed at -> the reason."""
    some: dict[str, Glimpse] = defaultdict(lambda: Glimpse(NUM_DROPPED))
    for rows in iter_tables(verdicts, ["sample_id", "drop_step", "drop_reason"]):
        for step in pc.unique(rows["drop_step"]).to_pylist():
            if step is not None:
                some[step].show(rows.filter(pc.equal(rows["drop_step"], step)))
    return {
        step: dict(zip(glimpse.column("sample_id"), glimpse.column("drop_reason"), strict=True))
        for step, glimpse in some.items()
    }


def tell_decision(run: Run) -> dict[str, Any] | None:
    """Who decided, how many needles there are, of which groups, and how they look."""
    path = run.folder / "review" / "needles.parquet"
    if not path.exists():
        return None
    needles = read_table(path)
    decided_by = Counter(needles["decided_by"].to_pylist())
    captions = dict(zip(needles["sample_id"].to_pylist(), needles["caption"].to_pylist(), strict=True))
    return {
        "num": needles.num_rows,
        "decided_by": decided_by.most_common(),
        "nobody_looked": all(who.startswith("auto") for who in decided_by),
        "models_decided": all(MODELS_ALONE in who for who in decided_by),
        "captions_left": left_by_finish(run.folder),
        "caption_sources": sorted(Counter(needles["caption_source"].to_pylist()).items()),
        "pictures": _contact_sheet(run, _some(needles, NUM_NEEDLES), captions),
    }


def tell_tuning(run: Run) -> dict[str, Any] | None:
    """The curves of tuning, and what the gate decided."""
    rows = MetricsLog(run.folder / "tune" / "metrics.jsonl").rows()
    if not rows:
        return None
    gate_path = run.folder / "tune" / "gate.json"
    gate = read_json(gate_path) if gate_path.exists() else None
    return {
        "losses": _curves(rows, {"mse": "training", "validation_loss": "validation, fixed noise"}),
        "gate": gate,
        "gate_curves": _curves(gate["rows"], dict(zip(GATE_MEASURES, GATE_MEASURES, strict=True)))
        if gate
        else {},
    }


def _curves(rows: Sequence[dict[str, Any]], names: dict[str, str]) -> dict[str, list[tuple[float, float]]]:
    """(global_step, value) points of each of `names` (name in the rows -> name shown) that any row has."""
    curves = {
        shown: [(row["global_step"], row[name]) for row in rows if row.get(name) is not None]
        for name, shown in names.items()
    }
    return {shown: points for shown, points in curves.items() if points}


def tell_drawn(run: Run) -> dict[str, Any] | None:
    """The same prompts and seeds, drawn by each model."""
    tables = [read_table(path) for path in sorted((run.folder / "generate").glob("*/manifest.parquet"))]
    if not tables:
        return None
    uris: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row in pa.concat_tables(tables).to_pylist():
        picture = run.folder / "generate" / row["model"] / Path(row["file"]).name
        if len(uris) < NUM_PAIRS or (row["prompt"], row["seed"]) in uris:
            with Image.open(picture) as image:
                uris[row["prompt"], row["seed"]][row["model"]] = thumbnail_uri(image, DRAWN_PX)
    names = {name for table in tables for name in table["model"].to_pylist()}
    models = sorted(names, key=lambda name: (name != "base", name))
    rows = [{"prompt": prompt, "seed": seed, "uris": drawn} for (prompt, seed), drawn in uris.items()]
    return {"models": models, "rows": rows, "num": sum(table.num_rows for table in tables)}


def tell_measures(run: Run) -> dict[str, Any] | None:
    """Each model against the base, measure by measure, with intervals; and what was left out."""
    path = run.folder / "evaluate" / "measures.json"
    if not path.exists():
        return None
    measures = read_json(path)
    base = measures["models"][measures["base"]]
    comparisons = {
        name: [
            {
                "measure": measure,
                "base": base.get(measure),
                "model": measures["models"][name].get(measure),
                **row,
            }
            for measure in TOLD
            if (row := paired.get(measure)) is not None
        ]
        for name, paired in measures["paired"].items()
    }
    return {"base": measures["base"], "comparisons": comparisons, "remarks": measures["remarks"]}


def _in_order(table: pa.Table) -> list[Sample]:
    """The rows, by their ids."""
    return list(iter_samples(table.sort_by("sample_id")))


def _some(table: pa.Table, num: int) -> list[Sample]:
    """At most `num` rows, the same in every run."""
    return list(iter_samples(first_rows(table, num)))


def _contact_sheet(
    run: Run, samples: Sequence[Sample], captions: dict[str, str] | None = None
) -> list[Picture]:
    """Thumbnails with their captions, by default their alt_text."""
    sources = run.sources()
    sheet = []
    for sample in samples:
        caption = sample.alt_text if captions is None else captions.get(sample.sample_id) or ""
        sheet.append((_thumbnail(sources.read, sample), caption))
    return sheet


def _thumbnail(read: Any, sample: Sample) -> str:
    from photogenic.measures.decode import decode

    try:
        return thumbnail_uri(
            decode(read(sample.locator), min_long_side_px=2 * THUMBNAIL_PX).rgb, THUMBNAIL_PX
        )
    except PhotogenicError:
        return thumbnail_uri(_unreadable())


def _unreadable() -> np.ndarray[Any, Any]:
    """A grey square with a cross: there is no picture to show."""
    diagonal = np.eye(THUMBNAIL_PX, dtype=bool)
    return np.where((diagonal | diagonal[::-1])[..., None], 90, 190).repeat(3, axis=2).astype(np.uint8)
