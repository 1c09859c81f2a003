"""The whole road on a tiny haystack and a tiny model: undisturbed, and killed twice on the way."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nursery import Nursery, Process

sys.path.insert(0, str(Path(__file__).parent / "models"))
import tiny

from photogenic.core.shards import read_table
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.models.checkpoint import save_pipeline

RECIPE = """
name: golden
pool: {sources: {stickers: haystack}}
curate:
  domain: stickers
  steps:
    size: {min_side_px: 100}
    sharpness: {min: 1.2}
    duplicates: {max_distance: 4}
    select: {num: 40, balance: group}
review: {num_needles: 24, balance: group}
pretrain: {weights: base}
tune:
  fit: pad
  num_validation: 2
  loop:
    max_steps: 12
    batch_size: 8
    micro_batch_size: 4
    checkpoint_every: 4
    log_every: 1
    optimizer: {learning_rate: 1.0e-3, warmup_steps: 2}
  gate: {num_images: 2, num_inference_steps: 2}
generate: {prompts: [a red apple, a cat], num_images_per_prompt: 2, num_inference_steps: 3}
evaluate: {clip: null, num_resamples: 200}
"""

# Made anew from the rest, when they are needed. The names in `curate/columns` tell when the score tables were
# written that they were aligned from (decision 0016), so no two runs have the same ones.
CACHES = {"cache", "checkpoints", "columns"}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def words(run: str) -> list[str]:
    return ["run", "golden.yaml", "--run", run, "--workers", "1"]


def command(folder: Path, run: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "photogenic", *words(run)]
    return subprocess.Popen(
        arguments, cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    said = process.communicate(timeout=300)
    assert process.returncode == 0, said[1]
    return said


def kill_when(process: Process, path: Path) -> bool:
    """SIGKILL as soon as something lies at `path`; whether the process was still alive."""
    pattern = path.name
    while process.poll() is None and not any(path.parent.glob(pattern)):
        time.sleep(0.01)
    return process.kill() == -signal.SIGKILL


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with haystack, base model, recipe and the finished run `whole`."""
    folder = tmp_path_factory.mktemp("golden")
    write_haystack(folder / "haystack", DEMO_SOURCES, num_samples=90, workers=1)
    save_pipeline(tiny.emu(), folder / "base")
    (folder / "golden.yaml").write_text(RECIPE, encoding="utf-8")
    finish(command(folder, "whole"))
    return folder


def results(run: Path) -> dict[str, str]:
    """Every table, picture, weight and measure, by its bytes."""
    suffixes = {".parquet", ".png", ".safetensors"}
    files = [path for path in run.rglob("*") if path.suffix in suffixes or path.name == "measures.json"]
    kept = [path for path in files if not CACHES & set(path.parts)]
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(kept)
    }


def test_every_stage_leaves_what_the_documents_say(walked: Path) -> None:
    run = walked / "whole"
    for name in (
        "recipe.resolved.yaml",
        "report.html",
        "pool/manifest/00000.parquet",
        "pool/sources.json",
        "curate/verdicts.parquet",
        "curate/candidates.parquet",
        "curate/report.html",
        "review/needles.parquet",
        "tune/metrics.jsonl",
        "tune/gate.json",
        "tune/model/model_index.json",
        "generate/base/manifest.parquet",
        "generate/tuned/manifest.parquet",
        "evaluate/measures.json",
        "evaluate/report.html",
    ):
        assert (run / name).is_file(), name
    verdicts = read_table(run / "curate" / "verdicts.parquet")
    assert verdicts.num_rows == 90
    assert set(verdicts["verdict"].to_pylist()) <= {"kept", "dropped"}
    assert read_table(run / "review" / "needles.parquet").num_rows == 24


def test_the_report_s_counts_are_those_of_the_tables(walked: Path) -> None:
    run = walked / "whole"
    html = " ".join((run / "report.html").read_text(encoding="utf-8").split())
    kept = read_table(run / "curate" / "candidates.parquet").num_rows
    assert f"90 pictures went in, {kept} came through the funnel, 24 became needles" in html
    assert "No person looked at these pictures" in html and "Nobody has judged these pictures" in html


def test_tables_hold_no_paths_of_this_machine(walked: Path) -> None:
    for path in (walked / "whole").rglob("*.parquet"):
        for column in read_table(path).to_pydict().values():
            assert not any(isinstance(value, str) and str(walked) in value for value in column), path


def test_killed_twice_and_the_same_command_gives_the_same(walked: Path, nursery: Nursery) -> None:
    def start() -> Process:
        return nursery.start("nursery:photogenic", *words("killed"), cwd=walked)

    run = walked / "killed"
    assert kill_when(start(), run / "curate" / "scores" / "*")
    assert not (run / "curate" / "done.json").exists()
    assert kill_when(start(), run / "tune" / "checkpoints" / "step-*")
    assert (run / "curate" / "done.json").exists() and not (run / "tune" / "done.json").exists()
    last = start()
    assert last.wait() == 0, last.said()
    assert results(run) == results(walked / "whole")
    steps = [
        json.loads(line)["global_step"] for line in (run / "tune" / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == sorted(steps)


def cpu_s() -> float:
    """What processes that were started here and have ended have computed: the same on a busy machine."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_the_second_time_there_is_nothing_to_do(walked: Path) -> None:
    begun = cpu_s()
    said, log = finish(command(walked, "whole"))
    assert "Everything is done." in said
    assert log.count(": done (took") == 7
    assert cpu_s() - begun < 20
