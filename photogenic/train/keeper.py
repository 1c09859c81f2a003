"""What the gate saw of each checkpoint, and the weights that it saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from photogenic.core.shards import atomic_path, read_json, write_json
from photogenic.train.distributed import current_world
from photogenic.train.files import save_tensors
from photogenic.train.post_hoc import Snapshots
from photogenic.train.sharding import put, whole
from photogenic.train.stopping import Gate, GateRow


class PostHoc(NamedTuple):
    """Stored averages, and the lengths that the gate tries."""

    snapshots: Snapshots
    lengths: tuple[float, ...]


class Keeper:
    """Draws and measures each checkpoint; keeps pictures, measures and weights, to choose from and to resume.

    With averages post hoc each length is tried; the weights are then made of the snapshots when they are
    wanted, and not kept a second time.
    """

    def __init__(
        self,
        pipeline: DiffusionPipeline,
        parameters: Mapping[str, nn.Parameter],
        gate: Gate,
        folder: Path,
        post_hoc: PostHoc | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.parameters = dict(parameters)
        self.gate = gate
        self.folder = folder
        self.post_hoc = post_hoc

    def see(self, global_step: int) -> dict[str, float]:
        """Draw, measure and keep the model as it is now, or as averages of each length; what to log."""
        if self.post_hoc is None or global_step == 0:
            return self._look(global_step, None)
        logged: dict[str, float] = {}
        for length in self.post_hoc.lengths:
            error = self.post_hoc.snapshots.load(length, global_step)
            measured = self._look(global_step, length) | {"profile_error": error}
            logged |= {f"{name}_{length}": value for name, value in measured.items()}
        best = max(self.post_hoc.lengths, key=lambda length: logged[f"quality_{length}"])
        return {
            name.rpartition("_")[0]: logged[name] for name in logged if name.endswith(f"_{best}")
        } | logged

    def rows(self) -> list[GateRow]:
        """What was seen, the base first."""
        rows = []
        for path in sorted(self.folder.glob("*.json")):
            step, _, length = path.stem.partition("-")
            measured = read_json(path)
            sigma_rel = float(length) if length else None
            others = {name: measured.get(name) for name in ("generality", "diversity", "distance")}
            qualities = tuple(measured["qualities"])
            rows.append(
                GateRow(int(step), measured["quality"], sigma_rel=sigma_rel, qualities=qualities, **others)
            )
        return rows

    @torch.no_grad()
    def restore(self, global_step: int, sigma_rel: float | None) -> None:
        """Put the weights of a checkpoint back into the pipeline."""
        if self.post_hoc is not None:
            self.post_hoc.snapshots.load(sigma_rel or self.post_hoc.lengths[0], global_step)
            return
        stored = load_file(self._path(global_step, None, "safetensors"))
        for name, parameter in self.parameters.items():
            put(parameter, stored[name])

    def _look(self, global_step: int, sigma_rel: float | None) -> dict[str, float]:
        row, drawn = self.gate.look(self.pipeline, global_step)
        seen = {name: getattr(row, name) for name in ("quality", "generality", "diversity", "distance")}
        measured = {name: value for name, value in seen.items() if value is not None}
        weights = {}
        if self.post_hoc is None:
            weights = {name: whole(p.detach()).cpu().contiguous() for name, p in self.parameters.items()}
        if not current_world().is_main:  # split weights are drawn with by all processes, and kept by one
            return measured
        self.folder.mkdir(parents=True, exist_ok=True)
        if weights:
            save_tensors(weights, self._path(global_step, sigma_rel, "safetensors"))
        with atomic_path(self._path(global_step, sigma_rel, "png")) as temporary:
            Image.fromarray(_grid(drawn)).save(temporary, format="png")
        told = measured | {"qualities": row.qualities}
        write_json(self._path(global_step, sigma_rel, "json"), told)  # last: its existence means complete
        return measured

    def _path(self, global_step: int, sigma_rel: float | None, suffix: str) -> Path:
        length = "" if sigma_rel is None else f"-{sigma_rel}"
        return self.folder / f"{global_step:07d}{length}.{suffix}"


def _grid(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures in rows of eight; the last row is filled up with white."""
    columns = min(8, len(pictures))
    blank = np.full_like(pictures[0], 255)
    filled = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.concatenate(filled[i : i + columns], axis=1) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)
