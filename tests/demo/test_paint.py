from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.core.errors import StorageError
from photogenic.demo.paint import WHITE, compose, encode, paint
from photogenic.demo.plan import Plan
from photogenic.demo.sources.sticker import Sticker

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
DISC = SVG.format('<circle cx="4.5" cy="4.5" r="4.5" fill="#e33"/>')
NOTHING = SVG.format("")


def plan(kind: str = "clean", art: str = DISC, key: str = "test-disc", of_key: str | None = None) -> Plan:
    sticker = Sticker("test-disc", "disc", "disc", (), "shapes", "test", "MIT", "the tests", art)
    return Plan(sticker, key, kind, of_key, "disc", (), 200, 0)


def test_composed_on_a_light_background_with_a_margin() -> None:
    corners = [tuple(compose(plan(), np.random.default_rng(seed))[0, 0]) for seed in range(200)]
    assert 0.8 < sum(corner == WHITE for corner in corners) / 200 < 0.97
    assert min(min(corner) for corner in corners) > 230
    rgb = compose(plan(), np.random.default_rng(0))
    assert rgb.shape[0] == rgb.shape[1]
    assert 208 <= rgb.shape[0] <= 248
    assert tuple(rgb[rgb.shape[0] // 2, rgb.shape[1] // 2]) == (0xEE, 0x33, 0x33)


def test_files_are_a_mix_of_formats() -> None:
    rgb = compose(plan(), np.random.default_rng(0))
    seen = set()
    for seed in range(30):
        content, suffix = encode(rgb, np.random.default_rng(seed))
        with Image.open(io.BytesIO(content)) as image:
            assert image.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[suffix]
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - rgb).mean() < 3
        seen.add(suffix)
    assert seen == {"png", "jpg", "webp"}


def test_an_exact_duplicate_has_the_same_bytes_and_a_near_one_has_not(tmp_path: Path) -> None:
    exact = plan("exact_duplicate", key="test-disc-2", of_key="test-disc")
    near = plan("near_duplicate", key="test-disc-3", of_key="test-disc")
    painted = [paint((tmp_path, one)) for one in (plan(), exact, near)]
    contents = [(tmp_path / one.file_name).read_bytes() for one in painted if one is not None]
    assert contents[0] == contents[1] != contents[2]


def test_the_truth_tells_how_much_changed(tmp_path: Path) -> None:
    coloured = paint((tmp_path, plan("grey")))
    assert coloured is not None
    assert float(coloured.parameters["mean_change"]) > 0.05
    black = paint((tmp_path, plan("grey", DISC.replace("#e33", "#000"), key="test-black")))
    assert black is not None
    assert float(black.parameters["mean_change"]) < 0.1


def test_what_draws_nothing_is_left_out(tmp_path: Path) -> None:
    assert paint((tmp_path, plan(art=NOTHING))) is None
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        paint((tmp_path / "file", plan()))
