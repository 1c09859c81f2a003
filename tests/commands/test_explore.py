from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from photogenic.cli import app
from photogenic.commands.explore import _recipe_of
from photogenic.recipe import load_recipe, write_resolved

TEXT = "name: mine\npool: {sources: {mine: pictures}}\ncurate: {steps: {size: {min_side_px: 64}}}\n"


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["explore", str(tmp_path)])
    assert result.exit_code != 0 and "no run folder" in result.output


def test_a_run_that_was_not_curated_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TEXT)
    write_resolved(load_recipe(tmp_path / "mine.yaml"), tmp_path)
    result = CliRunner().invoke(app, ["explore", str(tmp_path), "--recipe", str(tmp_path / "mine.yaml")])
    assert result.exit_code != 0 and "has not been curated" in result.output
    result = CliRunner().invoke(app, ["explore", str(tmp_path), "--recipe", str(tmp_path / "none.yaml")])
    assert result.exit_code != 0 and "There is no recipe" in result.output


def test_a_recipe_that_was_not_run_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(TEXT)
    result = CliRunner().invoke(app, ["explore", "mine.yaml"])
    assert result.exit_code != 0 and "photogenic curate mine.yaml" in result.output


def test_the_recipe_of_a_run_is_found_by_name_and_funnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipes" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(TEXT)
    resolved = load_recipe(path)
    assert _recipe_of(resolved) == Path("recipes/mine.yaml")
    path.write_text(TEXT.replace("64", "128"))  # another funnel by now
    assert _recipe_of(resolved) is None
