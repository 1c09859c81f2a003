"""Pictures on demand: prompts or a file, what a family is drawn with, the unsafe check, several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from photogenic.core.errors import PhotogenicError, RecipeError
from photogenic.core.shards import read_table
from photogenic.generate.on_demand import generate_from_command, prompts_or_file
from photogenic.generate.pictures import read_parameters
from photogenic.generate.settings import FAMILY_WAYS, family_way


def test_a_word_that_names_a_file_is_one(tmp_path: Path) -> None:
    assert prompts_or_file(["a red fox"]) == ["a red fox"]
    assert prompts_or_file(["draw readme.txt in ink"]) == ["draw readme.txt in ink"]
    path = tmp_path / "prompts.txt"
    path.write_text("a cat\n")
    assert prompts_or_file([str(path)]) == path
    with pytest.raises(RecipeError, match="There is no file of prompts absent"):
        prompts_or_file(["absent.tsv"])


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".csv", ".parquet"])
def test_every_kind_of_file_draws_the_same(tmp_path: Path, weights: dict[str, Path], suffix: str) -> None:
    path = tmp_path / f"prompts{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({"prompt": ["a cat"], "category": ["Animals"]}), path)
    else:
        between = {".txt": None, ".tsv": "\t", ".csv": ","}[suffix]
        path.write_text("a cat\n" if between is None else f"Prompt{between}Category\na cat{between}Animals\n")
    generate_from_command(str(weights["base"]), path, 1, 0, tmp_path / "out", num_inference_steps=1)
    [row] = read_table(tmp_path / "out" / "base" / "manifest.parquet").to_pylist()
    assert row["prompt"] == "a cat" and row["category"] == ("" if suffix == ".txt" else "Animals")


def test_what_is_left_open_is_the_familys_way_and_is_told(tmp_path: Path, weights: dict[str, Path]) -> None:
    assert family_way(weights["base"]) == FAMILY_WAYS["EmuPipeline"]
    generate_from_command(str(weights["base"]), ["a cat"], 1, 0, tmp_path, sampler="euler")
    [picture] = (tmp_path / "base").glob("a-cat-*.png")
    told = read_parameters(picture)
    assert told is not None
    assert (told["guidance_scale"], told["num_inference_steps"], told["sampler"]) == (4.0, 20, "euler")
    assert "Sampler: Euler," in Image.open(picture).info["parameters"]


def test_pictures_alone_in_eights_and_in_any_order_agree(tmp_path: Path, weights: dict[str, Path]) -> None:
    """To the bit for one batch size; another one moves last bits, so a few values by one step of 255."""
    prompts = ["a cat", "red apple", "a big dog", "house", "tree", "a bird", "sun", "the moon"]

    def drawn(order: list[str], folder: str, batch_size: int | None) -> dict[str, np.ndarray]:
        out = tmp_path / folder
        options = {"num_inference_steps": 4, "batch_size": batch_size}
        generate_from_command(str(weights["base"]), order, 1, 3, out, **options)
        pictures = (out / "base").glob("*-3.png")
        return {path.name: np.asarray(Image.open(path)).astype(int) for path in pictures}

    eights, backwards = drawn(prompts, "eights", None), drawn(prompts[::-1], "backwards", None)
    single, alone = drawn(prompts, "single", 1), drawn(prompts[4:5], "alone", None)
    assert len(eights) == 8 and all(np.array_equal(backwards[name], eights[name]) for name in eights)
    assert all(np.array_equal(image, eights[name]) for name, image in alone.items())
    gaps = np.stack([np.abs(single[name] - eights[name]) for name in eights])
    assert gaps.max() <= 1 and (gaps > 0).mean() < 1e-3


def test_what_looks_unsafe_is_withheld_where_asked(tmp_path: Path, weights: dict[str, Path]) -> None:
    """Every picture has some probability: below a limit of 0 none comes out, below 1 all do."""
    options = {"num_inference_steps": 1}
    generate_from_command(
        str(weights["base"]), ["a cat"], 1, 0, tmp_path / "some", max_unsafe_prob=1.0, **options
    )
    [picture] = (tmp_path / "some" / "base").glob("a-cat-*.png")
    told = read_parameters(picture)
    assert told is not None and 0 < told["unsafe_prob"] < 1 and "withheld" not in told
    assert np.asarray(Image.open(picture)).std() > 0

    out = tmp_path / "none" / "base"
    for _ in range(2):  # the second time it is there, and not drawn again
        generate_from_command(
            str(weights["base"]), ["a cat"], 1, 0, out.parent, max_unsafe_prob=0.0, **options
        )
    [picture] = out.glob("a-cat-*.png")
    told = read_parameters(picture)
    assert told is not None and told["withheld"] is True
    assert np.unique(np.asarray(Image.open(picture))).tolist() == [128]
    assert read_table(out / "manifest.parquet").num_rows == 0


def test_mistakes_are_said(tmp_path: Path, weights: dict[str, Path]) -> None:
    base = str(weights["base"])
    with pytest.raises(RecipeError, match="'eulr' is no sampler"):
        generate_from_command(base, ["x"], 1, 0, tmp_path, sampler="eulr")
    with pytest.raises(RecipeError, match="no part of the steps"):
        generate_from_command(base, ["x"], 1, 0, tmp_path, guidance_interval=(0.8, 0.2))
    with pytest.raises(PhotogenicError, match="does not work on this model's noise schedule"):
        generate_from_command(base, ["x"], 1, 0, tmp_path, sampler="FlowMatchEulerDiscreteScheduler")


def test_two_processes_share_a_file_of_prompts(tmp_path: Path, weights: dict[str, Path]) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"prompt number {number}\n" for number in range(7)))
    options = ["--steps", "1", "--batch-size", "1", "--seed", "2", "-n", "1", "--device", "cpu"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "photogenic"]
    command = [
        *launcher,
        "generate",
        str(weights["base"]),
        str(prompts),
        *options,
        "--out",
        str(tmp_path / "two"),
    ]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300)
    alone = {"num_inference_steps": 1, "batch_size": 1}
    generate_from_command(str(weights["base"]), prompts, 1, 2, tmp_path / "one", **alone)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / out / "base").iterdir()}
        for out in ("one", "two")
    )
    assert len(one) == 7 + 2 and one == two


def test_a_device_that_is_not_there_is_said(
    tmp_path: Path, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PhotogenicError, match="has no `cuda` that torch can use"):
        generate_from_command(str(weights["base"]), ["a cat"], 1, 0, tmp_path, device="cuda")
