"""Folders -> the pool manifest: one row per picture, before a byte of any picture is read."""

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
from photogenic.curate.readers import plain, read_folder, walk


def index(config: PoolConfig, run: Run) -> pa.Table:
    """Write RUN/pool/manifest/*.parquet and, last, RUN/pool/sources.json; return the manifest.

    Rows are sorted by (source, member), so the result does not depend on the order in which files are listed.

    Raises:
        RunError: a source is missing or empty, or the run folder lies inside a source.
    """
    roots = source_roots(config)
    _refuse_run_inside(roots, run)
    folder = run.stage("pool")
    (folder / "sources.json").unlink(missing_ok=True)  # its existence means that the manifest is complete
    left_out: Counter[str] = Counter()
    num_shards = _write_shards(folder / "manifest", _samples(config, roots, left_out), config.rows_per_shard)
    for reason, count in sorted(left_out.items()):
        run.log.info("pool: left out %d: %s", count, reason)
    if not num_shards:
        raise RunError(
            f"There is no picture in {', '.join(map(str, roots.values()))}.", "Check the paths under `pool`."
        )
    write_json(folder / "sources.json", {name: str(root) for name, root in roots.items()})
    table = read_table(folder / "manifest")
    run.log.info("pool: %d samples in %d shards", table.num_rows, num_shards)
    return table


def source_roots(config: PoolConfig) -> dict[str, Path]:
    """Name -> absolute folder, sorted by name.

    Raises:
        RunError: a folder is not there.
    """
    roots = {name: source.path.expanduser().resolve() for name, source in sorted(config.sources.items())}
    for name, root in roots.items():
        if not root.is_dir():
            raise RunError(
                f"The pool's source {name!r} is not there: {root} is no folder.",
                f"Set `pool.sources.{name}.path` to a folder of pictures"
                " (a relative path starts at the working directory).",
            )
    return roots


def listing_fingerprint(config: PoolConfig) -> str:
    """Changes with every file that is added, removed or rewritten below a source (path, size, mtime)."""
    digest = hashlib.sha256()
    roots = source_roots(config)
    for name, root in roots.items():
        for found in walk(root, Counter()):
            digest.update(f"{name}\0{found.member}\0{found.size_bytes}\0{found.mtime_ns}\n".encode())
    return fingerprint(config, roots, digest.hexdigest())


def pool_table(samples: Iterable[Sample]) -> pa.Table:
    """Samples as a table of POOL_SCHEMA."""
    rows = [_row(sample) for sample in samples]
    return pa.Table.from_pylist(rows, schema=POOL_SCHEMA)


def _row(sample: Sample) -> dict[str, object]:
    fields = json.dumps(plain(sample.fields), sort_keys=True, ensure_ascii=False)
    return {name: getattr(sample, name) for name in POOL_SCHEMA.names} | {"fields": fields}


def _samples(config: PoolConfig, roots: dict[str, Path], left_out: Counter[str]) -> Iterator[Sample]:
    for name, root in roots.items():
        yield from read_folder(name, root, config.sources[name], left_out)


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


def _refuse_run_inside(roots: dict[str, Path], run: Run) -> None:
    for name, root in roots.items():
        if run.folder.resolve().is_relative_to(root):
            raise RunError(
                f"The run folder {run.folder} lies inside the pool's source {name!r} ({root}):"
                " what the run draws would become part of the haystack.",
                "Put the run elsewhere with --run.",
            )
