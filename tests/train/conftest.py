"""One thread, and runs whose pool and needles are pictures drawn here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from photogenic.core.manifest import NEEDLES_SCHEMA, POOL_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table
from photogenic.train.config import PretrainConfig
from photogenic.train.haystack import Haystack, load_haystack

COLOURS = {"red": (220, 30, 30), "green": (30, 170, 60), "blue": (40, 60, 220), "yellow": (240, 210, 40)}
SHAPES = ("square", "disc", "bar")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shape(colour: str, form: str, size_px: int = 48) -> Image.Image:
    """A coloured square, disc or bar on white."""
    rows, columns = np.mgrid[:size_px, :size_px] / size_px - 0.5
    inside = {
        "square": np.maximum(abs(rows), abs(columns)) < 0.3,
        "disc": rows**2 + columns**2 < 0.09,
        "bar": abs(rows) < 0.12,
    }[form]
    pixels = np.full((size_px, size_px, 3), 255, np.uint8)
    pixels[inside] = COLOURS[colour]
    return Image.fromarray(pixels)


@pytest.fixture
def shapes_run(tmp_path: Path) -> Run:
    """A run whose pool and needles are the twelve coloured shapes."""
    run, folder = Run(tmp_path / "run"), tmp_path / "shapes"
    folder.mkdir()
    rows = []
    for colour in COLOURS:
        for form in SHAPES:
            member = f"{colour}-{form}.png"
            shape(colour, form).save(folder / member)
            rows.append(
                {
                    "sample_id": sample_id_for("shapes", member, member),
                    "source": "shapes",
                    "member": member,
                    "key": member,
                    "offset": 0,
                    "size_bytes": (folder / member).stat().st_size,
                    "alt_text": f"{colour} {form}",
                    "fields": json.dumps({"concept": f"{colour} {form}"}),
                    "caption": f"a {colour} {form}",
                    "caption_source": "alt_text",
                    "decided_by": "a test",
                    "score": 1.0,
                }
            )
    write_json(run.stage("pool") / "sources.json", {"shapes": str(folder)})
    write_table(run.stage("pool") / "manifest" / "00000.parquet", _table(rows, POOL_SCHEMA))
    write_table(run.stage("review") / "needles.parquet", _table(rows, NEEDLES_SCHEMA))
    return run


@pytest.fixture
def haystack(shapes_run: Run) -> Haystack:
    """The coloured shapes at 32 px, as the parts of pre-training see them."""
    parts = {name: {"loop": {"max_steps": 1}} for name in ("autoencoder", "clip", "diffusion")}
    return load_haystack(PretrainConfig.model_validate({"size_px": 32, **parts}), shapes_run, split_seed=0)


def _table(rows: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
