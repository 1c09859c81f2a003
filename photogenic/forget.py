"""Take samples out of a run for good: opt-outs and takedowns.

The tombstone is written first. Whatever happens then, the same command again removes what is left, and
nothing lets the sample in again. Originals are the pool's own and are not touched.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_json, table_files, write_json
from photogenic.core.tombstones import Tombstone, Tombstones, add_tombstones, read_tombstones
from photogenic.core.words import counted
from photogenic.curate.scorers import read_scorer
from photogenic.curate.tables import BATCH_ROWS, write_batches
from photogenic.export import EXPORTS, RECORDS, export
from photogenic.road import run_lock

NAMES = ("sample_id", "uid", "key", "member")
# Made again by the next run from what is left; pictures are inlined in pages, and caches go by fingerprints.
PAGES = ("report.html", "curate/report.html", "evaluate/report.html", "copies/report.html", "explore.html")
ALIGNED = ("curate/columns", "curate/.deciding", "curate/slices/*/columns", "curate/slices/*/.deciding")
CACHES = ("tune/encoded", "tune/cache", "pretrain/cache", "pretrain/encoded")


@dataclass(frozen=True)
class Change:
    """Something that holds, or may hold, a part of a sample."""

    path: Path
    what: str


@dataclass
class Forgotten:
    """What was taken out, or would be."""

    stones: tuple[Tombstone, ...]
    changes: list[Change] = field(default_factory=list)
    models: list[Change] = field(default_factory=list)  # trained on it; cannot forget
    warnings: list[str] = field(default_factory=list)


def forget(run: Run, names: Iterable[str], *, reason: str = "", dry_run: bool = False) -> Forgotten:
    """Take out all samples that the names mean, with every copy of their bytes.

    names: sample_ids, uids, keys, or members.

    Raises:
        RunError: the run has no pool, a name means nothing, or another process is at work.
    """
    if not (run.folder / "pool" / "manifest").is_dir():
        raise RunError(f"{run.folder} has no indexed pool.", "Name a run folder, or a recipe that has run.")
    with run_lock(run.folder):
        before = read_tombstones(run.folder)
        wanted = list(dict.fromkeys(names))
        found = _find(run, wanted, before.stones, reason)
        fresh = [stone for stone in found if stone.sample_id not in before.ids]
        forgotten = Forgotten((*fresh, *_again(before.stones, wanted, found)))
        # What an earlier call left behind when it was killed goes now, whoever is named.
        stones = Tombstones((*before.stones, *fresh))
        ids = set(stones.ids)
        forgotten.models = _models(run, ids)
        if not dry_run:
            add_tombstones(run.folder, fresh)
        for change, remove in _work(run, stones, forgotten):
            forgotten.changes.append(change)
            if not dry_run:
                remove()
        if not dry_run:
            for change in forgotten.changes:
                run.log.info("forget: %s: %s", change.path, change.what)
    return forgotten


# --- who is meant --------------------------------------------------------------------------------------


def _again(
    stones: Iterable[Tombstone], names: Iterable[str], found: Iterable[Tombstone]
) -> Iterator[Tombstone]:
    """Those of earlier calls that the names mean."""
    named = {*names, *(name for stone in found for name in (stone.sample_id, stone.uid) if name)}
    return (stone for stone in stones if {stone.sample_id, stone.uid} & named)


def _find(run: Run, names: list[str], stones: tuple[Tombstone, ...], reason: str) -> list[Tombstone]:
    known = {name for stone in stones for name in (stone.sample_id, stone.uid) if name}
    read = run.folder / "curate" / "scores" / read_scorer().folder_name
    unmatched = set(names) - known
    named = _uids(read, "uid", names)
    rows = pq.read_table(
        table_files(run.folder / "pool" / "manifest"),
        filters=_in("sample_id", [*names, *named]) | _in("key", names) | _in("member", names),
    ).to_pylist()
    uids = _uids(read, "sample_id", [row["sample_id"] for row in rows])
    found: dict[str, str | None] = {}
    for row in rows:
        uid = uids.get(row["sample_id"]) or _uid_of(run, row)
        found[row["sample_id"]] = uid
        unmatched -= {row["sample_id"], row["key"], row["member"], uid}
    if unmatched:
        raise RunError(
            f"The pool of {run.folder} has no sample {', '.join(sorted(unmatched))}.",
            "Give a sample_id, uid, key or member, as `photogenic why` tells them.",
        )
    found |= _uids(read, "uid", [uid for uid in found.values() if uid])  # the same bytes under other names
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return [Tombstone(sample_id, uid, when, reason) for sample_id, uid in sorted(found.items())]


def _in(column: str, values: Collection[str]) -> pc.Expression:
    return pc.field(column).isin(pa.array(sorted(values), pa.string()))


def _uids(folder: Path, column: str, values: Collection[str]) -> dict[str, str]:
    """sample_id -> uid of those whose bytes were read and of whom `column` is one of the values."""
    paths = sorted(folder.rglob("*.parquet"))
    if not paths or not values:
        return {}
    table = pq.read_table(paths, columns=["sample_id", "uid"], filters=_in(column, values))
    return dict(zip(table["sample_id"].to_pylist(), table["uid"].to_pylist(), strict=True))


def _uid_of(run: Run, row: dict[str, Any]) -> str | None:
    """Of bytes that no funnel has read so far."""
    (sample,) = iter_samples(pa.Table.from_pylist([row]))
    try:
        return hashlib.sha256(run.sources().read(sample.locator)).hexdigest()
    except StorageError:
        return None


# --- where it is ---------------------------------------------------------------------------------------


def _models(run: Run, ids: set[str]) -> list[Change]:
    """Those that were trained here while the samples were there to be seen."""
    seen = []
    needles = run.folder / "review" / "needles.parquet"
    if (run.folder / "tune" / "model").is_dir() and needles.exists() and _num_rows(needles, ids):
        seen.append(Change(run.folder / "tune" / "model", "was tuned on it: tune again"))
    if (run.folder / "pretrain" / "model").is_dir():
        seen.append(Change(run.folder / "pretrain" / "model", "may have been trained on it: train again"))
    return seen


def _work(run: Run, stones: Tombstones, forgotten: Forgotten) -> Iterator[tuple[Change, Any]]:
    """What is to be done, in order, each with the function that does it.

    The manifest is last: as long as anything is left, the same names are found in it by the same command.
    """
    ids, manifest = set(stones.ids), run.folder / "pool" / "manifest"
    caches = [folder for name in ALIGNED for folder in sorted(run.folder.glob(name))]
    if forgotten.models:
        caches += [run.folder / name for name in CACHES if (run.folder / name).is_dir()]
    tables = [path for path in sorted(run.folder.rglob("*.parquet")) if path.parent != manifest]
    yield from _rows([path for path in tables if not any(map(path.is_relative_to, caches))], ids)
    for stone in stones.stones:  # small pictures are named after their bytes
        for path in sorted((run.folder / "review").rglob(f"{(stone.uid or 'no uid')[:32]}*")):
            yield Change(path, "a picture of it"), path.unlink
    if (run.folder / "review" / "review.db").exists():
        forgotten.warnings.append(
            "Rounds that are open still list it in review.db; it cannot become a needle."
        )
    for name in PAGES:
        if (run.folder / name).exists():
            yield Change(run.folder / name, "the next run writes it again"), (run.folder / name).unlink
    for folder in caches:
        yield Change(folder, "a cache, filled again when needed"), lambda it=folder: shutil.rmtree(it)
    counts, done = run.folder / "curate" / "counts.json", run.folder / "curate" / "done.json"
    if counts.exists():
        yield Change(counts, "counted again"), lambda: _count_again(run)
    if done.exists():  # a look-alike that went for the forgotten one has a claim to its place
        yield Change(done, "the next run decides anew, and opens no picture"), done.unlink
    yield from _exports(run, ids, forgotten)
    yield from _rows(sorted(manifest.glob("*.parquet")), ids)


def _rows(tables: Iterable[Path], ids: set[str]) -> Iterator[tuple[Change, Any]]:
    """The tables that have rows of the samples."""
    for path in tables:
        if "sample_id" in _columns(path) and (num := _num_rows(path, ids)):
            yield Change(path, counted(num, "row")), lambda path=path: _without(path, ids)


def _exports(run: Run, ids: set[str], forgotten: Forgotten) -> Iterator[tuple[Change, Any]]:
    """Exports of this run are written again without the samples, where they still are."""
    path = run.folder / EXPORTS
    for name in read_json(path) if path.exists() else []:
        folder = Path(name)
        form = folder / RECORDS / "form.json"
        if not form.exists():
            forgotten.warnings.append(
                f"The export {folder} is not there any more: copies of it are yours to mend."
            )
            continue
        if not _holds(folder, ids):
            continue
        made = read_json(form)

        def again(folder: Path = folder, made: dict[str, Any] = made) -> None:
            _clear(folder, ids)
            export(run, made["what"], made["to"], folder, samples_per_shard=made["samples_per_shard"])

        yield Change(folder, f"export of {made['what']}, written again without it"), again


def _holds(folder: Path, ids: set[str]) -> bool:
    """Whether the export names one of the samples."""
    return any(sample_id in listed for listed in map(_listed, _record_files(folder)) for sample_id in ids)


def _record_files(folder: Path) -> list[Path]:
    return [*sorted((folder / RECORDS).glob("*.ids")), *folder.glob("ids.csv")]


def _listed(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _clear(folder: Path, ids: set[str]) -> None:
    """Remove the shards that hold the samples at once: the originals of the others may be out of reach."""
    for path in _record_files(folder):
        if any(sample_id in _listed(path) for sample_id in ids):
            for shard in (*folder.glob(f"{path.stem}*"), *(folder / RECORDS).glob(f"{path.stem}.*")):
                shutil.rmtree(shard) if shard.is_dir() else shard.unlink()
    for name in ("metadata.jsonl", "export.json", "unreadable.jsonl"):
        (folder / name).unlink(missing_ok=True)


# --- taking out ----------------------------------------------------------------------------------------


def _columns(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def _num_rows(path: Path, ids: set[str]) -> int:
    wanted = pa.array(sorted(ids), pa.string())
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(BATCH_ROWS, columns=["sample_id"])
        return sum(pc.sum(pc.is_in(batch["sample_id"], wanted)).as_py() or 0 for batch in batches)


def _without(path: Path, ids: set[str]) -> None:
    """Write a table again without the samples' rows."""
    wanted = pa.array(sorted(ids), pa.string())
    with pq.ParquetFile(path) as file:
        kept = (
            batch.filter(pc.invert(pc.is_in(batch["sample_id"], wanted)))
            for batch in file.iter_batches(BATCH_ROWS)
        )
        write_batches(path, file.schema_arrow, kept)


def _count_again(run: Run) -> None:
    """The funnel's counts, from the verdicts that are left."""
    folder = run.folder / "curate"
    counts = read_json(folder / "counts.json")
    table = pq.read_table(folder / "verdicts.parquet", columns=["verdict", "drop_step"])
    found = Counter(zip(table["drop_step"].to_pylist(), table["verdict"].to_pylist(), strict=True))
    left = table.num_rows
    for step in counts["steps"]:
        dropped, failed = found[(step["name"], "dropped")], found[(step["name"], "failed")]
        step |= {"entered": left, "dropped": dropped, "failed": failed}
        left -= dropped + failed
    write_json(folder / "counts.json", counts | {"pool": table.num_rows, "kept": left})
