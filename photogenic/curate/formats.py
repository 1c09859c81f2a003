"""Which form a source has, and the reader for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from photogenic.core.errors import RunError
from photogenic.core.records import Sample
from photogenic.core.storage import Root
from photogenic.curate.config import Format, PoolConfig, SourceConfig
from photogenic.curate.left_out import Survey
from photogenic.curate.metadata import METADATA_NAMES
from photogenic.curate.parquets import read_parquets
from photogenic.curate.readers import Found, found_file, read_folder, walk
from photogenic.curate.webdataset import read_tars

FILE_FORMATS: dict[str, Format] = {".tar": "webdataset", ".parquet": "parquet"}


@dataclass(frozen=True)
class Place:
    """A source on this machine: a folder, or one file in it."""

    name: str
    root: Root
    file: Root | None
    config: SourceConfig

    @property
    def path(self) -> Root:
        """What the pool reads from: the file, unless its rows lead to others in its folder."""
        return self.root if self.file is None or self.config.path_column is not None else self.file

    def files(self, left_out: Counter[str]) -> Iterator[Found]:
        """What may hold pictures, or be one: all files of a folder, or the one."""
        if self.file is None:
            yield from walk(self.root, left_out)
        else:
            found = found_file(self.file)
            if isinstance(left_out, Survey):
                left_out.note_version(found.member, found.version)
            yield found

    def listed(self) -> Iterator[Found]:
        """All that the samples depend upon."""
        if self.file is None or self.config.path_column is not None:
            yield from walk(self.root, Counter())
            return
        yield found_file(self.file)
        table = self.file.with_suffix(".parquet")
        if table != self.file and table.is_file():
            yield found_file(table)


def places(config: PoolConfig) -> list[Place]:
    """The sources, sorted by name.

    Raises:
        RunError: one is not there, or is a file of another kind.
    """
    return [_place(name, source) for name, source in sorted(config.sources.items())]


def _place(name: str, config: SourceConfig) -> Place:
    path = config.root
    if path.is_dir():
        return Place(name, path, None, config)
    if path.is_file() and path.suffix.lower() in FILE_FORMATS:
        return Place(name, path.parent, path, config)
    wrong = "is neither a tar nor a parquet file" if path.is_file() else "is no folder"
    raise RunError(
        f"The pool's source {name!r} is not there: {path} {wrong}.",
        f"Set `pool.sources.{name}.path` to a folder of pictures, of tars or of parquet files, or to one such"
        " file (a relative path starts at the working directory).",
    )


def format_of(place: Place) -> Format:
    """The form that the recipe states; else that of the one file; else by what lies in the folder.

    A folder with pictures is a folder of pictures, whatever else lies there.
    """
    if place.config.format is not None:
        return place.config.format
    if place.config.bytes_column is not None or place.config.path_column is not None:
        return "parquet"
    if place.file is not None:
        return FILE_FORMATS[place.file.suffix.lower()]
    if any((place.root / name).is_file() for name in METADATA_NAMES):
        return "folder"
    return _format_by_files(place)


def _format_by_files(place: Place) -> Format:
    seen = set()
    for found in place.files(Counter()):
        if found.is_image:
            return "folder"
        seen.add(found.suffix)
    return next((form for suffix, form in FILE_FORMATS.items() if suffix in seen), "folder")


def read_source(place: Place, left_out: Counter[str]) -> Iterator[Sample]:
    """The samples of a source, sorted by member.

    Raises:
        RunError: what is there cannot be read in the source's form.
    """
    form = format_of(place)
    if form == "folder":
        if place.file is not None:
            raise RunError(f"{place.file} is no folder.", f"Take `pool.sources.{place.name}.format` out.")
        return read_folder(place.name, place.root, place.config, left_out)
    if form == "webdataset":
        return read_tars(place.name, place.files(left_out), place.config, left_out)
    return read_parquets(place.name, place.root, place.files(left_out), place.config, left_out)
