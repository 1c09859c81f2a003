"""Networks: ONNX sessions of one thread, and the door to torch.

torch is not imported here, nor by anything that is. Who can run safetensors says so as an entry point of the
group `photogenic.runtimes` (ours is `photogenic.models.towers:open_towers`, of the extra [train]); it is
looked up by name when a model needs it. See docs/decisions/0019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import MissingExtraError, MissingModelError

RUNTIMES = "photogenic.runtimes"
GPU = Path("/dev/nvidia0")

Kind = Literal["clip", "classifier"]
Arrays = Mapping[str, NDArray[Any]]
Tower = Callable[[Arrays], NDArray[np.float32]]  # named inputs, each [B, ...] -> [B, D]

# Files and outputs of the exports that are in use: transformers.js and optimum.
ONNX_FILES: dict[Kind, dict[str, tuple[str, ...]]] = {
    "clip": {
        "image": ("clip-image.onnx", "onnx/vision_model.onnx", "vision_model.onnx"),
        "text": ("clip-text.onnx", "onnx/text_model.onnx", "text_model.onnx"),
    },
    "classifier": {"logits": ("onnx/model.onnx", "model.onnx")},
}
OUTPUTS = {
    "image": ("image_embeds", "pooler_output"),
    "text": ("text_embeds", "pooler_output"),
    "logits": ("logits",),
}


def shipped_with(package: str, pattern: str) -> Path:
    """The first file in an installed package that matches `pattern`; the package is not imported."""
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    raise MissingModelError(
        f"The package {package} has no file {pattern}.", f"Install it again: pip install {package}"
    )


def onnx_session(path: Path) -> Any:
    """An onnxruntime.InferenceSession on the CPU with one thread: workers are processes."""
    import onnxruntime

    if not path.is_file():
        raise MissingModelError(f"There is no model at {path}.", "Check the recipe's path to the model.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for every status code, and no common one
        raise MissingModelError(f"{path} is no model that ONNX Runtime can load: {error}") from error


def open_towers(folder: Path, kind: Kind) -> dict[str, Tower]:
    """The networks of a model: `image` and `text` of a CLIP or SigLIP, `logits` of a classifier.

    Raises:
        MissingModelError: the files are no such model.
        MissingExtraError: they are safetensors, and torch is not installed.
    """
    if runtime_of(folder, kind) == "onnx":
        return {name: OnnxTower(_onnx_file(folder, kind, name), name) for name in ONNX_FILES[kind]}
    (point,) = entry_points(group=RUNTIMES, name="torch")
    towers: dict[str, Tower] = point.load()(folder, kind)
    return towers


def runtime_of(folder: Path, kind: Kind) -> Literal["onnx", "torch"]:
    """ONNX Runtime on a CPU, torch where a GPU is at hand or there are no ONNX files."""
    has_onnx = all(_onnx_file(folder, kind, name) is not None for name in ONNX_FILES[kind])
    if any(folder.glob("*.safetensors")):
        if GPU.exists() and has_torch():
            return "torch"
        if not has_onnx:
            if has_torch():
                return "torch"
            raise MissingExtraError("train", f"{folder.name} has safetensors and no ONNX files, so it")
    elif not has_onnx:
        wanted = " or ".join(names[-1] for names in ONNX_FILES[kind].values())
        raise MissingModelError(
            f"{folder} holds no {'CLIP' if kind == 'clip' else kind}: neither {wanted} nor safetensors.",
            "Check the recipe's `model`.",
        )
    return "onnx"


def runtime_version(folder: Path, kind: Kind) -> str:
    """What besides the files could change the last digits of a score."""
    if runtime_of(folder, kind) == "onnx":
        return f"onnxruntime {version('onnxruntime')}"
    device = "gpu" if GPU.exists() else "cpu"
    return f"torch {version('torch')} {version('transformers')} {device}"


@cache
def has_torch() -> bool:
    """Whether a runtime for safetensors is installed; nothing is imported."""
    return bool(entry_points(group=RUNTIMES, name="torch")) and find_spec("torch") is not None


class OnnxTower:
    """A session that takes of its inputs those that the file knows."""

    def __init__(self, path: Path | None, name: str) -> None:
        if path is None:
            raise MissingModelError(f"An ONNX file is missing: {' or '.join(OUTPUTS[name])}.")
        self._session = onnx_session(path)
        self._inputs = [node.name for node in self._session.get_inputs()]
        outputs = [node.name for node in self._session.get_outputs()]
        self._output = next((known for known in OUTPUTS[name] if known in outputs), outputs[0])

    def __call__(self, inputs: Arrays) -> NDArray[np.float32]:
        """inputs: [B, ...] each -> [B, D]."""
        given = {name: np.ascontiguousarray(inputs[name]) for name in self._inputs}
        (vectors,) = self._session.run([self._output], given)
        return np.asarray(vectors, np.float32)


def _onnx_file(folder: Path, kind: Kind, name: str) -> Path | None:
    return next((folder / file for file in ONNX_FILES[kind][name] if (folder / file).is_file()), None)
