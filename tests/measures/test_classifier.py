"""Classifiers of transformers' own classes: the same probabilities as transformers' pipeline gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from neural_models import export_onnx, save_classifier
from PIL import Image
from transformers import pipeline

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.measures.classifier import Classifier
from photogenic.measures.decode import Rgb
from photogenic.measures.preparation import Preparation
from photogenic.measures.scales import LeastSize
from photogenic.measures.unsafe import UnsafeByLabels

LABELS = ("normal", "NSFW", "drawing", "hentai")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "classifier"
    save_classifier(folder, LABELS)
    return folder


def test_probabilities_equal_the_pipeline(folder: Path, photographs: dict[str, Rgb], tmp_path: Path) -> None:
    export_onnx(save_classifier(tmp_path / "onnx", LABELS), tmp_path / "onnx")
    theirs = pipeline("image-classification", model=str(folder), top_k=len(LABELS))
    for rgb in photographs.values():
        expected = {answer["label"]: answer["score"] for answer in theirs(Image.fromarray(rgb))}
        for path in (folder, tmp_path / "onnx"):
            probabilities = Classifier(path)(rgb)
            np.testing.assert_allclose(
                probabilities, [expected[label] for label in LABELS], rtol=1e-4, atol=1e-6
            )
        unsafe = UnsafeByLabels(folder)(rgb)
        assert unsafe == pytest.approx(expected["NSFW"] + expected["hentai"], rel=1e-4)
        assert UnsafeByLabels(folder, ("drawing",))(rgb) == pytest.approx(expected["drawing"], rel=1e-4)


def test_pictures_are_wanted_no_smaller_than_the_view(folder: Path) -> None:
    assert Classifier(folder).least_size == UnsafeByLabels(folder).least_size == LeastSize(short_side_px=256)

    def least(size: tuple[int, int] | int | None) -> LeastSize | None:
        return Preparation(size, None, Image.Resampling.BICUBIC, 1.0, (0.0,) * 3, (1.0,) * 3).least_size

    assert least(384) == least((320, 384)) == LeastSize(short_side_px=384)
    assert least(None) is None  # it takes pixels as they are


def test_labels_that_are_not_there_are_a_sentence(folder: Path) -> None:
    with pytest.raises(RecipeError, match="It has normal, NSFW, drawing, hentai"):
        UnsafeByLabels(folder, ("porn",))


def test_a_model_without_labels_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingModelError, match="id2label"):
        Classifier(tmp_path)
