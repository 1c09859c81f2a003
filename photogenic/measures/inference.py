"""ONNX models: where a package keeps them, and sessions of one thread."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from photogenic.core.errors import MissingModelError


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
