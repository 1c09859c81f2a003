"""Sources -> the pool manifest: one row per picture, before a byte of any picture is read."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.records import Sample
from photogenic.core.run import OWN_NEEDLES, Run
from photogenic.core.shards import fingerprint, read_json, read_table, write_json, write_table
from photogenic.core.storage import root_as_json
from photogenic.core.tombstones import read_tombstones
from photogenic.curate.config import PoolConfig
from photogenic.curate.formats import Place, places, read_source
from photogenic.curate.left_out import Survey, write_left_out
from photogenic.curate.metadata import plain
from photogenic.curate.rewritten import forget, rewritten

LEFT_OUT = "left_out.parquet"
ASIDE = "sources.aside.json"  # while sources.json is not there


def index(config: PoolConfig, run: Run) -> pa.Table:
    """As write_manifest; return the manifest."""
    write_manifest(config, run)
    return read_table(run.folder / "pool" / "manifest")


def write_manifest(config: PoolConfig, run: Run) -> int:
    """Write RUN/pool/manifest/*.parquet and, last, RUN/pool/sources.json; return the number of shards.

    Rows are sorted by (source, member), so the result does not depend on the order in which files are listed.

    Raises:
        RunError: a source is missing or empty, or the run folder lies inside a source.
    """
    sources = places(config)
    _refuse_run_inside(sources, run)
    folder = run.stage("pool")
    beside = _kept_aside(folder, sources)
    (folder / "sources.json").unlink(missing_ok=True)  # its existence means that the manifest is complete
    surveys = {place.name: Survey(place.name) for place in sources}
    found = itertools.chain.from_iterable(_samples_of(place, surveys[place.name]) for place in sources)
    samples = read_tombstones(run.folder).living(found)
    num_shards = _write_shards(folder / "manifest", samples, config.rows_per_shard)
    for reason, count in sorted(sum(surveys.values(), Counter()).items()):
        run.log.info("pool: left out %d: %s", count, reason)
    write_left_out(folder / LEFT_OUT, surveys.values())
    if not num_shards:
        raise RunError(
            f"There is no picture in {', '.join(str(place.path) for place in sources)}.",
            "Check the paths under `pool`; RUN/log.txt says what was left out.",
        )
    _forget_rewritten(surveys.values(), run)
    roots = {place.name: root_as_json(place.path) for place in sources}
    write_json(folder / "sources.json", roots | beside)
    (folder / ASIDE).unlink(missing_ok=True)
    run.log.info("pool: %d shards of up to %d samples", num_shards, config.rows_per_shard)
    return num_shards


def listing_fingerprint(config: PoolConfig) -> str:
    """Changes with every file that is added, removed or rewritten below a source (path, size, mtime)."""
    digest = hashlib.sha256()
    sources = places(config)
    for place in sources:
        for found in place.listed():
            digest.update(f"{place.name}\0{found.member}\0{found.size_bytes}\0{found.version}\n".encode())
    return fingerprint(config, {place.name: str(place.root) for place in sources}, digest.hexdigest())


def pool_table(samples: Iterable[Sample]) -> pa.Table:
    """Samples as a table of POOL_SCHEMA."""
    rows = [_row(sample) for sample in samples]
    return pa.Table.from_pylist(rows, schema=POOL_SCHEMA)


def _row(sample: Sample) -> dict[str, object]:
    fields = "{}"
    if sample.fields:
        fields = json.dumps(plain(sample.fields), sort_keys=True, ensure_ascii=False)
    return {name: getattr(sample, name) for name in POOL_SCHEMA.names} | {"fields": fields}


def _samples_of(place: Place, survey: Survey) -> Iterator[Sample]:
    """The samples of a source. One that has none, among others that have some, is hardly meant."""
    is_empty = True
    for sample in read_source(place, survey):
        is_empty = False
        yield sample
    if is_empty:
        told = f"pool: there is no picture in the source {place.name!r}; RUN/log.txt says what was left out"
        console.print(told, markup=False)


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


def _kept_aside(folder: Path, sources: list[Place]) -> dict[str, Any]:
    """The roots in sources.json that are not the pool's own, safe from a kill while the pool is indexed."""
    for name in ("sources.json", ASIDE):
        if (folder / name).exists():
            roots = dict(read_json(folder / name))
            kept = {OWN_NEEDLES: roots[OWN_NEEDLES]} if OWN_NEEDLES in roots else {}
            write_json(folder / ASIDE, kept)
            return {
                name: root for name, root in kept.items() if name not in {place.name for place in sources}
            }
    return {}


def _forget_rewritten(surveys: Iterable[Survey], run: Run) -> None:
    path = run.stage("pool") / "listing.parquet"
    now = pa.concat_tables([survey.versions() for survey in surveys])
    if path.exists() and (gone := rewritten(read_table(path), now, path.with_name("manifest"))):
        forget(run.folder / "curate", gone)
        run.log.info("pool: %d pictures were rewritten", len(gone))
    write_table(path, now)


def refuse_run_inside(config: PoolConfig, run: Run) -> None:
    """Before anything is written there.

    Raises:
        RunError: the run folder lies inside a source of the pool.
    """
    _refuse_run_inside(places(config), run)


def _refuse_run_inside(sources: list[Place], run: Run) -> None:
    for place in sources:
        if isinstance(place.path, Path) and run.folder.resolve().is_relative_to(place.path):
            raise RunError(
                f"The run folder {run.folder} lies inside the pool's source {place.name!r} ({place.path}):"
                " what the run draws would become part of the haystack.",
                "Put the run elsewhere with --run.",
            )
