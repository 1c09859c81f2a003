"""Every recipe that comes with photogenic loads, and what is wrong with one's own is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.core.errors import RecipeError
from photogenic.core.prompts import read_prompts
from photogenic.curate.held_out import words_of
from photogenic.recipe import STAGES, find_recipe, load_recipe, packaged_recipes, write_resolved


def write(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", sorted(packaged_recipes()))
def test_a_packaged_recipe_loads_and_resolves_to_itself(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(find_recipe(name))
    assert recipe.name == name
    write_resolved(recipe, tmp_path)
    again = load_recipe(tmp_path / "recipe.resolved.yaml")
    assert again == recipe
    if recipe.curate is not None and again.curate is not None:
        assert again.curate.steps.order == recipe.curate.steps.order


def test_the_four_recipes_are_there() -> None:
    assert {"emu", "emu-tiny", "emu-tiny-pretrain", "sdxl"} <= packaged_recipes().keys()


def test_the_demo_has_every_stage_in_order() -> None:
    assert load_recipe(find_recipe("emu-tiny")).stages() == list(STAGES)
    lines = find_recipe("emu-tiny").read_text(encoding="utf-8").splitlines()
    sections = [line.partition(":")[0] for line in lines if line and line[0].isalpha()]
    assert sections == ["name", "seed", *STAGES]


def test_half_of_the_proofs_prompts_are_held_out_of_its_needles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    recipe = load_recipe(find_recipe("stickers"))
    assert recipe.generate is not None
    assert recipe.curate is not None
    step = recipe.curate.steps.held_out
    assert step is not None
    prompts = read_prompts(recipe.generate.prompts)
    assert step.prompts == recipe.generate.prompts
    held = {words_of(prompt.text) for prompt in prompts if prompt.challenge == step.challenge}
    rest = {words_of(prompt.text) for prompt in prompts if prompt.challenge != step.challenge}
    assert len(held) == len(rest) == 150
    blocked = {one for one in rest for other in held if f" {other} " in f" {one} "}
    assert not blocked, "what may be chosen is not dropped by a shorter name"


def test_recipes_are_found_by_path_and_by_name(tmp_path: Path) -> None:
    own = write(tmp_path, "name: own\n")
    assert find_recipe(str(own)) == own
    assert find_recipe("recipes/emu-tiny.yaml").name == "emu-tiny.yaml"
    with pytest.raises(RecipeError, match="Did you mean `emu-tiny`"):
        find_recipe("emu-tny")
    with pytest.raises(RecipeError, match="photogenic brings"):
        find_recipe("recipes/nothing-like-it.yaml")
    with pytest.raises(RecipeError, match="There is no recipe"):
        find_recipe("elsewhere/emu-tiny.yaml")
    with pytest.raises(RecipeError, match=f"Did you mean `{own}`"):
        find_recipe(str(own.with_name(f"{own.stem}s.yaml")))


def test_a_run_folder_is_no_recipe_and_has_one(tmp_path: Path) -> None:
    write_resolved(load_recipe(write(tmp_path, "name: own\n")), tmp_path)
    with pytest.raises(RecipeError, match="is a run folder") as caught:
        find_recipe(str(tmp_path))
    assert str(tmp_path / "recipe.resolved.yaml") in caught.value.fix


def test_a_wrong_key_deep_in_a_stage_is_named_with_its_line(tmp_path: Path) -> None:
    text = "name: own\npool: {sources: {mine: photos}}\ncurate:\n  steps:\n    ocr:\n      max_wrods: 3\n"
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text))
    assert caught.value.what.endswith(
        "own.yaml:6: unknown key `max_wrods` in curate.steps.ocr; did you mean `max_words`?"
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "name: own\nsede: 1\npool: {sources: {mine: {pth: photos}}}\ntune:\n  loop: {max_steps: soon}\n"
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text))
    places = [line.partition(": ")[0].rpartition("own.yaml:")[2] for line in caught.value.what.splitlines()]
    assert places == ["2", "3", "3", "5"]  # sede; pth, and path is missing; max_steps


def test_a_section_needs_those_before_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="`curate` builds on `pool`"):
        load_recipe(write(tmp_path, "name: own\ncurate: {}\n"))
    with pytest.raises(RecipeError, match="`tune` builds on `review`"):
        load_recipe(write(tmp_path, "name: own\ntune: {loop: {max_steps: 1}}\n"))


@pytest.mark.parametrize(
    ("steps", "review", "missing"),
    [
        ("{contrast: {min: 0.2}}", "{}", "appeal_score"),
        ("{contrast: {min: 0.2}}", "{by: {contrast: 1, noise_score: 2}}", "noise_score"),
        ("{contrast: {min: 0.2}}", "{by: {contrast: 1, clip_score: 2}}", None),  # of another scorer
        ("{duplicates: {}}", "{}", None),  # whose `keep` is appeal_score
        ("{contrast: {min: 0.2}}", "{decisions: people}", None),
    ],
)
def test_a_ranking_that_no_step_measures_is_told_beforehand(
    steps: str, review: str, missing: str | None, tmp_path: Path
) -> None:
    text = f"name: own\npool: {{sources: {{mine: photos}}}}\nreview: {review}\ncurate:\n  steps: {steps}\n"
    load_recipe(write(tmp_path, text))
    asking = write(tmp_path, text + "  pixel_measures: asked\n")
    if missing is None:
        load_recipe(asking)
    else:
        with pytest.raises(RecipeError, match=f"`review.by` ranks by `{missing}`.*`pixel_measures: all`"):
            load_recipe(asking)


def test_a_ranking_by_a_step_that_was_taken_out_is_told_beforehand(tmp_path: Path) -> None:
    text = "name: own\npool: {sources: {mine: photos}}\nreview: {by: finish_score}\ncurate:\n  steps: "
    load_recipe(write(tmp_path, text + "{finish: {min_quantile: 0.5}}\n"))
    with pytest.raises(RecipeError, match=r"`review\.by` ranks by `finish_score`"):
        load_recipe(write(tmp_path, text + "{contrast: {min: 0.2}}\n"))


def test_a_typo_in_a_ranking_is_told_beforehand(tmp_path: Path) -> None:
    text = "name: own\npool: {sources: {mine: photos}}\ncurate:\n  steps: {finish: {min: 1}}\nreview: {by: "
    with pytest.raises(RecipeError, match="no column `finishscore`; did you mean `finish_score`"):
        load_recipe(write(tmp_path, text + "finishscore}\n"))
    own = text.replace("{finish: {min: 1}}", "{mine: {scorer: m.py:f, min: 1, columns: [b, appeal_scores]}}")
    load_recipe(write(tmp_path, own + "appeal_scores}\n"))  # a column of one's own scorer is no typo
    load_recipe(write(tmp_path, text + "other_number}\n"))  # nobody knows what else a table may bring


def test_own_needles_need_no_funnel(tmp_path: Path) -> None:
    text = (
        f"name: own\nreview: {{decisions: {tmp_path}}}\n"
        "pretrain: {weights: emu-tiny}\ntune: {loop: {max_steps: 1}}\n"
    )
    recipe = load_recipe(write(tmp_path, text))
    assert recipe.stages() == ["review", "pretrain", "tune"]
    assert recipe.needs("tune") == ["review", "pretrain"]
    assert recipe.needs("review") == []


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="name"):
        load_recipe(write(tmp_path, f"name: '{name}'\n"))
