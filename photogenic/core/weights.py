"""Where a model's files lie: a folder of one's own, or one that comes with photogenic."""

from __future__ import annotations

import re
from pathlib import Path

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import file_fingerprint, fingerprint

HUB_ID = re.compile(r"(?!models/|runs/)[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name
PACKAGED = Path(__file__).resolve().parent.parent / "weights"


def weights_folder(name_or_path: str | Path) -> Path:
    """The folder of a packaged model ("emu-tiny"), or `name_or_path` itself where it is a folder.

    Raises:
        MissingModelError: it is neither; the packaged names are listed.
    """
    path = Path(name_or_path).expanduser()
    if path.name == str(name_or_path) and (PACKAGED / path.name).is_dir():
        return PACKAGED / path.name
    if path.is_dir():
        return path
    fetched = ""
    if HUB_ID.fullmatch(str(name_or_path)) and not path.parent.exists():
        fetched = f" From the Hugging Face hub: hf download {name_or_path} --local-dir models/{path.name}"
    raise MissingModelError(
        f"There is no model {str(name_or_path)!r}: neither a folder nor a packaged name.",
        f"Packaged: {', '.join(packaged_weights()) or 'none'}."
        f" A relative path starts at the working directory.{fetched}",
    )


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
