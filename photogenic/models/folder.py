"""A model's folder, looked at before anything is loaded from it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from photogenic.core.errors import MissingModelError, StorageError
from photogenic.core.shards import read_json, write_json

MODEL_INDEX = "model_index.json"
ORIGIN_KEYS = frozenset({"_name_or_path", "is_local", "local_files_only"})
PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})


def refuse_pickles(folder: Path) -> None:
    """A pickle runs code when it is opened, so a folder that holds one is not loaded at all.

    Raises:
        MissingModelError: names the first such file.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLE_SUFFIXES:
            raise MissingModelError(
                f"{path} is a pickle, which can run code when opened, so {folder} is not loaded.",
                "Convert the weights to safetensors and remove the pickle.",
            )


def refuse_components_in_pickles(folder: Path) -> None:
    """As `refuse_pickles`, but a pickle that lies beside the same component's safetensors is merely not read.

    Folders of other projects often hold both.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not any(path.glob("*.safetensors")):
            refuse_pickles(path)


def check_weights(folder: Path) -> None:
    """Read the head of every safetensors file below `folder`, which also tells whether its end is there.

    Raises:
        MissingModelError: names the file that is cut off or is no safetensors file.
    """
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(path, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise MissingModelError(
                f"{path} is not readable as safetensors: {error}.", "Copy or save the model again."
            ) from error


def forget_origin(folder: Path) -> None:
    """Remove from the saved configurations whence and how a model was once loaded.

    It would differ between two runs that are otherwise equal, and it is nobody's business.
    """
    for path in sorted(folder.rglob("*.json")):
        config = read_json(path)
        if isinstance(config, dict) and ORIGIN_KEYS & config.keys():
            write_json(path, {key: value for key, value in config.items() if key not in ORIGIN_KEYS})


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty sibling folder to write to; on success it is fsynced and takes the place of `folder`.

    A kill leaves the old folder or the new one. Only between the two renames of a replacement is neither
    there; both then lie complete beside it, and writing again tidies up.

    Raises:
        StorageError: the disk is full; what was there before is untouched.
    """
    # Not ".tmp": what a killed process leaves under such a name is unlinked as a file before a stage goes on.
    temporary, old = (folder.with_name(f".{folder.name}.{end}") for end in ("new", "old"))
    for left_behind in (temporary, old):
        shutil.rmtree(left_behind, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _fsync(temporary)
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        _fsync(folder.parent, recursive=False)
    except (OSError, SafetensorError) as error:
        if "No space left" in str(error) or "Disk quota" in str(error):
            raise StorageError(
                f"The disk is full: {folder} was not written.",
                "Free some space and run the same command again.",
            ) from error
        raise
    finally:
        for left_behind in (temporary, old):
            shutil.rmtree(left_behind, ignore_errors=True)


def _fsync(folder: Path, *, recursive: bool = True) -> None:
    for path in [folder, *(folder.rglob("*") if recursive else ())]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
