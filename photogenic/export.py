"""Needles or candidates for other programs: the original bytes, with captions and scores beside them.

A shard is written whole or not at all, and recorded when it is finished: the same command again writes only
what is missing, what has changed, and what held a picture that could not be read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from photogenic.core.console import progress
from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import Sources, atomic_path, fingerprint, read_json, read_table, write_json
from photogenic.curate.metadata import plain
from photogenic.curate.readers import IMAGE_SUFFIXES

TABLES = {"needles": "review/needles.parquet", "candidates": "curate/candidates.parquet"}
FORMS = ("webdataset", "folder", "parquet", "ids")
SAMPLES_PER_SHARD = 1000
ROW_GROUP_BYTES = 64 * 2**20  # of pictures held in memory, and read at once by whoever opens the file
RECORDS = ".export"  # what is finished, in the export's own folder
EXPORTS = "exports.json"  # in the run folder: where its exports lie
MAX_STEM = 40  # characters of an original's name: with four bytes each and the id they still make a file name
REVISION = 1


@dataclass(frozen=True)
class Unreadable:
    """A picture whose original could not be read, or is no longer the one that was curated."""

    sample_id: str
    source: str
    member: str
    reason: str


@dataclass(frozen=True)
class Exported:
    """What an export came to."""

    folder: Path
    num_samples: int  # that were written
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True)
class Picture:
    """An original, and all that is known of it."""

    name: str  # sample_id and suffix
    file_name: str  # the same, after the original's own name where it has one
    data: bytes
    text: str  # the caption, else the alt_text
    row: dict[str, Any]  # of the table
    fields: dict[str, Any]  # the side-car's own fields, and every column of the table


Pictures = Iterator[Picture]
Writer = Callable[[Path, pa.Schema, Pictures], None]


def export(
    run: Run, what: str, to: str, folder: Path, *, samples_per_shard: int = SAMPLES_PER_SHARD
) -> Exported:
    """Write the run's `what` (needles, candidates) in the form `to` (webdataset, folder, parquet, ids).

    What cannot be read is named in FOLDER/unreadable.jsonl; exporting again tries it again.

    Raises:
        RunError: there is nothing to export yet, or the folder holds something else.
        StorageError: the disk is full.
    """
    table = _table(run, what, to)
    sources = run.sources()
    _refuse_inside(folder, sources)
    _open(folder, {"what": what, "to": to, "samples_per_shard": samples_per_shard, "revision": REVISION})
    _note(run, folder)
    if to == "ids":
        _write_ids(folder / "ids.csv", table)
        return Exported(folder, table.num_rows, ())
    starts = range(0, table.num_rows, samples_per_shard)
    unreadable: list[Unreadable] = []
    with progress(f"export: {what}", table.num_rows) as advance:
        for number, start in enumerate(starts):
            rows = table.slice(start, samples_per_shard)
            unreadable += _shard(folder, f"{number:05d}", to, rows, sources)
            advance(rows.num_rows)
    _finish(folder, to, len(starts), unreadable)
    return Exported(folder, table.num_rows - len(unreadable), tuple(unreadable))


def _table(run: Run, what: str, to: str) -> pa.Table:
    for option, given, allowed in (("--what", what, TABLES), ("--to", to, FORMS)):
        if given not in allowed:
            raise RunError(f"{option} {given} is not known.", f"Choose one of: {', '.join(allowed)}.")
    path = run.folder / TABLES[what]
    if not path.exists():
        raise RunError(
            f"{run.folder} has no {what}.",
            f"`photogenic run RECIPE` makes them, in its stage `{path.parent.name}`.",
        )
    return read_table(path)


def _open(folder: Path, form: dict[str, Any]) -> None:
    """Make the folder, or go on in one that this very export has begun."""
    path = folder / RECORDS / "form.json"
    if path.exists():
        if read_json(path) != form:
            raise RunError(f"{folder} holds another export: {read_json(path)}.", "Choose another --out.")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} holds something that is no export.", "Choose another --out.")
    for left_by_a_kill in (*folder.glob(".*.tmp"), *(folder / RECORDS).glob(".*.tmp")):
        _remove(left_by_a_kill)
    (folder / "export.json").unlink(missing_ok=True)  # its existence means that the export is whole
    write_json(path, form)


def _note(run: Run, folder: Path) -> None:
    """So that what is forgotten later can be taken out of the export as well."""
    path = run.folder / EXPORTS
    known = read_json(path) if path.exists() else []
    if str(folder.resolve()) not in known:
        write_json(path, [*known, str(folder.resolve())])


def _refuse_inside(folder: Path, sources: Sources) -> None:
    for name, root in sources.folders.items():
        if root.is_dir() and folder.resolve().is_relative_to(root):
            raise RunError(
                f"{folder} lies inside the pool's source {name!r} ({root}):"
                " what is exported would become part of the haystack.",
                "Choose another --out.",
            )


def _shard(folder: Path, name: str, to: str, rows: pa.Table, sources: Sources) -> list[Unreadable]:
    """Write one shard unless it is there; return what could not be read."""
    record = folder / RECORDS / f"{name}.json"
    path = folder / f"{name}{SUFFIXES[to]}"
    key = fingerprint(rows.to_pylist())
    if path.exists() and record.exists() and read_json(record) == {"key": key, "unreadable": []}:
        return []
    record.unlink(missing_ok=True)
    with atomic_path(record.with_suffix(".ids")) as ids:
        ids.write_text("".join(f"{sample_id}\n" for sample_id in rows["sample_id"].to_pylist()))
    unreadable: list[Unreadable] = []
    WRITERS[to](path, rows.schema, _pictures(rows, sources, unreadable))
    write_json(record, {"key": key, "unreadable": [lost.sample_id for lost in unreadable]})
    return unreadable


def _pictures(rows: pa.Table, sources: Sources, unreadable: list[Unreadable]) -> Pictures:
    for sample, row in zip(iter_samples(rows), rows.to_pylist(), strict=True):
        try:
            data = _original(sample, sources)
        except StorageError as error:
            unreadable.append(Unreadable(sample.sample_id, sample.source, sample.member, error.what))
            continue
        text = row.get("caption") or sample.alt_text or ""
        name = sample.sample_id + _suffix(sample, data)
        file_name = "-".join(filter(None, (_stem(sample), name)))
        yield Picture(name, file_name, data, text, row, _fields(sample, row, text))


def _original(sample: Sample, sources: Sources) -> bytes:
    data = sources.read(sample.locator)
    if sample.uid is not None and hashlib.sha256(data).hexdigest() != sample.uid:
        raise StorageError(f"{sample.source}/{sample.member} holds other bytes than when it was curated.")
    return data


def _fields(sample: Sample, row: dict[str, Any], text: str) -> dict[str, Any]:
    """The side-car's fields as the source had them; one whose name is a column's own is `field.NAME`."""
    own = {name: row[name] for name in row if name not in ("fields", "offset", "size_bytes")} | {"text": text}
    theirs = {f"field.{name}" if name in own else name: value for name, value in sample.fields.items()}
    return {str(name): plain(value) for name, value in (own | theirs).items()}


def _stem(sample: Sample) -> str:
    """What people call the picture, as a part of a file name: of the file, or of a row its key."""
    named = PurePosixPath(sample.member)
    stem = (named if named.suffix.lower() in IMAGE_SUFFIXES else PurePosixPath(sample.key)).stem
    composed = unicodedata.normalize("NFC", stem)  # else an accent that stands by itself is lost
    return "".join(c if c.isalnum() or c == "-" else "_" for c in composed).strip("-_")[:MAX_STEM]


BEGINNINGS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


def _suffix(sample: Sample, data: bytes) -> str:
    """The source's own; that of the bytes where a row of a parquet file has none."""
    suffix = PurePosixPath(sample.member).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[4:8] == b"ftyp":
        return ".avif" if data[8:12] in (b"avif", b"avis") else ".heic"
    return next((known for beginning, known in BEGINNINGS.items() if data.startswith(beginning)), ".bin")


# --- one shard in each form ----------------------------------------------------------------------------


def _write_tar(path: Path, schema: pa.Schema, pictures: Pictures) -> None:
    """ID.jpg, ID.txt and ID.json per picture; no times, no owners: equal exports are equal bytes."""
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for picture in pictures:
            stem = PurePosixPath(picture.name).stem
            _add(tar, picture.name, picture.data)
            _add(tar, f"{stem}.txt", picture.text.encode())
            _add(tar, f"{stem}.json", json.dumps(picture.fields, ensure_ascii=False).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _write_pictures(path: Path, schema: pa.Schema, pictures: Pictures) -> None:
    """A folder of pictures, and the lines of metadata.jsonl that speak of them."""
    temporary = path.with_name(f".{path.name}.tmp")
    _remove(temporary)
    temporary.mkdir()
    with atomic_path(_lines_of(path)) as lines, lines.open("w", encoding="utf-8") as file:
        for picture in pictures:
            (temporary / picture.file_name).write_bytes(picture.data)
            row = {"file_name": f"{path.name}/{picture.file_name}"} | picture.fields
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    _remove(path)
    temporary.rename(path)


def _lines_of(path: Path) -> Path:
    return path.parent / RECORDS / f"{path.name}.jsonl"


def _write_parquet(path: Path, schema: pa.Schema, pictures: Pictures) -> None:
    """The table's columns, `text`, and `image` with its children `bytes` and `path`."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = schema.append(pa.field("text", pa.string())).append(pa.field("image", image))
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for group in _row_groups(pictures):
            rows = [
                picture.row | {"text": picture.text, "image": {"bytes": picture.data, "path": picture.name}}
                for picture in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _row_groups(pictures: Pictures) -> Iterator[list[Picture]]:
    group: list[Picture] = []
    num_bytes = 0
    for picture in pictures:
        group.append(picture)
        num_bytes += len(picture.data)
        if num_bytes >= ROW_GROUP_BYTES:
            yield group
            group, num_bytes = [], 0
    if group:
        yield group


SUFFIXES = {"webdataset": ".tar", "folder": "", "parquet": ".parquet"}
WRITERS: dict[str, Writer] = {"webdataset": _write_tar, "folder": _write_pictures, "parquet": _write_parquet}


def _write_ids(path: Path, table: pa.Table) -> None:
    names = ["sample_id", "uid", "source", "key", "member"]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(row.values() for row in table.select(names).to_pylist())


# --- the end -------------------------------------------------------------------------------------------


def _finish(folder: Path, to: str, num_shards: int, unreadable: list[Unreadable]) -> None:
    """Remove what an earlier table left, write what spans all shards, and say that the export is whole."""
    shards = [folder / f"{number:05d}{SUFFIXES[to]}" for number in range(num_shards)]
    for path in folder.iterdir():
        if path.name.partition(".")[0].isdecimal() and path not in shards:
            _remove(path)
            (folder / RECORDS / f"{path.stem}.json").unlink(missing_ok=True)
    if to == "folder":
        with atomic_path(folder / "metadata.jsonl") as temporary, temporary.open("wb") as file:
            for path in shards:
                file.write(_lines_of(path).read_bytes())
    lost = folder / "unreadable.jsonl"
    lost.unlink(missing_ok=True)
    if unreadable:
        with atomic_path(lost) as temporary:
            lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in unreadable]
            temporary.write_text("".join(lines), encoding="utf-8")
    write_json(folder / "export.json", {"num_shards": num_shards, "num_unreadable": len(unreadable)})


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
