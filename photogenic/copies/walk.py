"""Draw names that the training set knows, and hold the drawings against its pictures.

    RUN/copies/generate/base/    the drawings
    RUN/copies/report.html, copies.json

The same command goes on where it was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photogenic.copies.findings import Findings
from photogenic.copies.gallery import Gallery, hang
from photogenic.copies.report import write_report
from photogenic.copies.rulers import Ruler, rulers
from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.weights import weights_folder
from photogenic.evaluate.compare import Settings
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.pictures import drawn_items, drawn_tables
from photogenic.evaluate.space import LEFT_OUT, Space, fits, open_space
from photogenic.generate.batch import generate
from photogenic.generate.config import GenerateConfig
from photogenic.measures.decode import decode, square
from photogenic.road import Road, base_model, run_lock
from photogenic.train.data import Pictures
from photogenic.train.haystack import Haystack, load_haystack
from photogenic.train.naming import known_prompts

MODEL = "base"
NUM_JUDGING = 500  # pictures by which it is judged whether the CLIP knows them
WITHOUT_CLIP = "Near-copies are told by hashes, and distances by pixels alone"


@dataclass(frozen=True)
class Check:
    """A run that has trained a base model, and what is drawn to look for copies."""

    road: Road
    num_prompts: int
    num_seeds: int
    model: str | None = None  # folder or name; by default the run's own base
    clip: str | None = None  # by default the recipe's `evaluate.clip`

    def walk(self) -> Path:
        """Do it; the report's path.

        Raises:
            RunError: the recipe trains no base model, its pool was not indexed, or nothing was held out.
        """
        with run_lock(self.road.run.folder):
            return self._compare(Run(self.road.run.folder / "copies"), self._haystack())

    def _haystack(self) -> Haystack:
        config, run = self.road.recipe.pretrain, self.road.run
        if config is None or not config.trains:
            raise RunError(
                f"The recipe {self.road.recipe.name} trains no base model.",
                "Name the recipe or the run that did, and with --model another model of the same training.",
            )
        if not (run.folder / "pool" / "manifest").exists():
            raise RunError(f"{run.folder} has no indexed pool.", "Run `photogenic pool RECIPE` first.")
        haystack = load_haystack(config, run, split_seed=0)
        if not haystack.is_validation.any() or haystack.is_validation.all():
            raise RunError(
                f"Of {len(haystack.pictures)} pictures none is held out, or all are.",
                "There is nothing to compare with; `pretrain.held_out_ratio` says how many are held out.",
            )
        return haystack

    def _compare(self, run: Run, haystack: Haystack) -> Path:
        config = self.road.recipe.evaluate or EvaluateConfig.model_validate({})
        space, remark = _fitting_space(self.clip or config.clip, haystack.train)
        known = rulers(space)
        drawn = self._draw(run, known, space, haystack.train)
        findings = Findings(
            drawn=drawn,
            training=hang(haystack.train, known, space, "training pictures"),
            held_out=hang(haystack.validation, known, space, "held-out pictures"),
            rulers=known,
            limits=config.near_copy,
            settings=Settings(config.confidence, config.num_resamples, self.road.recipe.seed),
        )
        return write_report(findings, run, self._model().name, config.num_shown, remark)

    def _model(self) -> Path:
        return base_model(self.road) if self.model is None else weights_folder(self.model)

    def _draw(self, run: Run, known: list[Ruler], space: Space | None, training: Pictures) -> Gallery:
        recipe = self.road.recipe
        prompts = tuple(known_prompts(training.texts, recipe.seed)[: self.num_prompts])
        changes = {"prompts": prompts, "num_images_per_prompt": self.num_seeds, "models": {}}
        config = (recipe.generate or GenerateConfig(prompts=prompts)).model_copy(update=changes)
        generate(config, run, models={MODEL: self._model()}, seed=recipe.seed)
        table = drawn_tables(run)[MODEL]
        size_px = training.rgb.shape[1]
        rgb = [
            square(decode(item.read(), min_long_side_px=size_px).rgb, size_px)
            for item in drawn_items(run, MODEL, table)
        ]
        texts = tuple(table["prompt"].to_pylist())
        names = tuple(table["image_id"].to_pylist())
        sizes = np.full((len(rgb), 2), size_px, np.int32)
        pictures = Pictures(np.stack(rgb), sizes, texts, names, texts)
        return hang(pictures, known, space, "drawings", once=False)


def _fitting_space(name: str | None, training: Pictures) -> tuple[Space | None, str]:
    """The CLIP, if there is one that knows what training pictures show; else why not."""
    space, remark = open_space(name)
    if space is not None:
        rows = np.unique(np.linspace(0, len(training) - 1, NUM_JUDGING).astype(np.int64))
        some = training.subset(rows)
        pictures = list(some.rgb[np.arange(len(some))])
        fit, remark = fits(space, space.clip.embed_images(pictures), some.texts)
        space = space if fit else None
    reason = remark.removeprefix(f"{LEFT_OUT}: ")
    return space, reason if space is not None or not reason else f"{WITHOUT_CLIP}: {reason}"
