from __future__ import annotations

import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.ensemble import ExtraTreesClassifier

from photogenic.core.errors import DecodeError
from photogenic.measures.appeal import appeal_score
from photogenic.measures.darkroom import NUM_ASPECTS
from photogenic.measures.decode import Rgb
from photogenic.measures.finish import (
    COLUMNS,
    LEAST,
    PRIORS,
    SURER,
    Forest,
    finish,
    forest,
    matrix_of,
    measured,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from examples import ALL_ASPECTS


def file_of(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_the_forest_answers_as_the_trees_it_was_made_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix, others = rng.normal(size=(300, 6)), rng.normal(size=(200, 6))
    trees, expected = {}, []
    for aspect, good in {"one": matrix[:, 0] * matrix[:, 1], "other": matrix[:, 2]}.items():
        forest = ExtraTreesClassifier(25, min_samples_leaf=2, random_state=0).fit(
            matrix.astype(np.float32), good + rng.normal(0, 0.3, 300) > 0, rng.uniform(0.5, 2, 300)
        )
        trees[aspect] = [tree.tree_ for tree in forest.estimators_]
        expected.append(forest.predict_proba(others.astype(np.float32))[:, 1])
    made = Forest.of_trees(trees, list("abcdef"))
    np.testing.assert_allclose(made.answers(others), np.transpose(expected), atol=1e-6)
    odds = (1 / np.maximum(expected, LEAST) - 1) ** SURER
    np.testing.assert_allclose(made.score(others), 1 / (1 + odds.sum(axis=0)), atol=1e-5)
    assert (made.score(others) <= np.min(1 / (1 + odds), axis=0) + 1e-6).all()
    rarer = replace(made, aspects=("one", "proportions"))
    np.testing.assert_allclose(rarer.odds(others).T, odds * [[1], [PRIORS["proportions"]]], rtol=1e-4)
    assert (rarer.score(others) > made.score(others)).all()
    one_by_one = [made.score(row[None])[0] for row in others]
    np.testing.assert_array_equal(one_by_one, made.score(others))
    made.save(tmp_path / "forest.npz")
    loaded = Forest.load(tmp_path / "forest.npz")
    assert loaded.columns == tuple("abcdef")
    assert loaded.aspects == ("one", "other")
    np.testing.assert_array_equal(loaded.answers(others), made.answers(others))


def test_the_forest_that_comes_along_reads_the_columns_of_today() -> None:
    assert forest().columns == COLUMNS
    assert forest().aspects == tuple(ALL_ASPECTS)
    assert len(ALL_ASPECTS) == NUM_ASPECTS + 1  # the second network is asked for all but proportions


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_spoiled_copies_are_below_their_photograph(name: str, photographs: dict[str, Rgb]) -> None:
    image = Image.fromarray(photographs[name])
    rng = np.random.default_rng(0)
    blobs = rng.normal(0, 40, (image.height // 4 + 1, image.width // 4 + 1, 3))
    blobs -= blobs.mean(axis=2, keepdims=True)
    planes = [Image.fromarray(blobs[..., c].astype(np.float32)).resize(image.size) for c in range(3)]
    blotchy = np.clip(
        np.asarray(image) + np.stack([np.asarray(each) for each in planes], axis=2), 0, 255
    ).astype(np.uint8)
    spoiled = [
        image.filter(ImageFilter.GaussianBlur(2)),
        image.filter(ImageFilter.UnsharpMask(3, 400, 0)),
        Image.fromarray(blotchy),
        image.point(lambda level: round(level * 0.4) + 110),
    ]
    found = finish(file_of(image))
    assert found is not None
    for each in spoiled:
        other = finish(file_of(each))
        assert other is not None
        assert other.probability < found.probability - 0.2
        assert other.score < found.score / 2


def test_the_weakest_aspect_is_told(photographs: dict[str, Rgb]) -> None:
    image = Image.fromarray(photographs["coffee"])
    (width, height), leaning = image.size, image.rotate(14, Image.Resampling.BICUBIC)
    failing = {
        "focus": image.filter(ImageFilter.GaussianBlur(3)),
        "level": leaning.crop((width // 5, height // 5, width * 4 // 5, height * 4 // 5)),
        "colour": ImageEnhance.Color(image).enhance(0.15),
        "contrast": image.point(lambda level: round(level * 0.4) + 110),
    }
    told = {aspect: finish(file_of(each)) for aspect, each in failing.items()}
    assert {aspect: each and each.weakest for aspect, each in told.items()} == {
        each: each for each in failing
    }


def test_the_score_is_the_probability_times_the_fourth_root_of_the_appeal(
    photographs: dict[str, Rgb],
) -> None:
    data = file_of(Image.fromarray(photographs["coffee"]))
    values = measured(data)
    assert set(values) == set(COLUMNS)
    found = finish(data)
    assert found is not None
    assert found.probability == forest().score(matrix_of([values]))[0]
    assert found.score == pytest.approx(10 * found.probability * (appeal_score(values) / 10) ** 0.25)


def test_what_is_too_small_has_no_score_and_what_is_no_picture_raises() -> None:
    assert finish(file_of(Image.new("RGB", (120, 300), "teal"))) is None
    with pytest.raises(DecodeError):
        finish(b"no picture")
