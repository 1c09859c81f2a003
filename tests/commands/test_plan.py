from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from photogenic.cli import app
from photogenic.commands.plan import in_bytes, in_core_time, in_count, in_time


def test_numbers_are_said_as_they_are_read() -> None:
    assert [in_bytes(number) for number in (999, 1234, 5.6e9, 2e15)] == ["999 B", "1.23 kB", "5.6 GB", "2 PB"]
    assert [in_time(hours) for hours in (0.5, 30, 240)] == ["30 minutes", "30 hours", "10 days"]
    assert in_time(24 * 3650) == "10.0 years" and in_time(5 / 3600) == "5 seconds"
    assert [in_core_time(hours) for hours in (5 / 3600, 0.5, 1234)] == ["5 s", "30 min", "1,234 h"]
    assert [in_count(number) for number in (1234, 1.1e9)] == ["1,234", "1,100 M"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        pixels = generator.integers(0, 256, (90, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    path = tmp_path / "mine.yaml"
    sources = f"pool: {{sources: {{mine: {folder}}}}}\n"
    path.write_text(f"name: mine\n{sources}curate: {{steps: {{size: {{min_side_px: 64}}}}}}\n")
    return path


def test_plan_prints_steps_totals_and_assumptions(recipe: Path, tmp_path: Path) -> None:
    given = ["plan", str(recipe), "--pool-size", "1.1e9", "--run", str(tmp_path / "run"), "--sample", "10"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Curating 1,100,000,000 samples" in said and "1,100 M" in said
    for word in (
        "read",
        "size",
        "core time",
        "Machines:",
        "Storage:",
        "Assumptions",
        "10 measured pictures",
    ):
        assert word in said
    assert not (tmp_path / "run" / "curate").exists()


def test_a_small_pool_is_planned_in_small_numbers(recipe: Path, tmp_path: Path) -> None:
    given = ["plan", str(recipe), "--run", str(tmp_path / "run"), "--set", "curate.steps.duplicates={}"]
    said = " ".join(CliRunner().invoke(app, given).output.split())
    assert "Curating 12 samples" in said and "Machines: this one is enough." in said
    assert "Near-duplicates are found over all survivors" in said
    for of_large_pools in ("B/s", "the large pool", "ten times as many", "several pools", "core hours"):
        assert of_large_pools not in said


def test_the_plan_of_a_training_cuts_no_number_off() -> None:
    result = CliRunner().invoke(app, ["plan", "emu", "--gpus", "256"], env={"COLUMNS": "80"})
    assert result.exit_code == 0 and "Training on 256 GPUs" in result.output
    assert "…" not in result.output


def test_a_recipe_without_a_funnel_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("name: empty\n")
    result = CliRunner().invoke(app, ["plan", str(path), "--pool-size", "10"])
    assert result.exit_code != 0 and "no sections" in result.output
