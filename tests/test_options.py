"""What commands have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.core.errors import PhotogenicError
from photogenic.options import RESOLVED, open_run_or_recipe, run_folder
from photogenic.recipe import find_recipe


def test_of_two_run_folders_neither_is_silently_ignored(tmp_path: Path) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    for folder in (named, other):
        folder.mkdir()
        (folder / RESOLVED).write_text(find_recipe("emu-tiny").read_text(encoding="utf-8"))
    for find in (
        lambda run: open_run_or_recipe(str(named), run, None).run,
        lambda run: run_folder(str(named), run, None),
    ):
        with pytest.raises(PhotogenicError, match="is a run folder, and --run names another"):
            find(other)
        assert find(None).folder == find(named).folder == named
