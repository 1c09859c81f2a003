"""Indexing against bare SHA-256 over the same bytes, and the memory of indexing and scoring.

    python benchmarks/indexing.py                       speed, on drawn JPEGs of 2 megapixels
    python benchmarks/indexing.py --memory 10000 200000 peak memory for pools of these many tiny files

"Indexing" is what it takes until headers, sizes and hashes are known: the manifest and the scorer `read`, in
one process. Both sides of a ratio are measured in turns; the median of the ratios is told.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from photogenic.core.run import Run
from photogenic.curate.config import PoolConfig
from photogenic.curate.ledger import Ledger
from photogenic.curate.pool import write_manifest
from photogenic.curate.scorers import read_scorer
from photogenic.curate.scores import Scores
from photogenic.engines.here import InProcess
from photogenic.measures.decode import read_header


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num-pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="NUM", help="pools of these many tiny files")
    parser.add_argument("--one-pool", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_pool:
        index_and_read(options.one_pool, options.one_pool.with_name(f"{options.one_pool.name}-run"))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    folder = Path(tempfile.mkdtemp(prefix="photogenic-indexing-"))
    try:
        if options.memory:
            _memory(folder, options.memory)
        else:
            _speed(folder, options.num_pictures, options.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def index_and_read(pool: Path, run_folder: Path) -> None:
    """The manifest, and the size, header and SHA-256 of every picture."""
    run = Run(run_folder)
    write_manifest(PoolConfig.model_validate({"sources": {"pool": pool}}), run)
    folder = run.stage("curate")
    with closing(Ledger(run.folder / "pool" / "manifest", folder)) as ledger:
        Scores(folder / "scores", run.sources(), InProcess(), 60.0).attach(read_scorer(), ledger)


def _speed(folder: Path, num: int, rounds: int) -> None:
    pool = _photographs(folder / "pool", num)
    paths = sorted(pool.iterdir())
    total = sum(path.stat().st_size for path in paths)
    print(f"{num} files, {total / num / 1e3:.0f} kB each")
    index_and_read(_photographs(folder / "warm", 3), folder / "warm-run")  # imports are nobody's speed
    hashing, indexing, heads = [], [], []
    for number in range(rounds):
        hashing.append(_timed(lambda: _hash(paths)))
        run = folder / f"run-{number}"
        indexing.append(_timed(lambda run=run: index_and_read(pool, run)))  # type: ignore[misc]
        heads.append(_timed(lambda: _headers(paths)))
    ratio = statistics.median(bare / ours for bare, ours in zip(hashing, indexing, strict=True))
    print(f"bare SHA-256      {num / statistics.median(hashing):8.0f} files/s")
    print(f"indexing, hashed  {num / statistics.median(indexing):8.0f} files/s, {ratio:.2f} of bare SHA-256")
    print(f"headers alone     {num / statistics.median(heads):8.0f} files/s, from the first 64 kB")


def _hash(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()


def _headers(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            read_header(file.read(2**16))


def _timed(action: Callable[[], None]) -> float:
    """Seconds of the processor: of a machine that others use too, the clock tells nothing."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


def _photographs(folder: Path, num: int) -> Path:
    """JPEGs with the bytes of photographs of 2 megapixels; each another file."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)).resize((1632, 1224))
    noise = rng.normal(0, 9, (1224, 1632, 3))
    pixels = np.clip(np.asarray(coarse, dtype=np.float64) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "00000.jpg", quality=85)
    whole = (folder / "00000.jpg").read_bytes()
    for number in range(1, num):
        (folder / f"{number:05d}.jpg").write_bytes(whole + number.to_bytes(4, "little"))
    return folder


def _memory(folder: Path, numbers: list[int]) -> None:
    Image.new("RGB", (32, 24), "red").save(folder / "tiny.png")
    data = (folder / "tiny.png").read_bytes()
    for num in numbers:
        pool = folder / f"pool-{num}"
        for start in range(0, num, 1000):
            part = pool / f"{start // 1000:05d}"
            part.mkdir(parents=True)
            for number in range(start, min(start + 1000, num)):
                (part / f"{number:07d}.png").write_bytes(data + number.to_bytes(4, "little"))
        command = [sys.executable, __file__, "--one-pool", str(pool)]
        begun = time.monotonic()
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        print(f"{num:9,} files: peak {int(done.stdout):5} MiB, {time.monotonic() - begun:.0f} s", flush=True)
        shutil.rmtree(pool)


if __name__ == "__main__":
    main()
