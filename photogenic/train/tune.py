"""Quality-tuning: a short, well-stopped fine-tuning of a base model on the needles (Emu, section 3.4).

Needles and captions pass the frozen encoders once; only the denoiser learns, or low-rank matrices beside its
own. Every checkpoint is drawn and measured, and the gate, not the loss, says which becomes RUN/tune/model.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import fingerprint, read_table, write_json
from photogenic.core.tombstones import read_tombstones
from photogenic.core.weights import folder_fingerprint
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.compiled import compiled
from photogenic.models.families import denoiser_of, training_scheduler
from photogenic.models.lora import add_lora, merge_lora, save_lora
from photogenic.models.sampling import default_size_px
from photogenic.train.config import TuneConfig
from photogenic.train.distributed import current_world, own_device
from photogenic.train.encode import EncodedNeedles, encode_needles
from photogenic.train.further import save_beside
from photogenic.train.keeper import Keeper, PostHoc
from photogenic.train.loop import train, trainable
from photogenic.train.noise import Process, process_of
from photogenic.train.objectives.diffusion import DiffusionObjective
from photogenic.train.order import mark_of_repeats
from photogenic.train.post_hoc import Snapshots
from photogenic.train.sharding import is_sharded, shard
from photogenic.train.stopping import Gate, choose, gate_record
from photogenic.train.text import CachedText

GATE = "gate"  # begins the name of the folder of what the gate saw; the key of the tuning follows


class Tuning(NamedTuple):
    """The parts of a tuning."""

    pipeline: DiffusionPipeline
    process: Process
    needles: EncodedNeedles
    module: torch.nn.Module  # what learns
    key: str  # of all that decides about the weights
    keeper: Keeper


def tune(config: TuneConfig, run: Run, *, base: Path, seed: int) -> Path:
    """Tune `base` on RUN/review/needles.parquet; returns RUN/tune/model.

    With `config.lora` the low-rank matrices lie in RUN/tune/lora too, and RUN/tune/model has them merged in.

    Raises:
        RunError: there are no needles, or some cannot be read (they are named before the first step).
        RecipeError: the loss cannot be had on the base's noise schedule.
    """
    folder, world = run.stage("tune"), current_world()
    opened = open_tuning(config, run, base=base, seed=seed)
    pipeline, needles, keeper = opened.pipeline, opened.needles, opened.keeper
    if world.is_main or is_sharded(opened.module):
        keeper.see(0)
    validation = validation_rows(needles.data.sample_ids, config.num_validation, seed)
    objective = DiffusionObjective(
        opened.module,
        opened.module,
        CachedText(needles.text, pipeline.device),
        needles.data,
        np.flatnonzero(~validation),
        np.flatnonzero(validation),
        opened.process,
        config.loss,
        seed,
    )
    with compiled(opened.module, config.loop.compile):
        train(
            objective,
            config.loop,
            folder,
            key=opened.key,
            seed=seed,
            description="quality-tuning",
            on_checkpoint=keeper.see,
            snapshots=None if keeper.post_hoc is None else keeper.post_hoc.snapshots,
        )
    if world.is_main:
        kept = keeper if not is_sharded(opened.module) else _whole_keeper(config, base, keeper.folder, seed)
        _conclude(config, run, kept, base)
    world.wait()
    return folder / "model"


def open_tuning(config: TuneConfig, run: Run, *, base: Path, seed: int) -> Tuning:
    """What a tuning has before its first step, and finds again after its last.

    Raises:
        RunError, RecipeError: as `tune`.
    """
    pipeline = load_frozen(base)
    process = process_of(training_scheduler(pipeline), config.loss)
    needles = load_needles(config, run, pipeline, base)
    module = _learner(config, pipeline, seed)
    if config.loop.sharded and current_world().size > 1:
        shard(module)
    num_learnt = len(needles.uids) - int(
        validation_rows(needles.data.sample_ids, config.num_validation, seed).sum()
    )
    # Which of the checkpoints is kept changes nothing of what is learnt: another choice trains nothing again.
    learnt = config.model_dump(mode="json", exclude={"gate": {"max_generality_loss", "within_errors"}})
    key = fingerprint(
        *("tune", learnt, folder_fingerprint(base), needles.uids, needles.captions, seed),
        *mark_of_repeats(config.loop.batch_size, num_learnt),
    )
    keeper = _keeper(config, pipeline, base, run.stage("tune") / "checkpoints" / f"{GATE}-{key}", seed)
    return Tuning(pipeline, process, needles, module, key, keeper)


def encode(config: TuneConfig, run: Run, *, base: Path) -> EncodedNeedles:
    """Fill the cache that tuning reads: needles and captions through the frozen encoders of `base`.

    Raises:
        RunError: there are no needles, or some cannot be read; all of those are named.
    """
    return load_needles(config, run, load_frozen(base), base)


def load_frozen(base: Path) -> DiffusionPipeline:
    """The base with nothing trainable, and the denoiser in float32, whatever it was stored in."""
    pipeline = load_pipeline(base, device=own_device())
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    denoiser_of(pipeline).float()
    return pipeline


def load_needles(config: TuneConfig, run: Run, pipeline: DiffusionPipeline, base: Path) -> EncodedNeedles:
    """All needles, encoded; of several processes the first one fills the cache."""
    path = run.folder / "review" / "needles.parquet"
    if not path.exists():
        raise RunError(f"{run.folder} has no needles yet.", "Run `photogenic review RECIPE` first.")
    table = read_tombstones(run.folder).without(read_table(path))
    size_px, world = default_size_px(pipeline), current_world()

    def encoded() -> EncodedNeedles:
        return encode_needles(table, run, pipeline, base, size_px, fit=config.fit, stored=config.cache_dtype)

    return world.first(encoded)


def _learner(config: TuneConfig, pipeline: DiffusionPipeline, seed: int) -> torch.nn.Module:
    """The denoiser, with all of its weights to learn or only the low-rank ones beside them."""
    if config.lora is None:
        return denoiser_of(pipeline).requires_grad_(True).train()
    lora = config.lora
    alpha = float(lora.rank) if lora.alpha is None else lora.alpha
    learner = add_lora(
        pipeline, rank=lora.rank, alpha=alpha, targets=lora.targets, seed=seed_for(seed, "lora")
    )
    return learner.train()


def _keeper(config: TuneConfig, pipeline: DiffusionPipeline, base: Path, folder: Path, seed: int) -> Keeper:
    parameters = trainable(denoiser_of(pipeline))
    chosen, post_hoc = config.ema.post_hoc, None
    if chosen is not None:
        every = chosen.every or config.loop.checkpoint_every
        post_hoc = PostHoc(Snapshots(folder / "averages", parameters, every), chosen.lengths)
    gate = Gate(config.gate, base, seed, config.loop.precision)
    return Keeper(pipeline, parameters, gate, folder, post_hoc)


def _whole_keeper(config: TuneConfig, base: Path, folder: Path, seed: int) -> Keeper:
    """What was seen of a model that was split over processes, with one that is not to put the weights in."""
    pipeline = load_frozen(base)
    _learner(config, pipeline, seed)
    return _keeper(config, pipeline, base, folder, seed)


def _conclude(config: TuneConfig, run: Run, keeper: Keeper, base: Path) -> None:
    """Let the gate choose, and save what it chose."""
    folder, rows = run.stage("tune"), keeper.rows()
    choice = choose(rows, config.gate.max_generality_loss, config.gate.within_errors)
    write_json(folder / "gate.json", gate_record(rows, choice, config.gate, keeper.gate.clip_missing))
    console.print(choice.sentence)
    run.log.info("tune: %s", choice.sentence)
    keeper.restore(choice.chosen_step, choice.sigma_rel)
    if config.lora is not None:
        save_lora(keeper.pipeline, folder / "lora")
        merge_lora(keeper.pipeline)
    save_beside(keeper.pipeline, base, folder / "model")
    for other in keeper.folder.parent.glob(f"{GATE}-*"):
        if other != keeper.folder:  # of a recipe that has changed: weights that nothing chooses from
            shutil.rmtree(other)


def validation_rows(sample_ids: Sequence[str], num_validation: int, seed: int) -> NDArray[np.bool_]:
    """The needles of the validation loss; at most a tenth of them, for every needle is precious."""
    count = len(sample_ids)
    number = min(num_validation, count // 10)
    order = sorted(range(count), key=lambda i: seed_for(seed, "validation", sample_ids[i]))
    chosen = np.zeros(count, dtype=bool)
    chosen[order[: max(1, number)]] = True
    return chosen if count > 1 else ~chosen
