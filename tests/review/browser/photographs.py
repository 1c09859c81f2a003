"""Pictures that look enough like photographs to be judged: a sky, hills, a low sun, grain; all different."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.manifest import POOL_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table

SIZE = [("width_px", pa.int32()), ("height_px", pa.int32())]
WORDS = (
    "Hills under a low sun",
    "a landscape photo of hills, royalty free",
    "",
    "IMG_2231.jpg",
    "Evening over the valley",
)


def photograph(number: int, width: int = 1200, height: int = 800) -> NDArray[np.uint8]:
    """[height, width, 3] uint8."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    dusk, dawn = rng.uniform(40, 255, (2, 3)).astype(np.float32)
    image = dusk + (dawn - dusk) * (y**0.7)[..., None]
    centre, radius = rng.uniform((0.2, 0.15), (1.3, 0.5)), rng.uniform(0.04, 0.12)
    glow = np.exp(-(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2)))
    image += 160 * glow[..., None]
    for layer in range(3):
        ridge = (
            0.45
            + 0.17 * layer
            + 0.06 * np.sin(x * rng.uniform(2, 7) + rng.uniform(0, 6))
            + 0.02 * np.sin(x * 23)
        )
        image[y > ridge] = rng.uniform(10, 120, 3) * (1 - 0.22 * layer)
    image += rng.normal(0, 4, (height, width, 1)).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_haystack(run: Run, folder: Path, num: int, *, width: int = 1200, height: int = 800) -> list[str]:
    """Draw `num` pictures and write them as the candidates of a run; their sample ids."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = [_sample(folder, number, width, height) for number in range(num)]
    write_candidates(run, folder, samples)
    return [sample["sample_id"] for sample in samples]


def write_candidates(run: Run, folder: Path, samples: list[dict[str, Any]]) -> None:
    """The pool's sources and curate/candidates.parquet."""
    write_json(run.stage("pool") / "sources.json", {"photographs": str(folder)})
    table = pa.Table.from_pylist(samples, pa.schema([*POOL_SCHEMA, *SIZE]))
    write_table(run.stage("curate") / "candidates.parquet", table)


def _sample(folder: Path, number: int, width: int, height: int) -> dict[str, Any]:
    path = folder / f"{number:05d}.jpg"
    if not path.exists():
        Image.fromarray(photograph(number, width, height)).save(path, quality=88)
    return {
        "sample_id": sample_id_for("photographs", path.name, path.stem),
        "uid": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": "photographs",
        "member": path.name,
        "key": path.stem,
        "offset": 0,
        "size_bytes": path.stat().st_size,
        "alt_text": WORDS[number % len(WORDS)],
        "fields": json.dumps({}),
        "width_px": width,
        "height_px": height,
    }
