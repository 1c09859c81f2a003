"""Near-copies of what each variant was tuned on, from real files."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from photogenic.ablation.copying import looks_of_tuned, own_copies
from photogenic.core.manifest import NEEDLES_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table
from photogenic.evaluate.compare import Settings
from photogenic.evaluate.config import NearCopyConfig
from photogenic.evaluate.copies import Looks, looks_of
from photogenic.evaluate.pictures import Measured
from photogenic.evaluate.results import Drawn
from photogenic.measures.decode import centre, decode, square
from photogenic.train.data import DECODE_MARGIN, Fit

SIZE_PX = 64
SETTINGS = Settings(confidence=0.95, num_resamples=200, seed=0)
LIMITS = NearCopyConfig(max_bits=8)


def picture(seed: int) -> Image.Image:
    """Coloured patches, twice as wide as high: cropped and padded it looks different."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(0, 256, (4, 8, 3), np.uint8))
    return patches.resize((256, 128), Image.Resampling.BICUBIC)


def tuned_on(folder: Path, seeds: list[int]) -> Run:
    run, rows = Run(folder), []
    (folder / "pictures").mkdir(parents=True)
    for seed in seeds:
        path = folder / "pictures" / f"{seed}.png"
        picture(seed).save(path)
        row: dict[str, object] = dict.fromkeys(NEEDLES_SCHEMA.names, "")
        row |= {
            "sample_id": sample_id_for("web", path.name, path.stem),
            "source": "web",
            "member": path.name,
            "key": path.stem,
            "offset": 0,
            "size_bytes": path.stat().st_size,
            "fields": "{}",
            "score": None,
        }
        rows.append(row)
    write_json(run.stage("pool") / "sources.json", {"web": str(folder / "pictures")})
    write_table(run.stage("review") / "needles.parquet", pa.Table.from_pylist(rows, NEEDLES_SCHEMA))
    return run


def drew(looks: Looks) -> Drawn:
    rows = [{"prompt_id": str(number)} for number in range(len(looks.hashes))]
    return Drawn(rows, Measured([], {}, looks), None)


def as_tuned(seeds: list[int], folder: Path, fit: Fit) -> Looks:
    seen = []
    for seed in seeds:
        data = (folder / "pictures" / f"{seed}.png").read_bytes()
        rgb = decode(data, min_long_side_px=DECODE_MARGIN * SIZE_PX).rgb
        seen.append(square(rgb if fit == "pad" else centre(rgb), SIZE_PX))
    return looks_of(seen, None)


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_copies_are_counted_of_the_pictures_as_the_tuning_saw_them(tmp_path: Path, fit: Fit) -> None:
    seeds = list(range(10))
    run = tuned_on(tmp_path, seeds)
    looks = looks_of_tuned(run, fit, SIZE_PX, None)
    assert looks is not None
    other: Fit = "crop" if fit == "pad" else "pad"
    half = as_tuned(seeds[:5], tmp_path, fit)
    strange = looks_of([square(np.asarray(picture(seed)), SIZE_PX) for seed in range(100, 105)], None)
    parrot = Looks(np.concatenate([half.hashes, strange.hashes]), None)
    drawn = {"a": drew(parrot), "step-2": drew(half), "base": drew(as_tuned(seeds, tmp_path, other))}
    found = own_copies({"a": "a", "step-2": "a"}, {"a": looks}, drawn, LIMITS, SETTINGS)
    a, step = found["a"], found["step-2"]
    assert a is not None and step is not None
    assert a["mean"] == 0.5 and 0 < a["low"] < 0.5 < a["high"] < 1 and a["num_drawn"] == 10
    assert a["base"]["mean"] == 0.0 and 0 < a["base"]["high"] < 0.4  # ten prompts cannot rule out one in four
    assert step["mean"] == 1.0 and step["low"] < 1


def test_each_is_held_against_its_own_pictures() -> None:
    ones, others = Looks(np.zeros(3, np.uint64), None), Looks(np.full(3, 2**63 - 1, np.uint64), None)
    drawn = {"a": drew(ones), "b": drew(ones), "base": drew(others)}
    found = own_copies({"a": "a", "b": "b"}, {"a": ones, "b": others}, drawn, LIMITS, SETTINGS)
    a, b = found["a"], found["b"]
    assert a is not None and b is not None
    assert (a["mean"], a["base"]["mean"], b["mean"], b["base"]["mean"]) == (1.0, 0.0, 0.0, 1.0)


def test_what_is_gone_leaves_a_blank(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = tuned_on(tmp_path, [1, 2])
    (tmp_path / "pictures" / "2.png").unlink()
    run.log.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        assert looks_of_tuned(run, "pad", SIZE_PX, None) is None
    assert "near-copies cannot be told" in caplog.text
    assert looks_of_tuned(Run(tmp_path / "none"), "pad", SIZE_PX, None) is None
    drawn = {"a": drew(Looks(np.zeros(2, np.uint64), None))}
    drawn["base"] = dataclasses.replace(drawn["a"])
    assert own_copies({"a": "a"}, {}, drawn, LIMITS, SETTINGS) == {"a": None}
