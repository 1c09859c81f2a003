"""Pictures shown to the base model, and the signals of its attention kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photogenic.ablation.config import Attention
from photogenic.core.console import Advance, progress
from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.manifest import POOL_SCHEMA, iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import Sources, atomic_path, fingerprint, read_table
from photogenic.core.weights import folder_fingerprint
from photogenic.measures.decode import Picture, decode, square

Signals = NDArray[np.float32]  # [layers, words]
SIGNALS_VERSION = 1  # raised when the same pictures would give other signals
PICTURES_AT_ONCE = 32  # one pass of the model
PICTURES_A_FILE = 512  # what a kill costs at most
DECODED_AT = 2  # times the model's size: enough for a clean reduction


def signals_of(
    config: Attention, run: Run, base: Path, folder: Path, ids: Sequence[str], seed: int
) -> Mapping[str, Signals]:
    """sample_id -> signals, of those that can be read; what `folder` has of them is taken from there."""
    key = fingerprint(SIGNALS_VERSION, config.prompt, config.noise_level, folder_fingerprint(base), seed)
    kept = folder / key
    found: dict[str, Signals] = {}
    for path in sorted(kept.glob("*.npz")):
        with np.load(path) as stored:
            found |= dict(zip(stored["sample_ids"].tolist(), stored["signals"], strict=True))
    missing = sorted(set(ids) - found.keys())
    if missing:
        seer = _Seer.open(config, base, run.sources(), seed)
        table = _rows(run, missing)
        with progress("watching attention", table.num_rows) as advance:
            for begin in range(0, table.num_rows, PICTURES_A_FILE):
                part = dict(seer.see(list(iter_samples(table.slice(begin, PICTURES_A_FILE))), advance))
                _keep(kept, part)
                found |= part
    return {one: found[one] for one in ids if one in found}


def _keep(folder: Path, part: Mapping[str, Signals]) -> None:
    if not part:
        return
    with (
        atomic_path(folder / f"{fingerprint(*part)}.npz") as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(file, sample_ids=np.array(list(part)), signals=np.stack(list(part.values())))


def _rows(run: Run, ids: Sequence[str]) -> pa.Table:
    """The pool's rows of these pictures, by id."""
    pool = read_table(run.folder / "pool" / "manifest", POOL_SCHEMA.names)
    return pool.filter(pc.is_in(pool["sample_id"], pa.array(ids, pa.string()))).sort_by("sample_id")


@dataclass(frozen=True)
class _Seer:
    """The base model, and what all pictures are shown with."""

    pipeline: Any
    prompt: Any  # a Condition of one row
    noise_level: float
    size_px: int
    sources: Sources
    seed: int

    @staticmethod
    def open(config: Attention, base: Path, sources: Sources, seed: int) -> _Seer:
        import torch

        from photogenic.models.checkpoint import load_pipeline
        from photogenic.models.families import encode_texts
        from photogenic.models.sampling import default_size_px

        pipeline = load_pipeline(base, device="cuda" if torch.cuda.is_available() else "cpu")
        prompt = encode_texts(pipeline, [config.prompt])
        return _Seer(pipeline, prompt, config.noise_level, default_size_px(pipeline), sources, seed)

    def see(self, samples: Sequence[Sample], advance: Advance) -> Iterator[tuple[str, Signals]]:
        """(sample_id, signals) of the pictures that can be read."""
        for begin in range(0, len(samples), PICTURES_AT_ONCE):
            part = samples[begin : begin + PICTURES_AT_ONCE]
            opened = [(one, picture) for one in part if (picture := self._opened(one)) is not None]
            if opened:
                yield from zip((one.sample_id for one, _ in opened), self._pass(opened), strict=True)
            advance(len(part))

    def _opened(self, sample: Sample) -> Picture | None:
        try:
            return decode(self.sources.read(sample.locator), min_long_side_px=DECODED_AT * self.size_px)
        except (DecodeError, StorageError):
            return None

    def _pass(self, opened: Sequence[tuple[Sample, Picture]]) -> Signals:
        """[B, layers, words]. A short batch is filled up: kernels depend on the number of rows."""
        import torch

        from photogenic.models.attention import attention_signals
        from photogenic.models.families import encode_pixels
        from photogenic.train.data import to_tensor

        filled = [*opened, *[opened[-1]] * (PICTURES_AT_ONCE - len(opened))]
        rgb = np.stack([square(picture.rgb, self.size_px) for _, picture in filled])
        latents = encode_pixels(self.pipeline, to_tensor(rgb)).cpu()
        noise = torch.stack([self._noise(sample, latents.shape[1:]) for sample, _ in filled])
        sizes = [(picture.height_px, picture.width_px) for _, picture in filled]
        signals = attention_signals(self.pipeline, latents, self.prompt, noise, sizes, self.noise_level)
        seen: Signals = signals[: len(opened)].numpy()
        return seen

    def _noise(self, sample: Sample, shape: Sequence[int]) -> Any:
        """A picture's own, whatever else is shown."""
        import torch

        generator = torch.Generator().manual_seed(seed_for(self.seed, "attention", sample.sample_id))
        return torch.randn(tuple(shape), generator=generator)
