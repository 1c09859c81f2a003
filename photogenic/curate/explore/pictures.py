"""Thumbnails on demand, drawn by a watched worker: a hostile file harms no page, nor does one that hangs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from photogenic.core.manifest import iter_samples
from photogenic.curate.explore.pool import ExploredPool
from photogenic.curate.thumbnails import thumbnails
from photogenic.engines.tasks import Engine

KEPT = 4000  # thumbnails in memory: some 20 MB


class Pictures:
    """Row -> picture and caption."""

    def __init__(self, pool: ExploredPool, engine: Engine, timeout_s: float) -> None:
        self._pool, self._engine, self._timeout_s = pool, engine, timeout_s
        self._sources = pool.run.sources()
        self._known: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()  # the engine serves one call at a time

    def of(self, rows: list[int]) -> dict[int, dict[str, Any]]:
        """`uri` (null where the file cannot be decoded), `key`, `text` and `id` of each row."""
        with self._lock:
            missing = [row for row in dict.fromkeys(rows) if row not in self._known]
            if missing:
                self._draw(missing)
            found = {row: self._known[row] for row in rows}
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    def _draw(self, rows: list[int]) -> None:
        samples = list(iter_samples(self._pool.manifest.take(rows)))
        uris = thumbnails(samples, self._sources, self._engine, timeout_s=self._timeout_s)
        for row, sample in zip(rows, samples, strict=True):
            self._known[row] = {
                "uri": uris.get(sample.sample_id),
                "id": sample.sample_id,
                "key": sample.key,
                "text": sample.alt_text,
            }
