"""The cache of encoded needles: read instead of made again, never stale, complete or refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.train.encode import EncodedNeedles, encode_needles

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_pipeline(tiny.emu(), tmp_path / "base")
    return tmp_path / "base"


class Counting:
    """A pipeline that counts what passes its autoencoder and its text encoder."""

    def __init__(self, base: Path) -> None:
        self.pipeline = load_pipeline(base)
        self.pictures = self.texts = 0
        self.pipeline.vae.encoder.register_forward_hook(self._picture)
        self.pipeline.text_encoder.register_forward_hook(self._text)

    def _picture(self, *_: object) -> None:
        self.pictures += 1

    def _text(self, *_: object) -> None:
        self.texts += 1


def encode(run: Run, base: Path, counting: Counting | None = None, **options: Any) -> EncodedNeedles:
    pipeline = (counting or Counting(base)).pipeline
    needles = read_table(run.folder / "review" / "needles.parquet")
    return encode_needles(
        needles, run, pipeline, base, 32, **({"fit": "crop", "stored": "float32"} | options)
    )


def test_a_second_time_nothing_is_encoded(shapes_run: Run, base: Path) -> None:
    first, second = Counting(base), Counting(base)
    made = encode(shapes_run, base, first)
    assert (first.pictures, first.texts) == (12, 13)  # and the empty caption
    read = encode(shapes_run, base, second)
    assert (second.pictures, second.texts) == (0, 0)
    assert torch.equal(made.data.latents, read.data.latents)
    assert torch.equal(made.text.states, read.text.states)
    assert made.text.mask is not None and read.text.mask is not None
    assert torch.equal(made.text.mask, read.text.mask)


def test_an_interrupted_run_encodes_the_rest_and_gives_the_same(
    shapes_run: Run, base: Path, tmp_path: Path
) -> None:
    whole = encode(shapes_run, base)
    files = sorted((shapes_run.folder / "tune" / "encoded").iterdir())
    for file in files[::3]:
        file.unlink()
    files[1].write_bytes(files[1].read_bytes()[:50])  # cut off
    counting = Counting(base)
    again = encode(shapes_run, base, counting)
    assert counting.pictures + counting.texts == len(files[::3]) + 1
    assert torch.equal(whole.data.latents, again.data.latents)
    assert torch.equal(whole.text.states, again.text.states)


def test_other_bytes_another_crop_or_encoder_or_type_are_encoded_anew(shapes_run: Run, base: Path) -> None:
    before = encode(shapes_run, base)
    picture = shapes_run.sources().roots["shapes"] / "red-bar.png"
    size = picture.stat().st_size
    Image.new("RGB", (48, 48), (1, 2, 3)).save(picture)
    content = picture.read_bytes()
    picture.write_bytes(content + bytes(size - len(content)))  # same name, same size
    counting = Counting(base)
    after = encode(shapes_run, base, counting)
    assert counting.pictures == 1
    changed = [i for i in range(12) if not torch.equal(before.data.latents[i], after.data.latents[i])]
    assert len(changed) == 1 and before.uids[changed[0]] != after.uids[changed[0]]

    for options in ({"fit": "pad"}, {"stored": "bfloat16"}):
        counting = Counting(base)
        encode(shapes_run, base, counting, **options)
        assert counting.pictures == 12
    save_pipeline(tiny.emu(seed=1), base)
    counting = Counting(base)
    encode(shapes_run, base, counting)
    assert (counting.pictures, counting.texts) == (12, 13)


def test_half_precision_halves_the_memory_and_moves_little(shapes_run: Run, base: Path) -> None:
    full, half = encode(shapes_run, base), encode(shapes_run, base, stored="bfloat16")
    assert half.data.latents.dtype == half.text.states.dtype == torch.bfloat16
    torch.testing.assert_close(half.data.latents.float(), full.data.latents, rtol=0.01, atol=0.01)


def test_all_that_cannot_be_read_are_named(shapes_run: Run, base: Path) -> None:
    root = shapes_run.sources().roots["shapes"]
    (root / "red-bar.png").write_bytes(b"no picture")
    (root / "blue-disc.png").unlink()
    with pytest.raises(RunError, match=r"2 of 12 needles cannot be read") as caught:
        encode(shapes_run, base)
    assert "shapes/red-bar.png" in caught.value.what and "shapes/blue-disc.png" in caught.value.what
