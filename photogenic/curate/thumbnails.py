"""Small pictures for a report, drawn by the same workers that scored: a hostile file harms no page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.records import Sample
from photogenic.core.shards import Sources
from photogenic.core.storage import Root
from photogenic.engines.tasks import Engine, Failure

SIZE_PX = 112
SAMPLES_PER_TASK = 16


@dataclass(frozen=True)
class ThumbnailTask:
    """Samples to be shown."""

    samples: tuple[Sample, ...]
    roots: dict[str, Root]

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.samples[start:stop], self.roots)


def draw(task: ThumbnailTask, beat: Callable[[], None]) -> dict[str, str]:
    """sample_id -> `data:` URI of those that can be decoded."""
    from photogenic.measures.decode import decode
    from photogenic.web.page import thumbnail_uri

    sources, uris = Sources(task.roots), {}
    for sample in task.samples:
        try:
            picture = decode(sources.read(sample.locator), min_long_side_px=2 * SIZE_PX)
            uris[sample.sample_id] = thumbnail_uri(picture.rgb, SIZE_PX)
        except (DecodeError, StorageError):
            pass  # the report says so in words; there is nothing to show
        beat()
    return uris


def thumbnails(
    samples: Iterable[Sample], sources: Sources, engine: Engine, *, timeout_s: float
) -> dict[str, str]:
    """sample_id -> `data:` URI of all samples that can be decoded."""
    samples = tuple(samples)
    starts = range(0, len(samples), SAMPLES_PER_TASK)
    tasks = (ThumbnailTask(samples[start : start + SAMPLES_PER_TASK], sources.roots) for start in starts)
    uris: dict[str, str] = {}
    for _, result in engine.map(draw, tasks, timeout_s=timeout_s):
        if not isinstance(result, Failure):
            uris |= result
    return uris
