"""What lies in a source: pictures found by walking, with what is told of them beside them (`metadata`).

Pictures inside tars and parquet files: `webdataset`, `parquets`. Which reader a source needs: `formats`.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from photogenic.core.errors import RunError
from photogenic.core.manifest import sample_id_for
from photogenic.core.patience import for_good
from photogenic.core.records import Sample
from photogenic.core.shards import CONTAINERS
from photogenic.core.storage import Entry, RemotePath, Root
from photogenic.curate.config import SourceConfig
from photogenic.curate.img2dataset import Rows, rows_beside
from photogenic.curate.left_out import Survey, leave_out
from photogenic.curate.metadata import FILE_NAME, read_metadata, read_side_cars, spellings
from photogenic.curate.rows_on_disk import RowsOnDisk

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".heif")
)
HEIC = frozenset((".heic", ".heif"))  # of the above: listed, and dropped at the step `read`
CAMERA_RAW = frozenset((".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"))
HIDDEN = "hidden"


@dataclass(frozen=True)
class Found:
    """A regular file below a root. `beside` names the regular files in its folder."""

    member: str  # path from the root, POSIX separators
    folder: Root
    size_bytes: int
    version: int  # changes when it is rewritten: its mtime in ns, or whatever its storage tells
    beside: frozenset[str]

    @cached_property
    def name(self) -> str:
        return _name_of(self.member)

    @property
    def path(self) -> Root:
        return self.folder / self.name

    @cached_property
    def suffix(self) -> str:
        """In small letters."""
        return split_suffix(self.name)[1].lower()

    @cached_property
    def stem(self) -> str:
        return split_suffix(self.name)[0]

    @property
    def is_image(self) -> bool:
        return self.suffix in IMAGE_SUFFIXES


def split_suffix(name: str) -> tuple[str, str]:
    """As pathlib does it, at a tenth of the time: `a.b.jpg` -> `a.b`, `.jpg`."""
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def walk(root: Root, left_out: Counter[str]) -> Iterator[Found]:
    """Every regular file below `root`, by member; what is left out is counted by reason.

    Raises:
        RunError: the root cannot be listed.
        StorageError: what lies there cannot be reached now, but may be later.
    """
    files = (
        _walk_remote(root, "", left_out)
        if isinstance(root, RemotePath)
        else _walk_folder(root, "", root, left_out)
    )
    for found in files:
        if isinstance(left_out, Survey) and (found.is_image or found.suffix in CONTAINERS):
            left_out.note_version(found.member, found.version)
        yield found


def found_file(path: Root) -> Found:
    """A file that is a source by itself; its folder is the root."""
    if isinstance(path, RemotePath):
        entry = path.entry()
        names = frozenset(beside.name for beside in path.parent.listed() if beside.kind == "file")
        return Found(path.name, path.parent, entry.size_bytes, entry.version, names)
    status = path.stat()
    beside = frozenset(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    return Found(path.name, path.parent, status.st_size, status.st_mtime_ns, beside)


def _walk_remote(folder: RemotePath, prefix: str, left_out: Counter[str]) -> Iterator[Found]:
    kept = [entry for entry in folder.listed() if _belongs_remote(entry, prefix, left_out)]
    beside = frozenset(entry.name for entry in kept if entry.kind == "file")
    for entry in sorted(kept, key=lambda entry: entry.name + "/" * (entry.kind == "directory")):
        member = prefix + entry.name
        if entry.kind == "directory":
            yield from _walk_remote(folder / entry.name, f"{member}/", left_out)
        else:
            yield Found(member, folder, entry.size_bytes, entry.version, beside)


def _belongs_remote(entry: Entry, prefix: str, left_out: Counter[str]) -> bool:
    reason = ""
    if entry.name in ("", ".", ".."):
        reason = "name that leads out of the pool"  # an object store takes any name
    elif entry.name.startswith("."):
        reason = HIDDEN
    elif entry.kind not in ("file", "directory"):
        reason = "neither file nor folder (link, pipe, device)"
    return _counted(reason, prefix + entry.name, left_out)


def _counted(reason: str, member: str, left_out: Counter[str]) -> bool:
    """Whether there is no reason to leave the member out; else it is counted."""
    if reason == HIDDEN:
        left_out[reason] += 1
    elif reason:
        leave_out(left_out, reason, member)
    return not reason


def _walk_folder(folder: Path, prefix: str, root: Path, left_out: Counter[str]) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        if folder == root:
            raise RunError(
                f"Cannot list {root}: {error.strerror}.", "Check the path and its rights."
            ) from error
        for_good(error, str(folder))
        leave_out(left_out, "folder that cannot be listed", prefix)
        return
    kept = [
        entry
        for entry in entries
        if _counted(_reason_to_leave_out(entry, root), prefix + entry.name, left_out)
    ]
    beside = frozenset(entry.name for entry in kept if entry.is_file())
    # A folder sorts as "name/", so that the walk visits members in the order of their whole paths.
    for entry in sorted(kept, key=lambda entry: entry.name + "/" if entry.is_dir() else entry.name):
        if entry.is_dir():
            yield from _walk_folder(Path(entry.path), f"{prefix}{entry.name}/", root, left_out)
        else:
            try:
                status = entry.stat()
            except OSError as error:
                for_good(error, entry.path)
                leave_out(left_out, "file that vanished while it was listed", prefix + entry.name)
                continue
            yield Found(prefix + entry.name, folder, status.st_size, status.st_mtime_ns, beside)


def _reason_to_leave_out(entry: os.DirEntry[str], root: Path) -> str:
    if entry.name.startswith("."):
        return HIDDEN
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        return "name that is not UTF-8"
    if entry.is_symlink():
        # A link to a folder may lead round in a circle; a link out of the pool may lead anywhere.
        target = Path(os.path.realpath(entry.path))
        if not target.is_relative_to(root):
            return "symbolic link out of the pool"
        return "" if target.is_file() else "symbolic link to no file"
    if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
        return ""
    return "neither file nor folder (pipe, socket, device)"


def read_folder(name: str, root: Root, config: SourceConfig, left_out: Counter[str]) -> Iterator[Sample]:
    """The pictures of a folder with a metadata file, or of a plain tree with side-cars, sorted by member.

    A row of the metadata whose file is missing is a sample as well: it will be `failed`, with the reason.
    """
    metadata = read_metadata(root, left_out)
    found = _found_samples(name, root, config, metadata, left_out)
    missing = _missing_samples(name, root, config, metadata or RowsOnDisk(), left_out)
    yield from heapq.merge(found, missing, key=lambda sample: sample.member)


def _found_samples(
    name: str,
    root: Root,
    config: SourceConfig,
    metadata: RowsOnDisk | None,
    left_out: Counter[str],
) -> Iterator[Sample]:
    @lru_cache(maxsize=2)  # a folder's pictures come one after the other
    def rows_of(folder: Root) -> Rows:
        return {} if folder == root else rows_beside(folder, left_out)

    for found in walk(root, left_out):
        if not found.is_image:
            left_out[f"no picture ({split_suffix(found.name)[1] or 'no suffix'})"] += 1
            continue
        if metadata is not None:
            row = next(filter(None, map(metadata.get, spellings(found.member))), {})
        else:
            row = {**rows_of(found.folder).get(found.stem, {}), **read_side_cars(found, left_out)}
        yield sample_from(name, found.member, found.size_bytes, row, config)


def _missing_samples(
    name: str,
    root: Root,
    config: SourceConfig,
    metadata: RowsOnDisk,
    left_out: Counter[str],
) -> Iterator[Sample]:
    is_there: Callable[[str], bool] | None = None
    for member, row in metadata.items():
        is_there = is_there or presence(root)
        path = PurePosixPath(member)
        if path.is_absolute() or ".." in path.parts:
            leave_out(left_out, "metadata row that points out of the pool", member)
        elif any(map(is_there, spellings(member))):
            continue
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            yield sample_from(name, member, -1, row, config)
        else:
            leave_out(left_out, "metadata row whose file is not there and has no suffix of a picture", member)


def presence(root: Root) -> Callable[[str], bool]:
    """Tells whether a member is there. Behind a URL all are listed once: one question for each takes long."""
    if isinstance(root, RemotePath):
        members = {found.member for found in walk(root, Counter())}
        return members.__contains__
    return lambda member: os.path.lexists(root / member)


def sample_from(
    source: str,
    member: str,
    size_bytes: int,
    row: Mapping[str, Any],
    config: SourceConfig,
    *,
    offset: int = 0,
) -> Sample:
    """A sample of the pool. Of the row, the key and the text get columns; all else travels in `fields`."""
    fields = {field: value for field, value in row.items() if field != FILE_NAME}
    key = fields.pop(config.key, None)
    if key is None or key == "":
        key = member.removesuffix(split_suffix(_name_of(member))[1])
    texts = [field for field in config.alt_text if isinstance(fields.get(field), str)]
    alt_text = fields.pop(texts[0]) if texts else ""
    return Sample(
        sample_id=sample_id_for(source, member, str(key)),
        source=source,
        member=member,
        key=str(key),
        alt_text=alt_text,
        offset=offset,
        size_bytes=size_bytes,
        fields=fields,
    )


def _name_of(member: str) -> str:
    return member.rpartition("/")[2]
