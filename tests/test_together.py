"""Two processes of torchrun on one road, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nursery import Nursery
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent / "models"))
import tiny

from photogenic.cli import app
from photogenic.core.errors import RunError
from photogenic.demo.haystack import write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.models.checkpoint import save_pipeline

RECIPE = """
name: road
pool: {sources: {stickers: haystack}}
curate: {domain: stickers, steps: {size: {min_side_px: 100}}}
review: {num_needles: 12}
pretrain: {weights: base}
tune:
  fit: pad
  num_validation: 2
  loop:
    max_steps: 3
    batch_size: 4
    checkpoint_every: 3
    log_every: 1
    optimizer: {learning_rate: 1.0e-2, warmup_steps: 1}
  gate: {num_images: 2, num_inference_steps: 2}
"""


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    write_haystack(folder / "haystack", DEMO_SOURCES, num_samples=40, workers=1)
    save_pipeline(tiny.emu(), folder / "base")
    (folder / "road.yaml").write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("pool", "curate", "review", "pretrain"):
            done = CliRunner().invoke(app, [command, "road.yaml", "--workers", "1"])
            assert done.exit_code == 0, done.output
    return folder


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "photogenic", *arguments),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, timeout=600, capture_output=True, text=True, check=False
    )


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "tune" / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_two_processes_tune_what_one_tunes(
    reviewed: Path, monkeypatch: pytest.MonkeyPatch, nursery: Nursery
) -> None:
    shared = torchrun(reviewed, "tune", "road.yaml")
    assert shared.returncode == 0, shared.stderr[-4000:]
    run = reviewed / "runs" / "road"
    assert (run / "tune" / "done.json").exists() and (run / "tune" / "model" / "model_index.json").exists()
    of_two = losses(run)
    again, _ = nursery.together(2, "nursery:photogenic", "tune", "road.yaml", cwd=reviewed)
    assert "tune: done (took" in again.said()

    monkeypatch.chdir(reviewed)
    (run / "tune").rename(reviewed / "tuned-by-two")
    alone = CliRunner().invoke(app, ["tune", "road.yaml"])
    assert alone.exit_code == 0, alone.output
    assert len(of_two) == 3 and losses(run) == pytest.approx(of_two, rel=1e-4)


@pytest.mark.parametrize("command", ["curate", "run"])
def test_what_one_process_does_is_refused_to_two(
    command: str, reviewed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reviewed)
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun says it
    refused = CliRunner().invoke(app, [command, "road.yaml"])
    assert refused.exit_code != 0 and isinstance(refused.exception, (RunError, SystemExit))
    assert "is the work of one" in refused.output + str(refused.exception)
