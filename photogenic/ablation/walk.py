"""Tune every variant, draw the same prompts from all, measure them against base and reference.

    RUN/<variant>/               an ordinary run folder: pool, review, tune; its model, where it is another
    RUN/attention/               the ranking by the base model's attention, where a variant asks for it
    RUN/generate/<variant>/      what it drew; base beside them
    RUN/evaluate/report.html     every variant against the base, measure by measure
    RUN/report.html, table.json  the ablation: one row per variant, with intervals
    RUN/figure.svg               its figure alone

The same command goes on where it was stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photogenic.ablation.attention import attention_scores
from photogenic.ablation.choose import Haystack, choose, write_decisions
from photogenic.ablation.config import BASE, Ablations, Variant
from photogenic.ablation.rankings import compare_rankings
from photogenic.ablation.report import Comparison, write_report
from photogenic.core.console import console
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.core.shards import fingerprint, is_done, mark_done, read_json, read_table, write_json
from photogenic.recipe import Recipe, find_recipe, load_recipe
from photogenic.review.config import ReviewConfig
from photogenic.road import Road, base_model, run_lock

if TYPE_CHECKING:
    from photogenic.evaluate.compare import Settings
    from photogenic.evaluate.config import EvaluateConfig
    from photogenic.evaluate.results import Results


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
        _check(self.recipe, self.haystack.run, self.config.recipe)
        if {one.pictures.take for one in self.config.variants.values()} & {"worst", "best", "attention"}:
            _ = self.haystack.measured  # raises before anything is tuned, and not when its turn comes
        self.run.folder.mkdir(parents=True, exist_ok=True)
        tuned = [name for name, variant in self.config.variants.items() if variant.of is None]
        reference = self.config.compared_with()
        for name in sorted(tuned, key=lambda name: name != reference):  # all others may go by its gate
            console.print(f"[bold]{name}[/bold]")
            self._tune(name, self.config.variants[name])
        models = {BASE: self.base} | {name: self._model(name) for name in self.config.variants}
        self._draw(models)
        return self._compare()

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with the changes for all variants."""
        return load_recipe(find_recipe(self.config.recipe), self.config.set)

    @cached_property
    def haystack(self) -> Haystack:
        whole = Run(self.config.run or Path("runs") / self.recipe.name)
        return Haystack(whole, self.recipe.curate, self.config.by, self.recipe.seed)

    @cached_property
    def base(self) -> Path:
        return base_model(Road(self.recipe, self.haystack.run))

    @cached_property
    def attention(self) -> Mapping[str, float]:
        """sample_id -> score; empty where no variant asks."""
        if not any(variant.pictures.take == "attention" for variant in self.config.variants.values()):
            return {}
        with run_lock(self.run.folder):
            folder = self.run.stage("attention")
            return attention_scores(self.config.attention, self.haystack, self.base, folder)

    def _tune(self, name: str, variant: Variant) -> None:
        run = Run(self.run.folder / name)
        shutil.copytree(self.haystack.run.folder / "pool", run.stage("pool"), dirs_exist_ok=True)
        decisions = run.folder / "decisions.csv"
        pictures = choose(variant.pictures, self.haystack, self.attention)
        write_decisions(decisions, pictures, f"ablation: {variant.pictures.take}")
        _share(self.run.stage("encoded"), run.stage("tune") / "encoded")
        road = Road(self._road_of(name), run, self.workers)
        for stage in ("review", "pretrain", "tune"):
            road.only(stage)

    def _road_of(self, name: str) -> Recipe:
        """A tuned variant's own recipe: the pool, decisions made elsewhere, the base, the tuning."""
        changes = (*self.config.set, *self.config.variants[name].set)
        recipe = load_recipe(find_recipe(self.config.recipe), changes)
        return recipe.model_copy(
            update={
                "name": name,
                "curate": None,
                "review": ReviewConfig(decisions=self.run.folder / name / "decisions.csv"),
                "generate": None,
                "evaluate": None,
            }
        )

    def _model(self, name: str) -> Path:
        """The model that a variant draws with: its gate's choice, or one that its tuning passed by."""
        variant, source = self.config.variants[name], self.config.source(name)
        step, run = self.step_of(name), Run(self.run.folder / source)
        if step == self._gate(source)["chosen_step"] and variant.ema_sigma_rel is None:
            return run.folder / "tune" / "model"
        folder = self.run.folder / name / "model"
        tuned = run.folder / "tune" / "done.json"
        key = fingerprint("remade", read_json(tuned), step, variant.ema_sigma_rel)
        if not is_done(folder, key):
            from photogenic.train.remade import remake

            recipe = self._road_of(source)
            if recipe.tune is None:
                raise RecipeError(f"{self.config.recipe} has no section `tune`.")
            shutil.rmtree(folder, ignore_errors=True)
            remake(
                recipe.tune,
                run,
                base=self.base,
                seed=recipe.seed,
                global_step=step,
                sigma_rel=variant.ema_sigma_rel,
                folder=folder,
            )
            mark_done(folder, key)
        return folder

    def step_of(self, name: str) -> int:
        """The step at which a variant's model is taken; its tuning has been done.

        Where all go by the reference, and that kept its base, each goes by its own gate.
        """
        variant = self.config.variants[name]
        if variant.step is not None:
            return variant.step
        common = (
            self._gate(self.config.compared_with())["chosen_step"] if self.config.at == "reference" else 0
        )
        return int(common or self._gate(self.config.source(name))["chosen_step"])

    def _draw(self, models: Mapping[str, Path]) -> None:
        from photogenic.generate.batch import generate

        if self.recipe.generate is None:
            raise RecipeError(f"{self.config.recipe} has no section `generate`.", "It says what is drawn.")
        with run_lock(self.run.folder):
            generate(self.recipe.generate, self.run, models=models, seed=self.recipe.seed)

    def _compare(self) -> Path:
        from photogenic.evaluate.automatic import evaluate, measure_models
        from photogenic.evaluate.compare import Settings
        from photogenic.evaluate.config import EvaluateConfig
        from photogenic.evaluate.results import as_json

        config = self.recipe.evaluate or EvaluateConfig.model_validate({})
        evaluate(config.model_copy(update={"base": BASE}), self.run, seed=self.recipe.seed)
        reference = self.config.compared_with()
        settings = Settings(config.confidence, config.num_resamples, self.recipe.seed)
        against = measure_models(config.model_copy(update={"base": reference}), self.run, settings)
        variants = self.config.variants
        comparison = Comparison(
            config=self.config,
            against_base=read_json(self.run.folder / "evaluate" / "measures.json"),
            against_reference=as_json(against),
            gates={name: self._gate(name) for name in variants if variants[name].of is None},
            steps={name: self.step_of(name) for name in variants},
            num_pictures={name: self._num_needles(self.config.source(name)) for name in variants},
            rankings=self._rankings(),
            own_copies=self._own_copies(against, config, settings),
        )
        return write_report(comparison, self.run)

    def _own_copies(
        self, results: Results, config: EvaluateConfig, settings: Settings
    ) -> dict[str, dict[str, Any] | None]:
        from photogenic.ablation.copying import looks_of_tuned, own_copies
        from photogenic.evaluate.space import open_space

        space, _ = open_space(config.clip)
        sources = {name: self.config.source(name) for name in self.config.variants}
        tuned_on = {}
        for source in dict.fromkeys(sources.values()):
            tune = self._road_of(source).tune
            run = Run(self.run.folder / source)
            looks = None if tune is None else looks_of_tuned(run, tune.fit, results.size_px, space)
            if looks is not None:
                tuned_on[source] = looks
        return own_copies(sources, tuned_on, results.drawn, config.near_copy, settings)

    def _rankings(self) -> dict[str, Any] | None:
        if not self.attention:
            return None
        found = compare_rankings(self.haystack, self.attention, self.config.attention.num_sampled)
        write_json(self.run.folder / "attention" / "rankings.json", found)
        return found

    def _gate(self, name: str) -> dict[str, Any]:
        gate: dict[str, Any] = read_json(self.run.folder / name / "tune" / "gate.json")
        return gate

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


def _share(encoded: Path, link: Path) -> None:
    """All variants' encoded pictures and captions in one folder: they go by content, none is done twice."""
    if link.is_dir() and not link.is_symlink():
        return  # of a run that is older than the sharing
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(encoded, link.parent), target_is_directory=True)
