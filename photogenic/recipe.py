"""The recipe: the stages' own configurations, composed into one file that reads from top to bottom."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from photogenic.core.config import FolderName, StrictModel, dump_config, load_config
from photogenic.core.errors import RecipeError
from photogenic.core.names import RESOLVED
from photogenic.core.shards import atomic_path
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.evaluate.config import EvaluateConfig
from photogenic.generate.config import GenerateConfig
from photogenic.review.config import ReviewConfig
from photogenic.train.config import PretrainConfig, TuneConfig

STAGES = ("pool", "curate", "review", "pretrain", "tune", "generate", "evaluate")

PACKAGE = Path(__file__).parent
PACKAGED = (PACKAGE / "recipes", PACKAGE.parent / "recipes")  # installed; in a checkout
ABLATIONS = "ablations"  # lies beside the recipes, and is a file of variants of one


class Recipe(StrictModel):
    """One section per stage; a stage whose section is left out is not part of the road."""

    name: FolderName = Field(description="Names the run folder: runs/<name>.")
    seed: int = Field(0, ge=0, lt=2**31, description="Everything drawn at random begins here.")
    pool: PoolConfig | None = Field(None, description="The haystack: folders of pictures.")
    curate: CurateConfig | None = Field(None, description="The funnel: haystack -> candidates.")
    review: ReviewConfig | None = Field(None, description="Who decides: candidates -> needles.")
    pretrain: PretrainConfig | None = Field(None, description="The base model, made or taken.")
    tune: TuneConfig | None = Field(None, description="Quality-tuning of the base model on the needles.")
    generate: GenerateConfig | None = Field(
        None, description="Pictures from each model: same prompts, same seeds."
    )
    evaluate: EvaluateConfig | None = Field(
        None, description="Measures of the pictures, model against model."
    )

    def stages(self) -> list[str]:
        """The stages that have a section, in their order."""
        return [name for name in STAGES if getattr(self, name) is not None]

    def needs(self, stage: str) -> list[str]:
        """The stages whose results `stage` reads, as far as this recipe has them."""
        return [
            name for name in STAGES if name in self._needs(stage) and getattr(self, name, None) is not None
        ]

    def _needs(self, stage: str) -> dict[str, bool]:
        """Stage -> whether `stage` cannot do without it."""
        takes_weights = self.pretrain is not None and not self.pretrain.trains
        needs: dict[str, dict[str, bool]] = {
            "pool": {},
            "curate": {"pool": True},
            "review": {"pool": False, "curate": self.review is not None and self.review.decisions == "auto"},
            "pretrain": {} if takes_weights else {"pool": True},
            "tune": {"review": True, "pretrain": True},
            "generate": {"pretrain": True, "tune": False},
            "evaluate": {"generate": True, "review": False},
        }
        return needs[stage]

    @model_validator(mode="after")
    def _road_is_whole(self) -> Self:
        for stage in self.stages():
            for needed, cannot_do_without in self._needs(stage).items():
                if cannot_do_without and getattr(self, needed) is None:
                    raise ValueError(
                        f"the section `{stage}` builds on `{needed}`, and there is no such section"
                    )
        return self

    @model_validator(mode="after")
    def _ranking_is_measured(self) -> Self:
        if self.review is None or self.review.decisions != "auto" or self.curate is None:
            return self
        by = [self.review.by] if isinstance(self.review.by, str) else self.review.by
        measures_all = self.curate.pixel_measures == "all"
        if measures_all and set(by) <= {"appeal_score"}:
            return self
        from photogenic.curate.asked import lacking, meant  # with numpy, which most recipes do not need here

        for name, near in meant(self.curate, by).items():
            raise ValueError(f"`review.by`: there is no column `{name}`; did you mean `{near}`?")
        if missing := lacking(self.curate, by):
            raise ValueError(
                f"`review.by` ranks by `{missing[0]}`, which is not measured, because no step of `curate`"
                " reads it: add a step that does, or rank by a column that one reads"
                + ("" if measures_all else " (with `pixel_measures: all` every pixel column is measured)")
            )
        return self


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe; `overrides` are of the form "curate.steps.ocr.max_words=5".

    Raises:
        RecipeError: all that is wrong with it, each mistake with its line.
    """
    return load_config(path, Recipe, overrides)


def write_resolved(recipe: Recipe, folder: Path) -> None:
    """Save the recipe, every default filled in, as `folder/recipe.resolved.yaml`: a recipe itself."""
    with atomic_path(folder / RESOLVED) as temporary:
        temporary.write_text(dump_config(recipe), encoding="utf-8")


def find_recipe(name: str | Path) -> Path:
    """A file, or else one of the recipes that come with photogenic: `emu-tiny` or `recipes/emu-tiny.yaml`.

    Raises:
        RecipeError: neither is there.
    """
    path = Path(name)
    if path.is_file():
        return path
    packaged = packaged_recipes()
    stem = path.stem if path.parent.name in ("", "recipes") else ""
    if stem in packaged:
        return packaged[stem]
    if (path / RESOLVED).is_file():
        raise RecipeError(
            f"{path} is a run folder; this command takes a recipe.",
            f"Name the recipe that the run was made with, or {path / RESOLVED}, which has all of it.",
        )
    beside = {file.name: str(file) for file in path.parent.glob("*.y*ml")}
    near = [beside[name] for name in difflib.get_close_matches(path.name, beside, n=1)]
    near = near or difflib.get_close_matches(path.stem, packaged, n=1)
    brought = f"photogenic brings: {', '.join(sorted(packaged))}. `photogenic init FOLDER` writes one."
    raise RecipeError(f"There is no recipe {path}.", f"Did you mean `{near[0]}`?" if near else brought)


def packaged_recipes() -> dict[str, Path]:
    """Name -> file of the recipes that come with photogenic."""
    folder = next((folder for folder in PACKAGED if folder.is_dir()), PACKAGED[0])
    return {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.stem != ABLATIONS}
