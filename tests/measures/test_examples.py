"""benchmarks/examples.py: what was kept is taken again, and drawn anew where an earlier version kept less."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from examples import FIELDS, _examples_of


@pytest.mark.parametrize(("draw", "lacking"), [(".rare", "formats"), ("", "large")])
def test_what_lacks_a_field_is_drawn_again_and_is_the_same(tmp_path: Path, draw: str, lacking: str) -> None:
    numbers = {"intact": [1], "spoiled": [1], "unusual": 1, "rare": 1, "framing": True}
    options = argparse.Namespace(**numbers, seed=0, examples=tmp_path)
    first = _examples_of([], options, 0)
    assert first is not None and len(first.kinds) == len(first.formats) == len(first.crops) == 13
    lost = tmp_path / f"shipped-0{draw}.npz"
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with np.load(lost) as arrays:
        np.savez(lost, **{name: values for name, values in arrays.items() if name != lacking})
    again = _examples_of([], options, 0)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(again, field), getattr(first, field))
    assert again is not None
    np.testing.assert_array_equal(again.photograph, first.photograph)
    with np.load(lost) as arrays:
        assert lacking in arrays
    assert all(path == lost or path.stat().st_mtime_ns == when for path, when in kept.items())


def test_what_was_measured_by_fewer_columns_is_drawn_again(tmp_path: Path) -> None:
    numbers = {"intact": [1], "spoiled": [1], "unusual": 0, "rare": 0, "framing": False}
    options = argparse.Namespace(**numbers, seed=0, examples=tmp_path)
    first = _examples_of([], options, 0)
    (path,) = tmp_path.iterdir()
    with np.load(path) as arrays:
        np.savez(path, **dict(arrays) | {"matrix": arrays["matrix"][:, :-1]})
    again = _examples_of([], options, 0)
    assert first is not None and again is not None
    np.testing.assert_array_equal(again.matrix, first.matrix)
