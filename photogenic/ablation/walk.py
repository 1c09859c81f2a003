"""Tune every variant, draw the same prompts from all, measure them against base and reference.

    RUN/<variant>/               an ordinary run folder: pool, review, tune
    RUN/generate/<variant>/      what it drew; base beside them
    RUN/evaluate/report.html     every variant against the base, measure by measure
    RUN/report.html, table.json  the ablation: one row per variant, with intervals

The same command goes on where it was stopped.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from photogenic.ablation.choose import choose, write_decisions
from photogenic.ablation.config import BASE, Ablations, Variant
from photogenic.ablation.report import Comparison, write_report
from photogenic.core.console import console
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.recipe import Recipe, find_recipe, load_recipe
from photogenic.review.config import ReviewConfig
from photogenic.road import Road, base_model, run_lock


@dataclass(frozen=True)
class Ablation:
    """A file of ablations on its way through its run folder."""

    config: Ablations
    run: Run
    workers: int = 1

    def walk(self) -> Path:
        """Do all that is not done; the report's path.

        Raises:
            RunError: the recipe's own road has not come to its needles.
        """
        recipe = load_recipe(find_recipe(self.config.recipe))
        whole = Run(self.config.run or Path("runs") / recipe.name)
        _check(recipe, whole, self.config.recipe)
        if self.config.compared_with() not in self.config.variants:
            raise RecipeError(f"`reference` names {self.config.reference!r}, which is no variant.")
        for name, variant in self.config.variants.items():
            console.print(f"[bold]{name}[/bold]")
            self._tune(name, variant, whole)
        self._draw(recipe)
        return self._compare(recipe)

    def _tune(self, name: str, variant: Variant, whole: Run) -> None:
        recipe = load_recipe(find_recipe(self.config.recipe), variant.set)
        run = Run(self.run.folder / name)
        shutil.copytree(whole.folder / "pool", run.stage("pool"), dirs_exist_ok=True)
        decisions = run.folder / "decisions.csv"
        pictures = choose(variant.pictures, self.config.by, whole, recipe.seed)
        write_decisions(decisions, pictures, f"ablation: {variant.pictures.take}")
        road = Road(_until_tuned(recipe, name, decisions), run, self.workers)
        for stage in ("review", "pretrain", "tune"):
            road.only(stage)

    def _draw(self, recipe: Recipe) -> None:
        from photogenic.generate.batch import generate

        if recipe.generate is None:
            raise RecipeError(f"{self.config.recipe} has no section `generate`.", "It says what is drawn.")
        models = {BASE: base_model(Road(recipe, self.run))}
        models |= {name: self.run.folder / name / "tune" / "model" for name in self.config.variants}
        with run_lock(self.run.folder):
            generate(recipe.generate, self.run, models=models, seed=recipe.seed)

    def _compare(self, recipe: Recipe) -> Path:
        from photogenic.evaluate.automatic import evaluate, measure_models
        from photogenic.evaluate.compare import Settings
        from photogenic.evaluate.config import EvaluateConfig
        from photogenic.evaluate.results import as_json

        config = recipe.evaluate or EvaluateConfig.model_validate({})
        evaluate(config.model_copy(update={"base": BASE}), self.run, seed=recipe.seed)
        reference = self.config.compared_with()
        settings = Settings(config.confidence, config.num_resamples, recipe.seed)
        against = measure_models(config.model_copy(update={"base": reference}), self.run, settings)
        comparison = Comparison(
            config=self.config,
            against_base=read_json(self.run.folder / "evaluate" / "measures.json"),
            against_reference=as_json(against),
            gates={name: read_json(self._gate(name)) for name in self.config.variants},
            num_pictures={name: self._num_needles(name) for name in self.config.variants},
        )
        return write_report(comparison, self.run)

    def _gate(self, name: str) -> Path:
        return self.run.folder / name / "tune" / "gate.json"

    def _num_needles(self, name: str) -> int:
        return int(read_table(self.run.folder / name / "review" / "needles.parquet", ["sample_id"]).num_rows)


def _check(recipe: Recipe, whole: Run, path: Path) -> None:
    if recipe.tune is None or recipe.pool is None:
        raise RecipeError(f"{path} has no section `tune` or no `pool`.", "An ablation varies a tuning.")
    needed = ["pool/sources.json", "curate/verdicts.parquet", "review/needles.parquet"]
    missing = [name for name in needed if not (whole.folder / name).exists()]
    if missing:
        raise RunError(
            f"{whole.folder} lacks {missing[0]}.",
            f"Run `photogenic run {path} --run {whole.folder}` first, at least up to `review`.",
        )


def _until_tuned(recipe: Recipe, name: str, decisions: Path) -> Recipe:
    """The variant's own recipe: the pool, decisions made elsewhere, the base, the tuning."""
    return recipe.model_copy(
        update={
            "name": name,
            "curate": None,
            "review": ReviewConfig(decisions=decisions),
            "generate": None,
            "evaluate": None,
        }
    )
