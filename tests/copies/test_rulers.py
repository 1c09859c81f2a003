from __future__ import annotations

import numpy as np
import pytest

from photogenic.copies.rulers import Ruler, nearest, rulers, spread

PIXELS: Ruler = rulers(None)[0]


def test_pixels_are_told_apart_by_their_root_mean_square() -> None:
    black, grey = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 51, np.uint8)
    red = black.copy()
    red[:, :32, 0] = 255  # a half, in one of three channels
    vectors = PIXELS.vectors_of([black, grey, red])
    found = [PIXELS.in_units(nearest(vectors[:1], vectors[row : row + 1])[1])[0] for row in (1, 2)]
    assert found == pytest.approx([0.2, np.sqrt(1 / 6)], abs=1e-5)


@pytest.mark.parametrize("cells", [2**22, 90])  # all at once, and three rows at a time
def test_the_nearest_is_that_of_all_pairs(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photogenic.copies.rulers.CELLS_AT_ONCE", cells)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 5)).astype(np.float32), rng.normal(size=(30, 5)).astype(np.float32)
    squared = np.square(a[:, None].astype(np.float64) - b[None]).sum(axis=2)
    rows, distances = nearest(a, b)
    assert rows.tolist() == squared.argmin(axis=1).tolist()
    np.testing.assert_allclose(distances, squared.min(axis=1), atol=1e-9)
    own = np.square(b[:, None].astype(np.float64) - b[None]).sum(axis=2)
    np.fill_diagonal(own, np.inf)
    rows, distances = nearest(b, b, itself=np.arange(30))
    assert rows.tolist() == own.argmin(axis=1).tolist()
    np.testing.assert_allclose(distances, own.min(axis=1), atol=1e-9)


@pytest.mark.parametrize("cells", [2**22, 6])  # all at once, and two rows at a time
def test_the_spread_is_the_mean_over_pairs(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photogenic.copies.rulers.CELLS_AT_ONCE", cells)
    vectors = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 0.4]], np.float32)
    assert spread(vectors, PIXELS) == pytest.approx((0.3 + 0.4 + 0.5) / 3, abs=1e-6)
