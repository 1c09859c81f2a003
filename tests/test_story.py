"""Chapters read files; a chapter whose files are not there is left out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from evaluate.raters_of_known_strength import cast
from PIL import Image

from photogenic.core.manifest import (
    IMAGES_SCHEMA,
    NEEDLES_SCHEMA,
    POOL_SCHEMA,
    VERDICTS_SCHEMA,
    sample_id_for,
)
from photogenic.core.run import MetricsLog, Run
from photogenic.core.shards import write_json, write_table
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.verdict_report import write_verdict
from photogenic.recipe import load_recipe
from photogenic.story import tell_drawn, tell_funnel, tell_haystack, tell_measures, tell_tuning, write

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def pool_row(run: Run, name: str, text: str) -> dict[str, object]:
    return {
        "sample_id": sample_id_for("mine", name, name),
        "source": "mine",
        "member": name,
        "key": name,
        "offset": 0,
        "size_bytes": (run.folder.parent / "photos" / name).stat().st_size,
        "alt_text": text,
        "fields": "{}",
    }


@pytest.fixture
def pool(run: Run) -> list[dict[str, object]]:
    photos = run.folder.parent / "photos"
    photos.mkdir()
    Image.new("RGB", (40, 40), "red").save(photos / "red.png")
    (photos / "broken.png").write_bytes(b"not a picture")
    rows = [pool_row(run, "red.png", HOSTILE), pool_row(run, "broken.png", "")]
    write_table(
        run.stage("pool") / "manifest" / "00000.parquet", pa.Table.from_pylist(rows, schema=POOL_SCHEMA)
    )
    write_json(run.stage("pool") / "sources.json", {"mine": str(photos)})
    return rows


def story(run: Run) -> str:
    path = run.folder.parent / "own.yaml"
    path.write_text("name: own\n", encoding="utf-8")
    return write(load_recipe(path), run).read_text(encoding="utf-8")


def test_an_empty_run_has_an_empty_story(run: Run) -> None:
    run.folder.mkdir()
    assert "<h2>" not in story(run)


def test_the_haystack_is_counted_and_shown(run: Run, pool: list[dict[str, object]]) -> None:
    chapter = tell_haystack(run)
    assert chapter is not None
    assert (chapter["num"], chapter["num_with_text"], chapter["sources"]) == (2, 1, [("mine", 2)])
    assert len(chapter["pictures"]) == 2  # the broken one is shown as a grey cross
    html = story(run)
    assert HOSTILE not in html and "&lt;script&gt;" in html


def test_it_says_that_nobody_looked(run: Run, pool: list[dict[str, object]]) -> None:
    def needles(decided_by: str) -> None:
        rows = [
            {
                **pool[0],
                "caption": "red",
                "caption_source": "alt_text",
                "decided_by": decided_by,
                "score": 1.0,
            }
        ]
        write_table(
            run.stage("review") / "needles.parquet", pa.Table.from_pylist(rows, schema=NEEDLES_SCHEMA)
        )

    needles("auto: best by appeal_score, no person looked")
    assert "No person looked at these pictures" in story(run)
    needles("imported: decisions.csv")
    assert "No person looked" not in story(run)
    needles("Finest: kept by opus (a model), no person looked")
    told = story(run)
    assert "No person looked at these pictures: models decided" in told
    assert "opus (a model)" in told


def test_curves_and_the_gate(run: Run) -> None:
    assert tell_tuning(run) is None
    log = MetricsLog(run.stage("tune") / "metrics.jsonl")
    log.write(10, loss=0.5, mse=0.4, learning_rate=1e-4)
    log.write(10, validation_loss=0.45)
    log.write(20, loss=float("nan"), mse=float("nan"))
    rows = [
        {"global_step": 0, "quality": 4.0, "generality": None},
        {"global_step": 10, "quality": 5.0, "generality": None},
    ]
    gate = {"chosen_step": 10, "sentence": "Step 10 is kept.", "generality_missing": "no CLIP", "rows": rows}
    write_json(run.stage("tune") / "gate.json", gate)
    chapter = tell_tuning(run)
    assert chapter is not None
    assert chapter["losses"] == {"training": [(10, 0.4)], "validation, fixed noise": [(10, 0.45)]}
    assert chapter["gate_curves"] == {"quality": [(0, 4.0), (10, 5.0)]}
    html = story(run)
    assert "Step 10 is kept." in html and "no CLIP" in html


def test_pairs_have_the_same_prompt_and_seed(run: Run) -> None:
    assert tell_drawn(run) is None
    for model, colour in (("base", "grey"), ("tuned", "orange")):
        rows = []
        for index, prompt in enumerate(["a rose", "a cat"]):
            file = f"{index}.png"
            folder = run.stage("generate") / model
            folder.mkdir(exist_ok=True)
            Image.new("RGB", (64, 64), colour).save(folder / file)
            rows.append(
                {"image_id": f"{model}{index}", "model": model, "prompt": prompt, "seed": index, "file": file}
            )
        write_table(folder / "manifest.parquet", pa.Table.from_pylist(rows, schema=IMAGES_SCHEMA))
    chapter = tell_drawn(run)
    assert chapter is not None
    assert chapter["models"] == ["base", "tuned"] and chapter["num"] == 4
    assert [(row["prompt"], row["seed"], sorted(row["uris"])) for row in chapter["rows"]] == [
        ("a rose", 0, ["base", "tuned"]),
        ("a cat", 1, ["base", "tuned"]),
    ]
    assert story(run).count('<div class="pair">') == 2


def test_measures_are_told_with_their_intervals(run: Run) -> None:
    assert tell_measures(run) is None
    appeal = {"mean": 0.5, "low": 0.25, "high": 0.75, "wins": 9, "ties": 1, "losses": 2}
    measures = {
        "base": "base",
        "models": {"base": {"appeal_score": {"mean": 4.0}}, "tuned": {"appeal_score": {"mean": 4.5}}},
        "paired": {"tuned": {"appeal_score": appeal, "luma_mean": {"mean": 0.1, "low": None, "high": None}}},
        "remarks": ["No CLIP knows these pictures."],
    }
    write_json(run.stage("evaluate") / "measures.json", measures)
    chapter = tell_measures(run)
    assert chapter is not None
    (row,) = chapter["comparisons"]["tuned"]
    assert (row["measure"], row["base"]["mean"], row["model"]["mean"]) == ("appeal_score", 4.0, 4.5)
    html = story(run)
    assert "0.25 to 0.75" in html and "9, 1, 2" in html and "No CLIP knows" in html
    assert "Nobody has judged these pictures" in html and 'href="evaluate/report.html"' in html
    assert "evaluate/verdict.html" not in html
    write_verdict(run.folder / "evaluate", judge(cast({"base": 0.0, "tuned": 3.0})))
    html = story(run)
    assert "5 people voted blind" in html and "people prefer tuned" in html
    assert 'href="evaluate/verdict.html"' in html and "Nobody has judged these pictures" not in html


def test_what_a_step_dropped_is_shown_with_its_reason(run: Run, pool: list[dict[str, object]]) -> None:
    rows = [
        {**{name: row[name] for name in ("sample_id", "source", "key")}, "verdict": verdict} | words
        for row, verdict, words in zip(
            pool,
            ("dropped", "failed"),
            (
                {"drop_step": "size", "drop_reason": "40 px, below 64"},
                {"drop_step": "size", "drop_reason": "unreadable"},
            ),
            strict=True,
        )
    ]
    write_table(run.stage("curate") / "verdicts.parquet", pa.Table.from_pylist(rows, schema=VERDICTS_SCHEMA))
    step = {"entered": 2, "dropped": 1, "failed": 1, "rules": [], "skipped": "", "note": ""}
    steps = [{"name": "size", **step}, {"name": "aspect", **step, "entered": 0, "dropped": 0, "failed": 0}]
    write_json(run.stage("curate") / "counts.json", {"kept": 0, "steps": steps})
    chapter = tell_funnel(run)
    assert chapter is not None
    assert {words for _, words in chapter["sheets"]["size"]} == {"40 px, below 64", "unreadable"}
    assert chapter["sheets"]["aspect"] == []
    assert "40 px, below 64" in story(run)
