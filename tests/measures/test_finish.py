from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.ensemble import ExtraTreesClassifier

from photogenic.core.errors import DecodeError
from photogenic.measures.appeal import appeal_score
from photogenic.measures.decode import Rgb
from photogenic.measures.finish import COLUMNS, Forest, finish, forest, matrix_of, measured


def file_of(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_the_forest_answers_as_the_trees_it_was_made_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 6))
    is_good = matrix[:, 0] * matrix[:, 1] + rng.normal(0, 0.3, 300) > 0
    trees = ExtraTreesClassifier(25, min_samples_leaf=2, random_state=0).fit(
        matrix.astype(np.float32), is_good, rng.uniform(0.5, 2, 300)
    )
    made = Forest.of_trees([tree.tree_ for tree in trees.estimators_], list("abcdef"))
    others = rng.normal(size=(200, 6))
    expected = trees.predict_proba(others.astype(np.float32))[:, 1]
    np.testing.assert_allclose(made.score(others), expected, atol=1e-6)
    one_by_one = [made.score(row[None])[0] for row in others]
    np.testing.assert_array_equal(one_by_one, made.score(others))
    made.save(tmp_path / "forest.npz")
    loaded = Forest.load(tmp_path / "forest.npz")
    assert loaded.columns == tuple("abcdef")
    np.testing.assert_array_equal(loaded.score(others), made.score(others))


def test_the_forest_that_comes_along_reads_the_columns_of_today() -> None:
    assert forest().columns == COLUMNS


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_spoiled_copies_are_below_their_photograph(name: str, photographs: dict[str, Rgb]) -> None:
    image = Image.fromarray(photographs[name])
    rng = np.random.default_rng(0)
    blobs = rng.normal(0, 40, (image.height // 4 + 1, image.width // 4 + 1, 3))
    blobs -= blobs.mean(axis=2, keepdims=True)
    planes = [Image.fromarray(blobs[..., c].astype(np.float32)).resize(image.size) for c in range(3)]
    blotchy = np.clip(np.asarray(image) + np.stack(planes, axis=2), 0, 255).astype(np.uint8)
    spoiled = [
        image.filter(ImageFilter.GaussianBlur(2)),
        image.filter(ImageFilter.UnsharpMask(3, 400, 0)),
        Image.fromarray(blotchy),
        image.point(lambda level: round(level * 0.4) + 110),
    ]
    probability, score = finish(file_of(image))
    assert probability is not None and score is not None
    for each in spoiled:
        other_probability, other_score = finish(file_of(each))
        assert other_probability is not None and other_score is not None
        assert other_probability < probability - 0.2
        assert other_score < score / 2


def test_the_score_is_the_probability_times_the_appeal(photographs: dict[str, Rgb]) -> None:
    data = file_of(Image.fromarray(photographs["coffee"]))
    values = measured(data)
    assert set(values) == set(COLUMNS)
    probability, score = finish(data)
    assert probability == forest().score(matrix_of([values]))[0]
    assert score == pytest.approx(probability * appeal_score(values))


def test_what_is_too_small_has_no_score_and_what_is_no_picture_raises() -> None:
    assert finish(file_of(Image.new("RGB", (120, 300), "teal"))) == (None, None)
    with pytest.raises(DecodeError):
        finish(b"no picture")
