"""A run folder with real pictures, a pool manifest and candidates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from photogenic.core.manifest import POOL_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table

SCORES = [("appeal_score", pa.float64()), ("clip_score", pa.float64()), ("num_words", pa.int64())]


def _draw(path: Path, shade: int = 0) -> Path:
    """A small picture: a disc on white; no two shades have the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (40, 32), "white")
    ImageDraw.Draw(image).ellipse((6, 4, 30, 28), fill=(shade % 256, 90, 255 - shade % 256))
    image.save(path)
    return path


@pytest.fixture
def draw() -> Callable[..., Path]:
    return _draw


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def haystack(run: Run, tmp_path: Path) -> Callable[..., list[str]]:
    """`haystack([(appeal, clip, group), ...])` draws them, writes manifest and candidates, returns ids."""

    def write(
        rows: Sequence[tuple[float | None, float | None, str | None]], *, funnel: bool = True
    ) -> list[str]:
        folder = tmp_path / "stickers"
        samples = [_sample(folder, number, group) for number, (_, _, group) in enumerate(rows)]
        write_json(run.stage("pool") / "sources.json", {"stickers": str(folder)})
        unread = [sample | {"uid": None} for sample in samples]
        write_table(
            run.stage("pool") / "manifest" / "00000.parquet", pa.Table.from_pylist(unread, POOL_SCHEMA)
        )
        if funnel:
            scored = [
                sample | {"appeal_score": appeal, "clip_score": clip, "num_words": number}
                for number, (sample, (appeal, clip, _)) in enumerate(zip(samples, rows, strict=True))
            ]
            table = pa.Table.from_pylist(scored, pa.schema([*POOL_SCHEMA, *SCORES]))
            write_table(run.stage("curate") / "candidates.parquet", table)
        return [str(sample["sample_id"]) for sample in samples]

    return write


def _sample(folder: Path, number: int, group: str | None) -> dict[str, Any]:
    path = _draw(folder / f"{number:03d}.png", number)
    key = f"sticker-{number}"
    return {
        "sample_id": sample_id_for("stickers", path.name, key),
        "uid": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": "stickers",
        "member": path.name,
        "key": key,
        "offset": 0,
        "size_bytes": path.stat().st_size,
        "alt_text": f"disc &amp; number {number}",
        "fields": json.dumps({"licence": "CC0"} | ({"group": group} if group else {})),
    }
