"""Quality-tuning: a short, well-stopped fine-tuning of a base model on the needles (Emu, section 3.3).

Needles and captions pass the frozen encoders once; only the U-Net learns. Every checkpoint is drawn and
measured, and the gate, not the loss, says which one becomes RUN/tune/model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from photogenic.core.console import console
from photogenic.core.errors import PhotogenicError, RunError
from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import atomic_path, fingerprint, read_json, read_table, write_json
from photogenic.core.weights import folder_fingerprint
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.families import encode_pixels, training_scheduler
from photogenic.models.sampling import default_size_px
from photogenic.train.config import TuneConfig
from photogenic.train.data import Pictures, load_pictures, to_tensor
from photogenic.train.further import save_beside
from photogenic.train.loop import train
from photogenic.train.noise import NoiseSchedule
from photogenic.train.objectives.diffusion import DiffusionObjective, LatentSet
from photogenic.train.stopping import Gate, GateRow, choose, gate_record
from photogenic.train.text import CachedText, size_conditioning


def tune(config: TuneConfig, run: Run, *, base: Path, seed: int) -> Path:
    """Tune `base` on RUN/review/needles.parquet; returns RUN/tune/model.

    Raises:
        RunError: there are no needles, or some cannot be read (they are named before the first step).
    """
    folder = run.stage("tune")
    needles = read_table(run.folder / "review" / "needles.parquet")
    pipeline = load_pipeline(base, device="cuda" if torch.cuda.is_available() else "cpu")
    pictures = load_needles(needles, run, default_size_px(pipeline), config)
    key = fingerprint("tune", config, folder_fingerprint(base), pictures.sample_ids, pictures.texts, seed)
    keeper = _Keeper(pipeline, Gate(config.gate, base, seed), folder, key)
    keeper.see(0)
    objective = make_objective(config, pipeline, pictures, seed)
    train(
        objective,
        config.loop,
        folder,
        key=key,
        seed=seed,
        description="quality-tuning",
        on_checkpoint=keeper.see,
    )
    choice = choose(keeper.rows(), config.gate.max_generality_loss)
    write_json(
        folder / "gate.json", gate_record(keeper.rows(), choice, config.gate, keeper.gate.clip_missing)
    )
    console.print(choice.sentence)
    run.log.info("tune: %s", choice.sentence)
    keeper.restore(choice.chosen_step)
    return save_beside(pipeline, base, folder / "model")


def load_needles(needles: pa.Table, run: Run, size_px: int, config: TuneConfig) -> Pictures:
    """All needles at the model's size. None is ever left out: what cannot be read is named, before step 0."""
    if needles.num_rows == 0:
        raise RunError("There are no needles to tune on.", "Loosen the funnel, or raise review.num_needles.")
    samples = list(iter_samples(needles))
    captions = [caption or "" for caption in needles["caption"].to_pylist()]
    keys = [sample.key for sample in samples]
    cache = run.stage("tune") / "cache"
    pictures = load_pictures(samples, captions, keys, run.sources(), size_px, cache, fit=config.fit)
    if pictures.unreadable:
        names = {sample.sample_id: f"{sample.source}/{sample.member}" for sample in samples}
        lines = [f"  {names[sample_id]}: {reason}" for sample_id, reason in pictures.unreadable.items()]
        raise RunError(
            f"{len(lines)} of {len(samples)} needles cannot be read:\n" + "\n".join(lines),
            "Restore these files, or take them out of the needles.",
        )
    return pictures


def make_objective(
    config: TuneConfig, pipeline: DiffusionPipeline, pictures: Pictures, seed: int
) -> DiffusionObjective:
    """Everything through the frozen encoders once; only the U-Net stays trainable."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    unet = _trainable_unet(pipeline)
    schedule = NoiseSchedule.of(training_scheduler(pipeline))
    validation = _validation_rows(pictures, config.num_validation, seed)
    return DiffusionObjective(
        unet,
        unet,
        CachedText(pipeline, pictures.texts),
        _encode(pipeline, pictures),
        np.flatnonzero(~validation),
        np.flatnonzero(validation),
        schedule,
        config.loss,
        seed,
    )


def _trainable_unet(pipeline: DiffusionPipeline) -> UNet2DConditionModel:
    unet = getattr(pipeline, "unet", None)
    if unet is None:
        raise PhotogenicError(
            f"A {type(pipeline).__name__} has no U-Net to tune.", "Name a model of another family."
        )
    return unet.requires_grad_(True).train()


def _encode(pipeline: DiffusionPipeline, pictures: Pictures) -> LatentSet:
    size_px = pictures.rgb.shape[1]
    at_a_time = max(
        1, 2**20 // size_px**2
    )  # about a megapixel: the autoencoder's activations are the largest of all
    latents = [
        encode_pixels(pipeline, to_tensor(pictures.rgb[first : first + at_a_time])).cpu()
        for first in range(0, len(pictures), at_a_time)
    ]
    return LatentSet(torch.cat(latents), size_conditioning(pictures.sizes, size_px), pictures.sample_ids)


def _validation_rows(pictures: Pictures, num_validation: int, seed: int) -> NDArray[np.bool_]:
    """The needles of the validation loss; at most a tenth of them, for every needle is precious."""
    number = min(num_validation, len(pictures) // 10)
    order = sorted(range(len(pictures)), key=lambda i: seed_for(seed, "validation", pictures.sample_ids[i]))
    chosen = np.zeros(len(pictures), dtype=bool)
    chosen[order[: max(1, number)]] = True
    return chosen if len(pictures) > 1 else ~chosen


class _Keeper:
    """Keeps each checkpoint's averaged U-Net and what the gate saw, for choosing and for resuming."""

    def __init__(self, pipeline: DiffusionPipeline, gate: Gate, folder: Path, key: str) -> None:
        self.pipeline = pipeline
        self.gate = gate
        self.folder = folder / "checkpoints" / f"gate-{key}"

    def see(self, global_step: int) -> dict[str, float]:
        """Draw, measure and keep the model as it is now; answers what to log."""
        self.pipeline.unet.eval()
        row, drawn = self.gate.look(self.pipeline, global_step)
        self.pipeline.unet.train()
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._path(global_step, "safetensors")) as temporary:
            save_file(
                {name: t.contiguous() for name, t in self.pipeline.unet.state_dict().items()}, temporary
            )
        with atomic_path(self._path(global_step, "png")) as temporary:
            Image.fromarray(_grid(drawn)).save(temporary, format="png")
        measured = {"quality": row.quality} | (
            {} if row.generality is None else {"generality": row.generality}
        )
        write_json(self._path(global_step, "json"), measured)  # last: its existence means complete
        return measured

    def rows(self) -> list[GateRow]:
        """What was seen, the base first."""
        rows = []
        for path in sorted(self.folder.glob("*.json")):
            measured = read_json(path)
            rows.append(GateRow(int(path.stem), measured["quality"], measured.get("generality")))
        return rows

    def restore(self, global_step: int) -> None:
        """Put the weights of a checkpoint back into the pipeline."""
        self.pipeline.unet.load_state_dict(load_file(self._path(global_step, "safetensors")))

    def _path(self, global_step: int, suffix: str) -> Path:
        return self.folder / f"{global_step:07d}.{suffix}"


def _grid(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures in rows of eight; the last row is filled up with white."""
    columns = min(8, len(pictures))
    blank = np.full_like(pictures[0], 255)
    filled = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.concatenate(filled[i : i + columns], axis=1) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)
