"""The pool as pre-training sees it, split by concept: decoded at the model's size, or as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from photogenic.core.errors import RunError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.train.config import PretrainConfig
from photogenic.train.data import InlineSquares, Pictures, PoolReader, held_out, load_pictures, read_sizes
from photogenic.train.distributed import current_world


@dataclass(frozen=True)
class Haystack:
    """All pictures that can be read, and which of them belong to held-out concepts."""

    pictures: Pictures
    is_validation: np.ndarray  # bool [N]
    reader: PoolReader  # of the pictures' bytes

    @cached_property
    def train(self) -> Pictures:
        return self.pictures.subset(np.flatnonzero(~self.is_validation))

    @cached_property
    def validation(self) -> Pictures:
        return self.pictures.subset(np.flatnonzero(self.is_validation))


def load_haystack(config: PretrainConfig, run: Run, split_seed: int) -> Haystack:
    """The whole pool, unfiltered: a base model must draw its haystack's average.

    With `diffusion.latents: inline` only sizes are read before the first step, else all is decoded.

    Raises:
        RunError: no picture is left to train on.
    """
    samples = list(iter_samples(read_table(run.folder / "pool" / "manifest")))
    cache = run.stage("pretrain") / "cache"
    is_inline = config.diffusion is not None and config.diffusion.latents == "inline"

    def loaded() -> Pictures:
        load = _inline if is_inline else _decoded
        return load(samples, config, run, cache)

    pictures = current_world().first(loaded)
    for sample_id, reason in pictures.unreadable.items():
        run.log.info("pretrain: left out %s: %s", sample_id, reason)
    is_validation = held_out(pictures.concepts, config.held_out_ratio, split_seed)
    if is_validation.all():
        raise RunError(
            f"There is nothing to train on: {len(pictures)} pictures of the pool can be read, and all of"
            " them show concepts that are held out.",
            "Add pictures, or lower `pretrain.held_out_ratio`.",
        )
    return Haystack(pictures, is_validation, _reader(samples, pictures.unreadable, run))


def _decoded(samples: Sequence[Sample], config: PretrainConfig, run: Run, cache: Path) -> Pictures:
    texts = [sample.alt_text for sample in samples]
    concepts = [_concept(sample, config) for sample in samples]
    return load_pictures(samples, texts, concepts, run.sources(), config.size_px, cache)


def _inline(samples: Sequence[Sample], config: PretrainConfig, run: Run, cache: Path) -> Pictures:
    sizes, unreadable = read_sizes(samples, run.sources(), cache)
    reader = _reader(samples, unreadable, run)
    kept = [sample for sample in samples if sample.sample_id not in unreadable]
    return Pictures(
        InlineSquares(reader, np.arange(len(kept)), config.size_px),
        sizes,
        tuple(sample.alt_text for sample in kept),
        tuple(sample.sample_id for sample in kept),
        tuple(_concept(sample, config) for sample in kept),
        unreadable,
    )


def _concept(sample: Sample, config: PretrainConfig) -> str:
    return str(sample.fields.get(config.concept_field) or sample.key)


def _reader(samples: Sequence[Sample], unreadable: Mapping[str, str], run: Run) -> PoolReader:
    def log(said: str) -> None:
        run.log.info("pretrain: %s", said)

    return PoolReader(run.sources(), [s for s in samples if s.sample_id not in unreadable], log)
