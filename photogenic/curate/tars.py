"""What lies in a tar, from its headers alone: it is never unpacked, and a hostile one is only left out.

Python's `tarfile` keeps every member in memory, follows what a header declares and passes over damage in
silence; here a header is a name, a place and a size, or a reason.
"""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from photogenic.core.errors import StorageError
from photogenic.core.patience import for_good
from photogenic.core.storage import Root
from photogenic.curate.left_out import leave_out

BLOCK_BYTES = 512
MAX_HEADER_BYTES = 2**20  # of a long name or of extended headers; a declared gigabyte is not read
MAX_SIZE_DIGITS = 20  # 2**64 has as many
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
WITHOUT_BYTES = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
)


@dataclass(frozen=True)
class TarMember:
    """A regular file in a tar: `size_bytes` bytes from `offset` of the tar."""

    name: str  # POSIX path inside the tar, without `.`, `..` or a leading slash
    offset: int
    size_bytes: int


class _Damaged(Exception):
    """The headers end here; what came before is whole."""


def tar_members(path: Root, shown: str, left_out: Counter[str]) -> Iterator[TarMember]:
    """The regular files of a tar in their order; of one that is cut off, those that are whole.

    shown: the tar's name in the reasons that are counted.

    Raises:
        StorageError: the tar cannot be reached now, but may be later.
    """
    position = 0
    try:
        with path.open("rb") as file:
            total = file.seek(0, os.SEEK_END)
            extended: dict[str, str] = {}  # what the headers before a member say of it
            while (header := _header(file, position)) is not None:
                start, size, position = _extent(file, header, extended, position)
                if position > total + BLOCK_BYTES or start + size > total:
                    raise _Damaged
                if header.type in _ANNOUNCING:
                    extended |= _announced(file, header, start)
                    continue
                member = _member(shown, header, extended, start, size, left_out)
                extended = {}
                if member is not None:
                    yield member
    except _Damaged:
        reason = f"rest of {shown}, which is cut off or damaged; what is whole before is in the pool"
        leave_out(left_out, reason, shown)
    except (OSError, StorageError) as error:
        leave_out(left_out, f"tar that cannot be read ({for_good(error, shown)})", shown)


_ANNOUNCING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def _header(file: IO[bytes], position: int) -> tarfile.TarInfo | None:
    """The header at `position`; None at the end mark."""
    file.seek(position)
    block = file.read(BLOCK_BYTES)
    if len(block) == BLOCK_BYTES and not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise _Damaged from error


def _extent(
    file: IO[bytes], header: tarfile.TarInfo, extended: Mapping[str, str], position: int
) -> tuple[int, int, int]:
    """Where the bytes behind a header start, how many they are, and where the next header is."""
    start = position + BLOCK_BYTES
    if header.type == tarfile.GNUTYPE_SPARSE:
        start = _behind_sparse_map(file, position)
    size = header.size
    if header.type not in _ANNOUNCING and "size" in extended:
        size = _whole_number(extended["size"])
    if size < 0:
        raise _Damaged
    if header.type in WITHOUT_BYTES:
        size = 0
    return start, size, start + -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _whole_number(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_SIZE_DIGITS):
        raise _Damaged
    return int(digits)


def _behind_sparse_map(file: IO[bytes], position: int) -> int:
    """GNU's old sparse files continue their map in blocks that no size counts."""
    file.seek(position)
    block, goes_on = file.read(BLOCK_BYTES), 482
    position += BLOCK_BYTES
    while len(block) == BLOCK_BYTES and block[goes_on]:
        block, goes_on = file.read(BLOCK_BYTES), 504
        position += BLOCK_BYTES
    return position


def _announced(file: IO[bytes], header: tarfile.TarInfo, start: int) -> dict[str, str]:
    """What a long name or an extended header says of the member behind it."""
    if header.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
        return {}
    if header.size > MAX_HEADER_BYTES:
        raise _Damaged
    file.seek(start)
    data = file.read(header.size)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    return _pax_records(data)


def _pax_records(data: bytes) -> dict[str, str]:
    """`27 path=a long name.jpg` + newline, and so on; the number counts the whole record."""
    records: dict[str, str] = {}
    while data.rstrip(b"\0"):
        digits, _, _ = data.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record = data[len(digits) + 1 : length]
        if not record.endswith(b"\n") or b"=" not in record:
            raise _Damaged
        name, _, value = record[:-1].decode("utf-8", "surrogateescape").partition("=")
        records[name] = value
        data = data[length:]
    return records


def _member(
    shown: str,
    header: tarfile.TarInfo,
    extended: Mapping[str, str],
    start: int,
    size: int,
    left_out: Counter[str],
) -> TarMember | None:
    if header.type == tarfile.DIRTYPE:
        return None
    name = extended.get("path", header.name)
    reason = _reason_to_leave_out(header, extended, name)
    if reason == "hidden":
        left_out[reason] += 1
        return None
    if reason:
        leave_out(left_out, reason, f"{shown}/{name}")
        return None
    return TarMember("/".join(_parts(name)), start, size)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _reason_to_leave_out(header: tarfile.TarInfo, extended: Mapping[str, str], name: str) -> str:
    parts = _parts(name)
    if header.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        return "link in a tar"
    if header.type == tarfile.GNUTYPE_SPARSE or any(record.startswith("GNU.sparse") for record in extended):
        return "sparse file in a tar"
    if header.type not in REGULAR:
        return "neither file nor folder in a tar (pipe, device)"
    if name.startswith("/") or ".." in parts or not parts or "\0" in name:
        return "name that leads out of its tar"
    if any(part.startswith(".") for part in parts):
        return "hidden"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "name that is not UTF-8"
    return ""
