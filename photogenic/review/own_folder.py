"""One's own needles: a folder of pictures with captions beside them, in place of pool and funnel."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from photogenic.core.errors import DecodeError, RunError
from photogenic.core.manifest import POOL_SCHEMA, sample_id_for
from photogenic.core.run import OWN_NEEDLES, Run
from photogenic.core.shards import file_fingerprint, read_json, write_json
from photogenic.measures.decode import decode
from photogenic.review.captions import caption_for
from photogenic.review.export import Needles

SOURCE = OWN_NEEDLES
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp"))
CAPTION_FIELDS = ("caption", "text", "alt_text")


def needles_from_folder(folder: Path, run: Run) -> Needles:
    """Every picture below `folder` is a needle, in the order of their paths.

    A caption is `picture.txt` beside `picture.jpg`, or the field caption, text or alt_text of the row that
    names the file in `metadata.jsonl` or `metadata.csv` (column file_name). The folder becomes the source
    `own-needles` in RUN/pool/sources.json.

    Raises:
        RunError: no picture, pictures that cannot be decoded, metadata for files that are not there, or a run
            folder that lies inside.
    """
    root = folder.resolve()
    if run.folder.resolve().is_relative_to(root):
        raise RunError(
            f"The run folder {run.folder} lies inside {folder}: what the run draws would become needles.",
            "Put the run elsewhere with --run.",
        )
    members = list(_pictures(root))
    metadata = read_metadata(root)
    _refuse_missing(folder, metadata, members)
    _refuse_broken(root, members)
    if members:
        _name_source(run, root)
    rows = [_row(root, member, metadata.get(member, {})) for member in members]
    return Needles(
        rows=pa.Table.from_pylist(rows, schema=POOL_SCHEMA),
        captions=[caption_for("", row["alt_text"]) for row in rows],
        decided_by=["imported: a folder of one's own needles"] * len(rows),
        scores=[None] * len(rows),
    )


def read_metadata(root: Path) -> dict[str, dict[str, Any]]:
    """Member -> row of metadata.jsonl or metadata.csv; empty when there is neither."""
    for name, read in (("metadata.jsonl", _json_lines), ("metadata.csv", _csv_rows)):
        path = root / name
        if path.is_file():
            return {PurePosixPath(str(row.pop("file_name"))).as_posix(): row for row in read(path)}
    return {}


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise RunError(f"{path.name}, line {number} is no JSON: {error.msg}.") from error
        if not isinstance(row, dict) or "file_name" not in row:
            raise RunError(f"{path.name}, line {number} is no JSON object with a file_name.")
        yield row


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if "file_name" not in (reader.fieldnames or ()):
            raise RunError(f"{path.name} has no column file_name.")
        for row in reader:
            yield {name: value for name, value in row.items() if name is not None}


def _pictures(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        member = path.relative_to(root)
        hidden = any(part.startswith(".") for part in member.parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield member.as_posix()


def _row(root: Path, member: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    path = root / member
    key = PurePosixPath(member).with_suffix("").as_posix()
    return {
        "sample_id": sample_id_for(SOURCE, member, key),
        "uid": file_fingerprint(path),
        "source": SOURCE,
        "member": member,
        "key": key,
        "offset": 0,
        "size_bytes": path.stat().st_size,
        "alt_text": _caption(path, metadata),
        "fields": json.dumps(
            {name: value for name, value in metadata.items() if name not in CAPTION_FIELDS},
            sort_keys=True,
            ensure_ascii=False,
        ),
    }


def _caption(path: Path, metadata: Mapping[str, Any]) -> str:
    beside = path.with_suffix(".txt")
    if beside.is_file():
        return beside.read_text(encoding="utf-8-sig", errors="replace").strip()
    return next((str(metadata[name]).strip() for name in CAPTION_FIELDS if metadata.get(name)), "")


def _refuse_missing(folder: Path, metadata: Mapping[str, Any], members: list[str]) -> None:
    missing = sorted(metadata.keys() - set(members))
    if missing:
        raise RunError(
            f"The metadata of {folder} name {len(missing)} files that are missing: {', '.join(missing[:5])}.",
            "Put them there, or leave their rows out.",
        )


def _refuse_broken(root: Path, members: list[str]) -> None:
    # With a few thousand needles at most, one that vanished in silence would be a real loss: so none may.
    broken = [member for member in members if not _decodes(root / member)]
    if broken:
        raise RunError(
            f"{len(broken)} of the {len(members)} needles cannot be decoded: {', '.join(broken[:5])}.",
            "Repair or remove them.",
        )


def _decodes(path: Path) -> bool:
    try:
        decode(path.read_bytes())
    except DecodeError:
        return False
    return True


def _name_source(run: Run, root: Path) -> None:
    path = run.stage("pool") / "sources.json"
    sources = read_json(path) if path.exists() else {}
    write_json(path, sources | {SOURCE: str(root)})
