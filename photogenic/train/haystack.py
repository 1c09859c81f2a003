"""The pool as pre-training sees it: decoded at the model's size, split by concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from photogenic.core.manifest import iter_samples
from photogenic.core.records import Locator
from photogenic.core.run import Run
from photogenic.core.shards import Sources, read_table
from photogenic.train.config import PretrainConfig
from photogenic.train.data import Pictures, held_out, load_pictures
from photogenic.train.distributed import current_world


@dataclass(frozen=True)
class Haystack:
    """All pictures that can be decoded, and which of them belong to held-out concepts."""

    pictures: Pictures
    is_validation: np.ndarray  # bool [N]
    locators: Sequence[Locator]  # where the pictures' bytes lie in `sources`
    sources: Sources

    @cached_property
    def train(self) -> Pictures:
        return self.pictures.subset(np.flatnonzero(~self.is_validation))

    @cached_property
    def validation(self) -> Pictures:
        return self.pictures.subset(np.flatnonzero(self.is_validation))


def load_haystack(config: PretrainConfig, run: Run, split_seed: int) -> Haystack:
    """The whole pool, unfiltered: a base model must draw its haystack's average."""
    samples = list(iter_samples(read_table(run.folder / "pool" / "manifest")))
    texts = [sample.alt_text for sample in samples]
    concepts = [str(sample.fields.get(config.concept_field) or sample.key) for sample in samples]
    cache = run.stage("pretrain") / "cache"

    def decoded() -> Pictures:
        return load_pictures(samples, texts, concepts, run.sources(), config.size_px, cache)

    pictures = current_world().first(decoded)
    for sample_id, reason in pictures.unreadable.items():
        run.log.info("pretrain: left out %s: %s", sample_id, reason)
    readable = [sample.locator for sample in samples if sample.sample_id not in pictures.unreadable]
    is_validation = held_out(pictures.concepts, config.held_out_ratio, split_seed)
    return Haystack(pictures, is_validation, readable, run.sources())
