"""Sources -> the pool manifest: one row per picture, before a byte of any picture is read."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import fingerprint, read_table, write_json, write_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.formats import Place, places, read_source
from photogenic.curate.readers import plain


def index(config: PoolConfig, run: Run) -> pa.Table:
    """Write RUN/pool/manifest/*.parquet and, last, RUN/pool/sources.json; return the manifest.

    Rows are sorted by (source, member), so the result does not depend on the order in which files are listed.

    Raises:
        RunError: a source is missing or empty, or the run folder lies inside a source.
    """
    sources = places(config)
    _refuse_run_inside(sources, run)
    folder = run.stage("pool")
    (folder / "sources.json").unlink(missing_ok=True)  # its existence means that the manifest is complete
    left_out: Counter[str] = Counter()
    samples = itertools.chain.from_iterable(read_source(place, left_out) for place in sources)
    num_shards = _write_shards(folder / "manifest", samples, config.rows_per_shard)
    for reason, count in sorted(left_out.items()):
        run.log.info("pool: left out %d: %s", count, reason)
    if not num_shards:
        raise RunError(
            f"There is no picture in {', '.join(str(place.path) for place in sources)}.",
            "Check the paths under `pool`; RUN/log.txt says what was left out.",
        )
    write_json(folder / "sources.json", {place.name: str(place.path) for place in sources})
    table = read_table(folder / "manifest")
    run.log.info("pool: %d samples in %d shards", table.num_rows, num_shards)
    return table


def listing_fingerprint(config: PoolConfig) -> str:
    """Changes with every file that is added, removed or rewritten below a source (path, size, mtime)."""
    digest = hashlib.sha256()
    sources = places(config)
    for place in sources:
        for found in place.listed():
            digest.update(f"{place.name}\0{found.member}\0{found.size_bytes}\0{found.mtime_ns}\n".encode())
    return fingerprint(config, {place.name: place.root for place in sources}, digest.hexdigest())


def pool_table(samples: Iterable[Sample]) -> pa.Table:
    """Samples as a table of POOL_SCHEMA."""
    rows = [_row(sample) for sample in samples]
    return pa.Table.from_pylist(rows, schema=POOL_SCHEMA)


def _row(sample: Sample) -> dict[str, object]:
    fields = json.dumps(plain(sample.fields), sort_keys=True, ensure_ascii=False)
    return {name: getattr(sample, name) for name in POOL_SCHEMA.names} | {"fields": fields}


def _write_shards(folder: Path, samples: Iterator[Sample], rows_per_shard: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for number in itertools.count():
        rows = list(itertools.islice(samples, rows_per_shard))
        if not rows:
            break
        path = folder / f"{number:05d}.parquet"
        write_table(path, pool_table(rows))
        written.add(path)
    for stale in set(folder.iterdir()) - written:
        stale.unlink()
    return len(written)


def _refuse_run_inside(sources: list[Place], run: Run) -> None:
    for place in sources:
        if run.folder.resolve().is_relative_to(place.path):
            raise RunError(
                f"The run folder {run.folder} lies inside the pool's source {place.name!r} ({place.path}):"
                " what the run draws would become part of the haystack.",
                "Put the run elsewhere with --run.",
            )
