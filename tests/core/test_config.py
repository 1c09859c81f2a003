"""Recipes are strict: each mistake is a sentence with its line and the nearest valid key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from photogenic.core.config import FolderName, StrictModel, as_folder_name, dump_config, load_config
from photogenic.core.errors import RecipeError


class Ocr(StrictModel):
    max_words: int = 8
    text_area: float | None = None


class Sharpness(StrictModel):
    kind: Literal["sharpness"] = "sharpness"
    min_sharpness: float = Field(default=0.1, ge=0, le=1)


class Aspect(StrictModel):
    kind: Literal["aspect"] = "aspect"
    max_ratio: float


Step = Annotated[Sharpness | Aspect, Field(discriminator="kind")]


class Quantile(StrictModel):
    quantile: float


class Curate(StrictModel):
    steps: dict[str, Ocr] = Field(default_factory=dict)
    ordered: list[Step] = Field(default_factory=list)
    ocr: Ocr | None = None
    threshold: float | Quantile = 0.5
    order: Literal["given", "optimised"] = "given"


class Tune(StrictModel):
    learning_rate: float
    weights: Path = Path("emu-tiny")

    @model_validator(mode="after")
    def _positive(self) -> Tune:
        if self.learning_rate <= 0:
            raise ValueError("the learning rate must be positive")
        return self


class Whole(StrictModel):
    name: str
    seed: int = 0
    curate: Curate = Curate()
    folder: FolderName = "here"
    sources: dict[str, Path] = Field({"a": Path("a")}, min_length=1)
    width: Annotated[float, Field(lt=1)] | Literal["target"] | None = None
    tune: Tune | None = None


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def sentence(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_config(write(folder, text), Whole, overrides)
    return caught.value.what.replace(f"{folder}/", "")


def test_a_recipe_is_read(tmp_path: Path) -> None:
    text = (
        "name: a\ncurate:\n  ocr: {max_words: 3}\n  threshold: {quantile: 0.9}\n"
        "tune:\n  learning_rate: 1e-4\n"
    )
    whole = load_config(write(tmp_path, text), Whole)
    assert whole.curate.ocr == Ocr(max_words=3)
    assert whole.curate.threshold == Quantile(quantile=0.9)
    assert whole.tune is not None and whole.tune.learning_rate == 1e-4


def test_scalars_follow_yaml_1_2(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "name: no\n"), Whole).name == "no"
    assert load_config(write(tmp_path, "name: 2024-01-01\n"), Whole).name == "2024-01-01"
    assert load_config(write(tmp_path, "name: '12'\nseed: 010\n"), Whole).seed == 10
    assert load_config(write(tmp_path, "name: a\nseed: 1__0_\n"), Whole).seed == 10
    assert load_config(write(tmp_path, "name: a\ntune:\n"), Whole).tune is None


def test_unknown_key_names_line_and_nearest(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  steps:\n    ocr:\n      max_wrods: 3\n"
    assert sentence(tmp_path, text) == (
        "recipe.yaml:5: unknown key `max_wrods` in curate.steps.ocr; did you mean `max_words`?"
    )


def test_unknown_key_at_the_top(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\ncurrate: {}\n") == (
        "recipe.yaml:2: unknown key `currate`; did you mean `curate`?"
    )


def test_unknown_key_far_from_all_lists_the_valid_ones(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  ocr:\n    zzz: 3\n"
    assert sentence(tmp_path, text) == (
        "recipe.yaml:4: unknown key `zzz` in curate.ocr; valid are `max_words`, `text_area`"
    )


def test_unknown_key_in_a_tagged_union(tmp_path: Path) -> None:
    text = (
        "name: a\ncurate:\n  ordered:\n    - {kind: aspect, max_ratio: 2}\n"
        "    - kind: sharpness\n      min_sharpnes: 1\n"
    )
    assert sentence(tmp_path, text) == (
        "recipe.yaml:6: unknown key `min_sharpnes` in curate.ordered.1; did you mean `min_sharpness`?"
    )


def test_unknown_tag(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  ordered:\n    - kind: sharpnes\n"
    assert sentence(tmp_path, text) == (
        "recipe.yaml:4: unknown kind `sharpnes` in `curate.ordered.0`; did you mean `sharpness`?"
    )


def test_unknown_key_in_a_branch_of_a_union(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  threshold:\n    quantil: 0.9\n"
    assert sentence(tmp_path, text).splitlines() == [
        "recipe.yaml:3: `curate.threshold` lacks the key `quantile`",
        "recipe.yaml:4: unknown key `quantil` in curate.threshold; did you mean `quantile`?",
    ]


def test_wrong_type_names_key_line_and_expectation(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  ocr:\n    max_words: many\n"
    assert sentence(tmp_path, text) == (
        "recipe.yaml:4: `curate.ocr.max_words` should be a valid integer, "
        "unable to parse string as an integer, not 'many'"
    )


def test_out_of_range_and_wrong_word(tmp_path: Path) -> None:
    text = "name: a\ncurate:\n  order: optimized\n  ordered:\n    - {kind: sharpness, min_sharpness: 7}\n"
    assert sentence(tmp_path, text).splitlines() == [
        "recipe.yaml:3: `curate.order` should be 'given' or 'optimised', not 'optimized'; "
        "did you mean `optimised`?",
        "recipe.yaml:5: `curate.ordered.0.min_sharpness` should be less than or equal to 1, not 7",
    ]


def test_missing_key(tmp_path: Path) -> None:
    assert sentence(tmp_path, "seed: 1\ntune:\n  weights: x\n").splitlines() == [
        "recipe.yaml:1: the recipe lacks the key `name`",
        "recipe.yaml:2: `tune` lacks the key `learning_rate`",
    ]


def test_a_models_own_check(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\ntune:\n  learning_rate: -1\n") == (
        "recipe.yaml:2: `tune`: the learning rate must be positive"
    )


def test_a_section_must_be_a_mapping(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\ncurate: yes please\n").startswith("recipe.yaml:2: `curate` should be")
    assert sentence(tmp_path, "- a\n- b\n") == "recipe.yaml:1: a recipe is a mapping of sections, not a list."


def test_a_value_that_no_branch_of_a_union_takes_is_one_mistake(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\nwidth: 1.5\n") == (
        "recipe.yaml:2: `width` should be less than 1, or be 'target', not 1.5"
    )
    assert sentence(tmp_path, "name: a\nwidth: taget\n").endswith("not 'taget'; did you mean `target`?")


def test_python_s_own_words_for_types_are_not_said(tmp_path: Path) -> None:
    assert sentence(
        tmp_path, "name: a\ncurate: 3\nsources: [1]\ntune: {learning_rate: 1, weights: []}\n"
    ) == (
        "recipe.yaml:2: `curate` should be a mapping, not 3\n"
        "recipe.yaml:3: `sources` should be a mapping, not a list\n"
        "recipe.yaml:4: `tune.weights` should be a path, not an empty list"
    )
    assert sentence(tmp_path, "name: a\nsources: {}\n") == (
        "recipe.yaml:2: `sources` should have 1 entry or more, not an empty mapping"
    )
    assert sentence(tmp_path, "just words\n").endswith("a mapping of sections, not a bare value.")


def test_a_folder_name_that_will_not_do_comes_with_one_that_will(tmp_path: Path) -> None:
    said = sentence(tmp_path, "name: a\nfolder: Ferien Überblick 2024\n")
    assert said.startswith("recipe.yaml:2: `folder`: ") and "such as `ferien-uberblick-2024`" in said
    assert as_folder_name("Große Fahrt/2") == "grosse-fahrt-2"
    assert as_folder_name("写真") == ""
    assert "such as" not in sentence(tmp_path, "name: a\nfolder: 写真\n")


def test_tabs_and_open_brackets_are_told_with_their_cure(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\ncurate:\n\tocr: {}\n") == (
        "recipe.yaml:3: this is not YAML: a tab stands where only spaces may: indent with spaces."
    )
    assert "that begins in line 2" in sentence(tmp_path, "name: a\ncurate: {ocr: {}\nseed: 3\n")


def test_duplicate_key(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: a\ncurate:\n  ocr: {}\n  ocr: {}\n") == (
        "recipe.yaml:4: `ocr` is given twice in curate; first in line 3."
    )


def test_not_yaml(tmp_path: Path) -> None:
    assert sentence(tmp_path, "name: [a\nseed: 1\n").startswith("recipe.yaml:2: this is not YAML: ")


def test_not_text_and_not_there(tmp_path: Path) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeError, match="not UTF-8"):
        load_config(tmp_path / "picture.yaml", Whole)
    with pytest.raises(RecipeError, match="No such file"):
        load_config(tmp_path / "absent.yaml", Whole)


def test_an_alias_that_contains_itself(tmp_path: Path) -> None:
    assert "contains itself" in sentence(tmp_path, "name: &a [*a]\n")


def test_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\ncurate:\n  ordered:\n    - {kind: aspect, max_ratio: 2}\n")
    overrides = [
        "curate.ocr.max_words=5",
        "curate.ordered.0.max_ratio=3.5",
        "tune.learning_rate=1e-5",
        "name=b=c",
    ]
    whole = load_config(path, Whole, overrides)
    assert whole.curate.ocr == Ocr(max_words=5)
    assert whole.curate.ordered == [Aspect(max_ratio=3.5)]
    assert whole.tune == Tune(learning_rate=1e-5)
    assert whole.name == "b=c"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("curate.ocr.max_wrods=5", "unknown key `max_wrods` in curate.ocr; did you mean `max_words`?"),
        ("name.first=x", "`name` is the value 'a' and has no key `first`."),
        ("curate.ocr", "an override has the form `section.key=value`."),
        ("curate..ocr=1", "an override has the form `section.key=value`."),
    ],
)
def test_wrong_overrides(tmp_path: Path, override: str, said: str) -> None:
    assert sentence(tmp_path, "name: a\n", override) == f"--set {override}: {said}"


def test_dump_reads_back(tmp_path: Path) -> None:
    whole = Whole(
        name="a: b", curate=Curate(threshold=Quantile(quantile=0.25)), tune=Tune(learning_rate=1e-5)
    )
    assert load_config(write(tmp_path, dump_config(whole)), Whole) == whole
