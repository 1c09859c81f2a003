"""The command: a model with prompts, or a recipe; options that would mean nothing are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.commands.evaluate import evaluate
from photogenic.commands.generate import generate
from photogenic.core.errors import PhotogenicError, RecipeError
from photogenic.generate.pictures import read_parameters


def test_a_model_draws_prompts_into_a_folder(tmp_path: Path, weights: dict[str, Path]) -> None:
    levers = {"interval": (0.0, 0.5), "cache_interval": 2}
    generate(
        str(weights["base"]), ["a red fox"], count=2, seed=1, out=tmp_path, steps=2, device="cpu", **levers
    )
    told = read_parameters(next((tmp_path / "base").glob("*-1.png")))
    assert told is not None and (told["guidance_interval"], told["cache_interval"]) == ([0.0, 0.5], 2)
    names = sorted(path.name for path in (tmp_path / "base").iterdir())
    assert len(names) == 4 and [name.rsplit("-", 1)[1] for name in names[:2]] == ["1.png", "2.png"]


def test_options_of_the_other_way_are_refused(tmp_path: Path, weights: dict[str, Path]) -> None:
    with pytest.raises(PhotogenicError, match="--set goes with a recipe"):
        generate(str(weights["base"]), ["a fox"], overrides=["a=b"])
    with pytest.raises(PhotogenicError, match="-n goes with prompts"):
        generate("emu-tiny.yaml", count=3)
    with pytest.raises(PhotogenicError, match="is a model or a run, and there is no prompt"):
        generate(str(weights["base"]))
    with pytest.raises(RecipeError, match="There is no recipe"):
        generate("absent.yaml")


def test_a_name_of_a_model_and_a_recipe_asks_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PhotogenicError, match="a model and a recipe; there is no prompt") as caught:
        generate("emu-tiny")
    assert 'photogenic generate emu-tiny "a red fox"' in caught.value.fix
    Path("runs/emu-tiny").mkdir(parents=True)
    with pytest.raises(PhotogenicError, match="`generate` reads what"):  # it is meant as a recipe
        generate("emu-tiny")


def test_evaluate_plans_without_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(plan=0.6, tie_ratio=0.3)
    assert "194 prompts that do not tie" in capsys.readouterr().out
    with pytest.raises(PhotogenicError, match="Nothing is named"):
        evaluate()
