"""Files and folders behind URLs (`s3://`, `gs://`, `memory://`, whatever fsspec knows), read like paths.

What may fail for a while is tried again after a pause; what cannot be reached then is a StorageError. Secrets
stay in the environment: options hold `${NAME}`, and only the file system that is opened sees the value.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, TypeVar

from photogenic.core.errors import MissingExtraError, RunError, StorageError
from photogenic.core.patience import patiently
from photogenic.core.ranges import RangedFile

BLOCK_BYTES = 2**20  # what is read ahead of a file that is open
EXTRAS = {"s3": "s3", "s3a": "s3"}  # protocol -> the extra that brings its package

R = TypeVar("R")


class Entry(NamedTuple):
    """What a listing says of a file or folder."""

    name: str
    kind: str  # file | directory | other
    size_bytes: int
    version: int  # changes when the file is rewritten


@dataclass(frozen=True)
class RemotePath:
    """A place behind a URL, with as much of pathlib.Path as the readers of a pool use."""

    url: str  # of the root, without a slash at its end
    options: str = "{}"  # fsspec's storage_options as JSON; `${NAME}` is a variable of the environment
    inner: PurePosixPath = field(default_factory=PurePosixPath)  # below the root

    @classmethod
    def at(cls, url: str, options: Mapping[str, Any] | None = None) -> RemotePath:
        """The root of a source."""
        return cls(url.rstrip("/"), json.dumps(dict(options or {}), sort_keys=True))

    def __str__(self) -> str:
        return f"{self.url}/{self.inner}" if self.inner.parts else self.url

    def __truediv__(self, member: str | PurePosixPath) -> RemotePath:
        return replace(self, inner=self.inner / member)

    def joinpath(self, *parts: str) -> RemotePath:
        return replace(self, inner=self.inner.joinpath(*parts))

    @property
    def name(self) -> str:
        return str(self).rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> RemotePath:
        if self.inner.parts:
            return replace(self, inner=self.inner.parent)
        return replace(self, url=self.url.rpartition("/")[0])

    def with_suffix(self, suffix: str) -> RemotePath:
        return self.parent / PurePosixPath(self.name).with_suffix(suffix)

    def exists(self) -> bool:
        return bool(self._ask(lambda system, path: system.exists(path)))

    def is_dir(self) -> bool:
        return bool(self._ask(lambda system, path: system.isdir(path)))

    def is_file(self) -> bool:
        """Remembered where it is one: a container is asked for once, not once a picture."""
        return self in _KNOWN_FILES or self._is_file()

    def entry(self) -> Entry:
        """What the storage says of this file."""
        return _entry(self._ask(lambda system, path: system.info(path)))

    def listed(self) -> list[Entry]:
        """What lies in this folder."""
        found = self._ask(lambda system, path: [(path, system.ls(path, detail=True))])
        # A folder made by hand in an object store is an empty object of its own name.
        return [
            _entry(info)
            for path, infos in found
            for info in infos
            if info["name"].strip("/") != path.strip("/")
        ]

    def read_range(self, offset: int, size_bytes: int) -> bytes:
        """`size_bytes` from `offset`; -1: to the end."""
        if not offset and size_bytes < 0:
            return bytes(self._ask(lambda system, path: system.cat_file(path)))
        if not size_bytes:
            return b""
        end = None if size_bytes < 0 else offset + size_bytes
        return bytes(self._ask(lambda system, path: system.cat_file(path, start=offset, end=end)))

    def open(
        self,
        mode: str = "rb",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """For reading, as bytes or as text, in blocks; each is asked for as patiently as a whole file."""
        blocks = RangedFile(self.read_range, self.entry().size_bytes)
        file = io.BufferedReader(blocks, BLOCK_BYTES)
        return file if "b" in mode else io.TextIOWrapper(file, encoding, errors, newline)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.read_range(0, -1).decode(encoding, errors)

    def _is_file(self) -> bool:
        if is_one := bool(self._ask(lambda system, path: system.isfile(path))):
            _KNOWN_FILES.add(self)
        return is_one

    def _ask(self, question: Callable[[Any, str], R]) -> R:
        """`question` to the file system, patiently.

        Raises:
            StorageError: it does not answer, or there is nothing of that name.
        """
        system, root = _file_system(self.url, self.options)
        path = "/".join((root, *self.inner.parts))
        return patiently(lambda: question(system, path), str(self), self.url)


Root = Path | RemotePath  # where a source lies

_KNOWN_FILES: set[RemotePath] = set()


def _entry(info: Mapping[str, Any]) -> Entry:
    told = [info[key] for key in ("ETag", "LastModified", "mtime", "created") if info.get(key) is not None]
    digest = hashlib.sha256(str(told[:1]).encode()).digest()
    kind = "other" if info.get("islink") else str(info["type"])
    name = str(info["name"]).rstrip("/").rpartition("/")[2]
    return Entry(name, kind, int(info.get("size") or 0), int.from_bytes(digest[:7], "little"))


@lru_cache(maxsize=64)
def _file_system(url: str, options: str) -> tuple[Any, str]:
    """The file system of a URL, and the root's path in it.

    Raises:
        MissingExtraError: the package that knows the protocol is not installed.
        RunError: nobody knows the protocol, or the environment lacks a variable.
    """
    protocol = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        # Listings would be kept for ever, of a bucket of millions too, and files that came later not be seen.
        system, path = url_to_fs(url, **(_resolved(json.loads(options)) | {"use_listings_cache": False}))
    except ImportError as error:
        if protocol in EXTRAS or error.name == "fsspec":
            raise MissingExtraError(EXTRAS.get(protocol, "s3"), f"A source at {protocol}://") from error
        raise RunError(f"{protocol}:// needs another package: {error}", "Install it.") from error
    except ValueError as error:
        raise RunError(
            f"Cannot open {url}: {error}", "fsspec's documentation lists what it knows."
        ) from error
    return system, path.rstrip("/")


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _resolved(value: Any) -> Any:
    """`value` with `${NAME}` replaced by the environment's."""
    if isinstance(value, dict):
        return {name: _resolved(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return _VARIABLE.sub(_variable, value) if isinstance(value, str) else value


def _variable(match: re.Match[str]) -> str:
    try:
        return os.environ[match[1]]
    except KeyError:
        raise RunError(
            f"The environment has no variable {match[1]}, which `storage_options` names.",
            f"Set it in the shell that starts photogenic: export {match[1]}=...",
        ) from None


_SECRET = re.compile(r"secret|token|passw|passphrase|credential|auth|key|sas|cookie|connection_string", re.I)


def literal_secrets(options: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Names of the options that hold a secret itself, and not `${NAME}`: it would end up in written files."""
    for name, value in options.items():
        path = f"{within}{name}"
        if isinstance(value, dict):
            yield from literal_secrets(value, f"{path}.")
        elif isinstance(value, str) and _SECRET.search(path) and not _VARIABLE.fullmatch(value):
            yield path


def is_url(path: object) -> bool:
    """Whether it is an address and not a path of this machine."""
    return isinstance(path, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None


def root_as_json(root: Root) -> str | dict[str, Any]:
    """As it stands in RUN/pool/sources.json."""
    if isinstance(root, Path):
        return str(root)
    return {"url": str(root), "storage_options": json.loads(root.options)}


def root_from_json(value: str | Mapping[str, Any]) -> Root:
    """As it stood in RUN/pool/sources.json."""
    return Path(value) if isinstance(value, str) else RemotePath.at(value["url"], value["storage_options"])


def read_range(path: Root, offset: int, size_bytes: int) -> bytes:
    """`size_bytes` of a file from `offset`, fewer where it ends before; -1: to its end.

    Raises:
        OSError: a local file cannot be read.
        StorageError: one behind a URL cannot be read.
    """
    if isinstance(path, RemotePath):
        return path.read_range(offset, size_bytes)
    # A pipe that took the place of a picture since it was listed would keep its reader waiting for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StorageError(f"{Path(path).name} is no regular file any more.", "Index the pool again.")
        if offset:
            os.lseek(descriptor, offset, os.SEEK_SET)
        return _exactly(descriptor, size_bytes if size_bytes >= 0 else max(0, status.st_size - offset))
    finally:
        os.close(descriptor)


def _exactly(descriptor: int, size_bytes: int) -> bytes:
    """`size_bytes`, or all there is; a single read may give fewer (and at most 2 GiB)."""
    data = os.read(descriptor, size_bytes)
    while len(data) < size_bytes and (more := os.read(descriptor, size_bytes - len(data))):
        data += more
    return data
