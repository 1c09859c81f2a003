from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from photogenic.core.errors import RecipeError
from photogenic.curate.config import StepsConfig
from photogenic.curate.explore.edit import RecipeFile, diff, rule_fields, with_setting
from photogenic.curate.filters import rules_for

RECIPE = """\
# My pictures.
name: mine          # a name
curate:
  domain: photographs
  steps:
    size: {min_side_px: 512}      # thumbnails out
    exposure:
      min_luma: 0.08   # too dark
      max_luma: 0.97

    sharpness: {}
    contrast:
    appeal: { min_quantile: 0.5 }  # the better half
"""


def value_of(text: str, step: str, setting: str) -> Any:
    return yaml.safe_load(text)["curate"]["steps"][step][setting]


@pytest.mark.parametrize(
    ("step", "setting", "value"),
    [
        ("size", "min_side_px", 700),
        ("size", "max_megapixels", 12.5),
        ("exposure", "min_luma", 0.125),
        ("exposure", "max_dark_clip_ratio", 0.4),
        ("sharpness", "min", 0.75),
        ("contrast", "min", 0.3),
        ("appeal", "min_quantile", 0.625),
        ("appeal", "min", 3.0),
    ],
)
def test_one_number_changes_and_nothing_else(step: str, setting: str, value: float) -> None:
    text = with_setting(RECIPE, step, setting, value)
    assert value_of(text, step, setting) == value
    expected = yaml.safe_load(RECIPE)
    expected["curate"]["steps"][step] = (expected["curate"]["steps"][step] or {}) | {setting: value}
    assert yaml.safe_load(text) == expected
    for comment in ("# My pictures.", "# a name", "# thumbnails out", "# too dark", "# the better half"):
        assert comment in text
    changed = [line for line in diff(RECIPE, text, "r").splitlines()[3:] if line[:1] in "+-"]
    assert 1 <= len(changed) <= 2
    assert list(yaml.safe_load(text)["curate"]["steps"]) == list(expected["curate"]["steps"])


@pytest.mark.parametrize(
    "text", ["name: a\n", "name: a\ncurate: {}\n", "name: a\ncurate:\nreview: {}\n", "curate:\n  domain: x\n"]
)
def test_the_default_funnel_is_written_out(text: str) -> None:
    changed = with_setting(text, "contrast", "min", 0.4)
    steps = yaml.safe_load(changed)["curate"]["steps"]
    assert steps["contrast"] == {"min": 0.4} and list(steps)[:2] == ["size", "aspect"]
    assert {key: value for key, value in yaml.safe_load(changed).items() if key != "curate"} == {
        key: value for key, value in yaml.safe_load(text).items() if key != "curate"
    }


def test_a_comment_stays_in_its_column() -> None:
    text = with_setting(RECIPE, "size", "min_side_px", 1024)
    assert "    size: {min_side_px: 1024}     # thumbnails out" in text
    assert with_setting(text, "size", "min_side_px", 512) == RECIPE


def test_a_step_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match="no step `ocr`"):
        with_setting(RECIPE, "ocr", "max_words", 3)


def test_each_rule_finds_its_setting() -> None:
    steps = StepsConfig.model_validate(
        {
            "exposure": {},
            "colourfulness": {"min": 10, "max_quantile": 0.9, "max_grey_ratio": 0.5},
            "ocr": {"max_words": 5},
            "popularity": {"field": "likes", "min_quantile": 0.1},
            "appeal": {"min_quantile": 0.3},
            "sharpness": {"min": 0.5, "min_quantile": "target"},
        }
    )
    found = {name: rule_fields(name, step) for name, step in steps.items()}
    assert found["exposure"] == ["min_luma", "max_luma", "max_dark_clip_ratio", "max_bright_clip_ratio"]
    assert found["colourfulness"] == ["min", "max_quantile", "max_grey_ratio"]
    assert found["ocr"] == ["max_words", "max_text_area_ratio"]
    assert found["sharpness"] == ["min", "min_quantile"]
    assert found["popularity"] == found["appeal"] == ["min_quantile"]
    assert all(len(found[name]) == len(rules_for(name, step)) for name, step in steps.items())


def test_write_undo_and_what_was_seen(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    path.chmod(0o640)
    checked: list[str] = []
    file = RecipeFile(path, lambda written: checked.append(written.read_text()))
    change: list[tuple[str, str, float | int]] = [("appeal", "min_quantile", 0.25)]
    seen = file.changed(change)
    file.write(change, seen)
    assert path.read_text() == seen == checked[-1] and file.can_undo
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_text(seen + "# by hand\n")
    with pytest.raises(RecipeError, match="was changed after"):
        file.undo()
    with pytest.raises(RecipeError, match="changed since the difference"):
        file.write([("size", "min_side_px", 1)], seen)
    path.write_text(seen)
    assert file.undo() == RECIPE == path.read_text() and not file.can_undo


def test_a_text_that_is_no_recipe_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)

    def refuse(_: Path) -> None:
        raise RecipeError("no")

    file = RecipeFile(path, refuse)
    change: list[tuple[str, str, float | int]] = [("size", "min_side_px", 1)]
    with pytest.raises(RecipeError, match="no"):
        file.write(change, file.changed(change))
    assert path.read_text() == RECIPE and not file.can_undo and list(tmp_path.iterdir()) == [path]
