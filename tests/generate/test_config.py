"""What a recipe may say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from photogenic.core.config import load_config
from photogenic.core.errors import RecipeError
from photogenic.generate.config import GenerateConfig
from photogenic.generate.settings import FamilyWay


def read(tmp_path: Path, text: str) -> GenerateConfig:
    path = tmp_path / "generate.yaml"
    path.write_text(text)
    return load_config(path, GenerateConfig)


def test_prompts_are_a_file_or_a_list(tmp_path: Path) -> None:
    assert read(tmp_path, "prompts: prompts/emu-tiny.txt").prompts == Path("prompts/emu-tiny.txt")
    assert read(tmp_path, "prompts: [a cat, a dog]").prompts == ("a cat", "a dog")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompts: []", "the list of prompts is empty"),
        ("prompts: [a]\nguidance: 3", "did you mean `guidance_scale`"),
        ("prompts: [a]\nguidance_rescale: 1.5", "less than or equal to 1"),
        ("prompts: [a]\nmodels: {../other: x}", "cannot be a path"),
        ("num_images_per_prompt: 2", "lacks the key `prompts`"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read(tmp_path, text)


def test_what_the_family_decides_is_called_its_own() -> None:
    """`FamilyWay` fills what is left open, so no description may promise a default of its own."""
    for field in fields(FamilyWay):
        described = GenerateConfig.model_fields[field.name].description
        assert described is not None and "by default the family's" in described, field.name


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generate.md").read_text(encoding="utf-8")
    assert [name for name in GenerateConfig.model_fields if f"| `{name}` |" not in page] == []
