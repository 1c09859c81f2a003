"""Where a model's files lie: one's own folder, the hub's cache, or one that comes with photogenic."""

from __future__ import annotations

import re
from pathlib import Path

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import file_fingerprint, fingerprint

HUB_ID = re.compile(  # owner/name, owner/name@revision
    r"(?!models/|runs/)(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?"
)
PACKAGED = Path(__file__).resolve().parent.parent / "weights"


def weights_folder(name_or_path: str | Path) -> Path:
    """The folder of a packaged model ("emu-tiny"), `name_or_path` itself where it is a folder, or what the
    hub's cache has under that id (owner/name or owner/name@revision).

    Nothing is fetched: a base model has gigabytes, and a plan must not cost them.

    Raises:
        MissingModelError: it is none of them; the packaged names are listed, and how to fetch it.
    """
    path = Path(name_or_path).expanduser()
    if path.name == str(name_or_path) and (PACKAGED / path.name).is_dir():
        return PACKAGED / path.name
    if path.is_dir():
        return path
    match = None if path.parent.exists() else HUB_ID.fullmatch(str(name_or_path))
    if match is not None and (snapshot := _cached(match["repository"], match["revision"])) is not None:
        return snapshot
    fetched = "" if match is None else f" From the Hugging Face hub, once: {_fetching(**match.groupdict())}"
    raise MissingModelError(
        f"There is no model {str(name_or_path)!r}: neither a folder nor a packaged name.",
        f"Packaged: {', '.join(packaged_weights()) or 'none'}."
        f" A relative path starts at the working directory.{fetched}",
    )


def _cached(repository: str, revision: str | None) -> Path | None:
    """The snapshot that the hub's cache holds."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        return None
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _fetching(repository: str, revision: str | None) -> str:
    """The command that fills the cache; a pickle would be refused, so none is fetched."""
    of = "" if revision is None else f" --revision {revision}"
    return f"hf download {repository}{of} --include '*.safetensors' '*.json' '*.txt' '*.model'"


def packaged_weights() -> list[str]:
    """Names of the models that come with photogenic."""
    if not PACKAGED.is_dir():
        return []
    return sorted(
        folder.name for folder in PACKAGED.iterdir() if folder.is_dir() and folder.name[0].isalnum()
    )


def folder_fingerprint(folder: Path, pattern: str = "**/*") -> str:
    """What identifies a model: the names and bytes of its files, wherever the folder lies."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return fingerprint([[path.relative_to(folder).as_posix(), file_fingerprint(path)] for path in files])
