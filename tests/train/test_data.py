"""Decoding into memory, its cache, and the split by concept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.train.data import centre, held_out, load_pictures


def load(run: Run, cache: Path, fit: str = "pad") -> object:
    samples = list(iter_samples(read_table(run.folder / "pool" / "manifest")))
    texts = [sample.alt_text for sample in samples]
    return load_pictures(samples, texts, texts, run.sources(), 32, cache, fit=fit)  # type: ignore[arg-type]


def test_unreadable_pictures_are_named_and_the_rest_keeps_its_text(shapes_run: Run, tmp_path: Path) -> None:
    root = shapes_run.sources().roots["shapes"]
    (root / "green-disc.png").write_bytes((root / "green-disc.png").read_bytes()[:80])
    (root / "blue-bar.png").unlink()
    pictures = load(shapes_run, tmp_path / "cache")
    assert len(pictures) == 10 == len(pictures.rgb)
    assert len(pictures.unreadable) == 2
    red = pictures.texts.index("red square")
    assert tuple(pictures.rgb[red][16, 16]) == (220, 30, 30)


def test_second_load_reads_the_cache(shapes_run: Run, tmp_path: Path) -> None:
    first = load(shapes_run, tmp_path / "cache")
    for path in shapes_run.sources().roots["shapes"].iterdir():
        path.unlink()
    again = load(shapes_run, tmp_path / "cache")
    assert np.array_equal(first.rgb, again.rgb)
    assert first.texts == again.texts


def test_centre_is_the_largest_centred_square() -> None:
    rgb = np.arange(3 * 7 * 3, dtype=np.uint8).reshape(3, 7, 3)
    assert np.array_equal(centre(rgb), rgb[:, 2:5])
    assert np.array_equal(centre(rgb.transpose(1, 0, 2)), rgb.transpose(1, 0, 2)[2:5])


def test_a_concept_falls_on_one_side_whatever_the_others() -> None:
    concepts = [f"concept {i}" for i in range(4000)]
    chosen = held_out(concepts, 0.1, 0)
    assert 0.08 < chosen.mean() < 0.12
    assert np.array_equal(held_out(concepts[7:20], 0.1, 0), chosen[7:20])
    assert not np.array_equal(held_out(concepts, 0.1, 1), chosen)
