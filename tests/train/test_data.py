"""Decoding into memory, its cache, and the split by concept."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from photogenic.core.manifest import iter_samples
from photogenic.core.records import Locator, Sample
from photogenic.core.run import Run
from photogenic.core.shards import Sources, read_table
from photogenic.measures.decode import centre, read_header
from photogenic.train.data import BEGINNING_BYTES, held_out, load_pictures, read_sizes


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


class CountingSources(Sources):
    """Sources that count the bytes they give."""

    given = 0

    def read(self, locator: Locator) -> bytes:
        data = super().read(locator)
        self.given += len(data)
        return data


def write_large(folder: Path) -> dict[str, Path]:
    """Noise, 300 x 400, in files of more than 64 kB: formats, a turned one, one with a long profile."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    files: dict[str, Callable[[Path], None]] = {
        "plain.jpg": lambda path: noise.save(path, quality=95),
        "turned.jpg": lambda path: noise.save(path, quality=95, exif=turned),
        "long.jpg": lambda path: noise.save(path, quality=95, icc_profile=b"\0" * 100_000),
        "turned.png": lambda path: noise.save(path, exif=turned),
    }
    for name, save in files.items():
        save(folder / name)
    return {name: folder / name for name in files}


def test_sizes_of_large_jpegs_are_read_from_their_beginning(tmp_path: Path) -> None:
    (root := tmp_path / "pool").mkdir()
    paths = write_large(root)
    table = pa.table({"image": [path.read_bytes() for path in paths.values()]})
    pq.write_table(table, root / "rows.parquet")
    with tarfile.open(root / "all.tar", "w") as tar:
        for path in paths.values():
            tar.add(path, path.name)
    with tarfile.open(root / "all.tar") as tar:
        offsets = {member.name: member.offset_data for member in tar}
    sources = CountingSources({"pool": root})

    def measured(member: str, size_bytes: int, offset: int = 0) -> tuple[tuple[int, int], int]:
        sample = Sample(member, "pool", member, member, offset=offset, size_bytes=size_bytes)
        before = sources.given
        sizes, unreadable = read_sizes([sample], sources, tmp_path / "cache")
        assert not unreadable
        return tuple(sizes[0].tolist()), sources.given - before

    for row, (name, path) in enumerate(paths.items()):
        whole = path.stat().st_size
        header = read_header(path.read_bytes())
        size = (header.height_px, header.width_px)
        assert whole > BEGINNING_BYTES and size == ((400, 300) if "turned" in name else (300, 400))
        read = BEGINNING_BYTES if name in ("plain.jpg", "turned.jpg") else BEGINNING_BYTES + whole
        assert measured(name, whole) == (size, read)
        assert measured(f"all.tar/{name}", whole, offsets[name]) == (size, read)
        assert measured(f"rows.parquet/{row}/image", whole) == (size, whole)


def test_a_jpeg_that_was_cut_since_it_was_indexed_is_left_out_at_once(tmp_path: Path) -> None:
    path = write_large(tmp_path)["plain.jpg"]
    sample = Sample("id", "pool", path.name, path.name, size_bytes=path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])
    _, unreadable = read_sizes([sample], Sources({"pool": tmp_path}), tmp_path / "cache")
    assert "shorter than when it was indexed" in unreadable["id"]
