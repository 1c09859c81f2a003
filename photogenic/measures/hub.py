"""Where a neural model's files lie: a Hugging Face id, one's own folder, or one that comes with photogenic.

Only ONNX and safetensors are taken: a pickle (`pytorch_model.bin`, `head.pth`) can run code when opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.core.weights import PACKAGED

WEIGHTS = ("*.onnx", "*.safetensors")
BESIDE = ("*.json", "*.txt", "*.onnx_data", "*.onnx.data")  # what else is fetched, and tells revisions apart
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelFolder:
    """A model's files on this machine."""

    path: Path
    name: str  # as the recipe has it
    revision: str  # the hub's commit, or a fingerprint of the files


def model_folder(name_or_path: str | Path) -> ModelFolder:
    """The folder (or single safetensors file) of `name_or_path`; an id of the hub is fetched once.

    `org/name@revision` names a branch, tag or commit. What is in the hub's cache is taken as it is, so that
    a pool is scored with one revision until another one is asked for.

    Raises:
        MissingModelError: it is nowhere, cannot be fetched, or holds only pickled weights.
    """
    return _resolved(str(name_or_path))


@lru_cache(maxsize=64)
def _resolved(name: str) -> ModelFolder:
    path = folder_here(name) or _from_hub(name)
    _refuse_pickles(path, name)
    commit = path.name if COMMIT.fullmatch(path.name) and path.parent.name == "snapshots" else ""
    return ModelFolder(path, name, commit or _files_fingerprint(path))


def folder_here(name: str) -> Path | None:
    """The folder or file of `name` where it is on this machine already; nothing is fetched."""
    path = Path(name).expanduser()
    if path.name == name and (PACKAGED / name).is_dir():
        return PACKAGED / name
    if path.exists():
        return path
    if HUB_ID.fullmatch(name) is None:
        return None
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _snapshot(name, here=True)
    except LocalEntryNotFoundError:
        return None


def _snapshot(name: str, *, here: bool) -> Path:
    from huggingface_hub import snapshot_download

    match = HUB_ID.fullmatch(name)
    if match is None:
        raise MissingModelError(
            f"There is no model {name!r}: no folder, no packaged name, and no Hugging Face id (org/name).",
            "A relative path starts at the working directory.",
        )
    patterns = [*WEIGHTS, *BESIDE]
    return Path(
        snapshot_download(
            match["id"], revision=match["revision"], allow_patterns=patterns, local_files_only=here
        )
    )


def _from_hub(name: str) -> Path:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return _snapshot(name, here=False)
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise MissingModelError(
            f"The model {name} is neither on this machine nor can it be fetched: {reason}",
            "Check its name and the network, or give the path of a folder.",
        ) from error


def files_like(path: Path, *patterns: str) -> list[Path]:
    """The files below `path` (or `path` itself) that match one of the patterns, sorted."""
    if path.is_file():
        return [path] if any(path.match(pattern) for pattern in patterns) else []
    return sorted({file for pattern in patterns for file in path.rglob(pattern) if file.is_file()})


def clip_files(folder: Path) -> list[Path]:
    """What `ClipScorer` reads: of our own layout, which may be a whole pipeline's folder, the CLIP alone."""
    if not (folder / "clip.json").is_file():
        return files_like(folder, *WEIGHTS, *BESIDE)
    found = [*folder.glob("clip*"), *(folder / "tokenizer" / name for name in TOKENIZER)]
    return sorted(file for file in found if file.is_file())


def _refuse_pickles(path: Path, name: str) -> None:
    if files_like(path, *WEIGHTS):
        return
    pickled = [file.name for file in files_like(path, *(f"*{suffix}" for suffix in PICKLES))]
    if pickled:
        raise MissingModelError(
            f"{name} holds pickled weights only ({', '.join(pickled[:3])}); a pickle can run code when it is"
            " opened, and is refused.",
            "Take a revision with safetensors or ONNX files, or convert it where you trust it.",
        )
    raise MissingModelError(f"{name} holds no model: neither ONNX nor safetensors files.")


def _files_fingerprint(path: Path) -> str:
    """Of names and bytes, wherever the folder lies."""
    if (path / "clip.json").is_file():  # of a diffusers folder only its CLIP counts
        files = [*path.glob("clip*"), path / "tokenizer" / "tokenizer.json"]
        files = sorted(file for file in files if file.is_file())
    else:
        files = files_like(path, *WEIGHTS, *BESIDE)
    root = path.parent if path.is_file() else path
    return fingerprint([[file.relative_to(root).as_posix(), file_fingerprint(file)] for file in files])
