"""Image classifiers of the `transformers` library: what is unsafe, and what a picture shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError
from photogenic.measures.decode import Rgb
from photogenic.measures.inference import open_towers
from photogenic.measures.preparation import read_preparation

Probabilities = NDArray[np.float32]


class Classifier:
    """An image-classification model; `labels` in the order of its outputs."""

    def __init__(self, folder: Path) -> None:
        self.labels = read_labels(folder)
        self._view = read_preparation(folder)
        self.least_size = self._view.least_size  # of what it is shown
        self._logits = open_towers(folder, "classifier")["logits"]

    def __call__(self, rgb: Rgb) -> Probabilities:
        """[L] of [H, W, 3]."""
        return np.asarray(self.batch([rgb])[0])

    def batch(self, pictures: Sequence[Rgb]) -> Probabilities:
        """[B, L] in 0-1 of pictures [H, W, 3] of any sizes; each row sums to one (softmax)."""
        if not pictures:
            return np.empty((0, len(self.labels)), np.float32)
        logits = self._logits({"pixel_values": np.stack([self._view(rgb) for rgb in pictures])})
        relative = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(relative / relative.sum(axis=1, keepdims=True), np.float32)


def read_labels(folder: Path) -> tuple[str, ...]:
    """What config.json calls the outputs.

    Raises:
        MissingModelError: it does not name them, or names fewer than two.
    """
    path = folder / "config.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        labels = tuple(str(names[str(number)]) for number in range(len(names)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingModelError(f"{path} does not name a classifier's labels (id2label).") from error
    if len(labels) < 2:
        raise MissingModelError(f"{path} names {len(labels)} label; a classifier here has two or more.")
    return labels
