"""PNG files that tell how they were made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photogenic.generate.pictures import is_written, read_parameters, write_grid, write_picture

PARAMETERS: dict[str, Any] = {
    "prompt": "ein grüner Baum",
    "negative_prompt": "blur",
    "seed": 7,
    "guidance_scale": 4.0,
    "num_inference_steps": 20,
    "sampler": "DPM++ 2M",
    "model": "base",
    "weights": "0123456789abcdef",
}


def picture(seed: int = 0, height: int = 24, width: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_pixels_and_parameters_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_picture(path, picture(), PARAMETERS)
    told = read_parameters(path)
    assert told is not None
    assert {name: told[name] for name in PARAMETERS} == PARAMETERS
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), picture())
        assert image.info["parameters"].splitlines() == [
            "ein grüner Baum",
            "Negative prompt: blur",
            "Steps: 20, Sampler: DPM++ 2M, CFG scale: 4.0, Seed: 7, Size: 40x24, "
            "Model hash: 0123456789abcdef, Model: base",
        ]
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_only_a_whole_picture_of_the_same_parameters_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert not is_written(path, PARAMETERS)
    write_picture(path, picture(), PARAMETERS)
    assert is_written(path, PARAMETERS)
    for name, other in {"seed": 8, "prompt": "x", "weights": "f" * 16, "guidance_scale": 5.0}.items():
        assert not is_written(path, PARAMETERS | {name: other})
    os.truncate(path, path.stat().st_size - 1)
    assert not is_written(path, PARAMETERS)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_rubbish_is_not_a_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert read_parameters(tmp_path / "a.png") is None
    assert not is_written(tmp_path / "a.png", PARAMETERS)


def test_a_picture_of_somebody_else_tells_nothing(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    assert read_parameters(tmp_path / "a.png") is None


def test_grid_holds_every_picture_in_its_cell(tmp_path: Path) -> None:
    paths = []
    for seed in range(5):
        paths.append(tmp_path / f"{seed}.png")
        write_picture(paths[-1], picture(seed), PARAMETERS)
    write_grid(tmp_path / "grid.png", paths, num_columns=2)
    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (3 * 24 + 2 * 2, 2 * 40 + 2, 3)
    for seed in range(5):
        top, left = (seed // 2) * 26, (seed % 2) * 42
        np.testing.assert_array_equal(grid[top : top + 24, left : left + 40], picture(seed))
    write_grid(tmp_path / "square.png", paths)
    assert Image.open(tmp_path / "square.png").size == (3 * 42 - 2, 2 * 26 - 2)


def test_grid_shrinks_large_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", picture(0, 300, 600), PARAMETERS)
    write_grid(tmp_path / "grid.png", [tmp_path / "a.png"])
    assert Image.open(tmp_path / "grid.png").size == (256, 128)
