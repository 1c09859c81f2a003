from pathlib import Path

import pytest
import yaml

from photogenic.core.config import StrictModel, dump_config, load_config
from photogenic.core.errors import RecipeError
from photogenic.core.shards import FOR_FINGERPRINT, fingerprint
from photogenic.curate.asked import pixels_for
from photogenic.curate.config import DEFAULT_STEPS, CurateConfig, StepsConfig
from photogenic.curate.roster import inputs
from photogenic.curate.scorers import pixel_scorer, watermark_scorer


class Recipe(StrictModel):
    curate: CurateConfig


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


TWO_STEPS = """
curate:
  steps:
    ocr: {max_words: 2}
    size: {min_side_px: 64}
"""


def test_steps_keep_the_order_of_the_recipe(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, TWO_STEPS), Recipe).curate
    assert config.steps.order == ("ocr", "size")
    assert [name for name, _ in config.steps.items()] == ["ocr", "size"]
    again = load_config(recipe(tmp_path, dump_config(Recipe(curate=config))), Recipe).curate
    assert again == config
    assert again.steps.order == ("ocr", "size")


def test_overrides_reach_into_steps_and_null_takes_one_out(tmp_path: Path) -> None:
    overrides = ["curate.steps.ocr.max_words=5", "curate.steps.size=null", "curate.steps.aspect.max_ratio=3"]
    steps = load_config(recipe(tmp_path, TWO_STEPS), Recipe, overrides).curate.steps
    assert steps.order == ("ocr", "aspect")
    assert steps.ocr is not None and steps.ocr.max_words == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ocrr: {max_words: 2}", "`ocr`"),
        ("ocr: {max_wrods: 2}", "`max_words`"),
        ("sharpness: {min_quantil: 0.1}", "`min_quantile`"),
        ("unsafe: {max_prob: 2}", "less than or equal to 1"),
        ("select: {by: appeal_score}", "num"),
        ("contrast: {}", "at least one bound"),
        ("popularity: {field: likes}", "at least one bound"),
    ],
)
def test_a_wrong_step_is_a_sentence_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = recipe(tmp_path, f"curate:\n  steps:\n    {text}\n")
    with pytest.raises(RecipeError) as caught:
        load_config(path, Recipe)
    assert said in caught.value.what
    assert "recipe.yaml:3" in caught.value.what


def test_the_default_is_a_funnel_for_photographs() -> None:
    config = CurateConfig()
    assert config.steps.order == tuple(DEFAULT_STEPS)
    assert yaml.safe_load(dump_config(config))["steps"]["ocr"]["max_words"] == 5


def test_every_setting_is_described() -> None:
    kinds = [CurateConfig, *(field.annotation for field in StepsConfig.model_fields.values())]
    models = {
        kind for union in kinds for kind in getattr(union, "__args__", (union,)) if kind is not type(None)
    }
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_how_pixels_are_measured_is_part_of_the_key() -> None:
    known = str(inputs(CurateConfig()))
    assert pixel_scorer().folder_name in known and watermark_scorer().folder_name not in known
    asking = CurateConfig.model_validate({"steps": {"watermark": {"max": 13}}})
    assert watermark_scorer().folder_name in str(inputs(asking))
    fewer = CurateConfig.model_validate({"steps": {"contrast": {"min": 0.2}}, "pixel_measures": "asked"})
    assert pixel_scorer().folder_name not in str(inputs(fewer))


def test_a_setting_that_came_later_leaves_older_runs_done() -> None:
    fewer = CurateConfig.model_validate({"pixel_measures": "asked"})
    assert "pixel_measures" not in CurateConfig().model_dump(mode="json", context=FOR_FINGERPRINT)
    assert fingerprint(CurateConfig()) != fingerprint(fewer)
    assert yaml.safe_load(dump_config(CurateConfig()))["pixel_measures"] == "all"


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        ({"size": {}, "ocr": {}}, {"decoder"}),
        ({"contrast": {"min": 0.2}, "sharpness": {"min": 1}}, {"decoder", "contrast", "sharpness_score"}),
        ({"duplicates": {"keep": "contrast"}}, {"decoder", "contrast", "phash"}),
        ({"select": {"num": 5}}, {"decoder", "appeal_score"}),
        ({"mine": {"step": "column", "name": "noise_score", "max": 3}}, {"decoder", "noise_score"}),
        ({"mine": {"filter": "any.py:f", "columns": ["cast_score"]}}, {"decoder", "cast_score"}),
    ],
)
def test_what_steps_ask_of_pixels(steps: dict[str, object], asked: set[str]) -> None:
    config = CurateConfig.model_validate({"steps": steps, "pixel_measures": "asked"})
    assert set(pixels_for(config).columns) == asked
    assert pixels_for(CurateConfig.model_validate({"steps": steps})) is pixel_scorer()
