"""Kill -9 at random moments: the main process or a worker, over runs through the command line.

    python benchmarks/kills.py --num-kills 20 --workers 2 --models
    python benchmarks/kills.py --haystack runs/demo-haystack --engine ray

One run is left alone. Others are killed and started again by the same command until they are through; each
must end with the same tables. Prints a line a life and ends with status 1 at the first difference.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFilter

from photogenic.core.shards import read_json, read_table

TABLES = (
    "pool/manifest",
    "pool/left_out.parquet",
    "curate/verdicts.parquet",
    "curate/candidates.parquet",
    "review/needles.parquet",
)
STEPS = {
    "size": {"min_side_px": 64},
    "sharpness": {"min_quantile": 0.1},
    "duplicates": {"max_distance": 4},
    "appeal": {"min_quantile": 0.2},
}


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="photogenic-kills-"))
    try:
        return _kill(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--haystack", type=Path, help="a folder of pictures; without it, some are drawn")
    parser.add_argument("--num-pictures", type=int, default=300)
    parser.add_argument("--num-kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="local", choices=["local", "ray"])
    parser.add_argument("--models", action="store_true", help="with a step whose workers hold a model")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _kill(options: argparse.Namespace, folder: Path) -> int:
    haystack = options.haystack or draw_haystack(folder / "haystack", options.num_pictures)
    recipe = folder / "kills.yaml"
    sources = {"pool": {"sources": {"drawn": str(haystack.resolve())}}}
    steps = STEPS | ({"unsafe": {"max_prob": 0.9}} if options.models else {})
    rest = {"curate": {"steps": steps}, "review": {"num_needles": 20}}
    recipe.write_text(yaml.safe_dump({"name": "kills"} | sources | rest, sort_keys=False))
    command = [sys.executable, "-m", "photogenic", "run", str(recipe), "--workers", str(options.workers)]
    command += ["--engine", options.engine, "--run"]
    begun = time.monotonic()
    subprocess.run([*command, str(folder / "undisturbed")], check=True, capture_output=True)
    took = time.monotonic() - begun
    print(f"undisturbed: {took:.1f} s", flush=True)
    chance, left, number = random.Random(options.seed), options.num_kills, 0
    while left:
        number += 1
        left = _one_run([*command, str(folder / f"run-{number}")], chance, took, left)
        wrong = _differences(folder / "undisturbed", folder / f"run-{number}")
        if wrong:
            print(f"run {number} differs: {', '.join(wrong)}")
            return 1
        print(f"run {number} is through: equal tables; {options.num_kills - left} kills so far", flush=True)
    return 0


def _one_run(command: list[str], chance: random.Random, took: float, kills: int) -> int:
    """Start it until it is through; how many kills are left."""
    while True:
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            while kills:
                try:
                    process.wait(chance.expovariate(4 / took))
                    break
                except subprocess.TimeoutExpired:
                    kills -= 1
                    workers = _below(process.pid)
                    if workers and chance.random() < 0.5:
                        _kill_one(chance.choice(workers))
                        print("  killed a worker", flush=True)
                    else:
                        process.kill()
                        print("  killed the main process", flush=True)
            said = process.stderr.read().decode() if process.stderr else ""
        if process.returncode == 0 and not _failed(Path(command[-1])):
            return kills
        if process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"ended with {process.returncode}:\n{said}")


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it was through


def _below(parent: int) -> list[int]:
    """All processes that a process has started, and theirs."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it has just ended
    found, ring = [], {parent}
    while ring := {pid for pid, of in parents.items() if of in ring}:
        found += sorted(ring)
    return found


def _failed(run: Path) -> bool:
    """Whether a picture was in the hands of two workers that were killed: the same command tries it again."""
    return "failed" in read_table(run / "curate" / "verdicts.parquet")["verdict"].to_pylist()


def _differences(one: Path, other: Path) -> list[str]:
    wrong = [name for name in TABLES if not read_table(one / name).equals(read_table(other / name))]
    if read_json(one / "curate/counts.json") != read_json(other / "curate/counts.json"):
        wrong.append("curate/counts.json")
    return wrong + [f"left behind: {path.name}" for path in other.rglob("*.tmp")]


def draw_haystack(folder: Path, num: int) -> Path:
    """Shapes on soft grounds; some small, blurred, doubled, cut off or empty."""
    folder.mkdir(parents=True)
    for number in range(num):
        rng = np.random.default_rng(number)
        picture = _shapes(rng)
        path = folder / f"{number:05d}.jpg"
        match number % 17:
            case 3:
                picture.resize((40, 40)).save(path)
            case 5:
                picture.filter(ImageFilter.GaussianBlur(8)).save(path)
            case 7:
                shutil.copy(folder / f"{number - 1:05d}.jpg", path)
            case 11:
                picture.save(path)
                path.write_bytes(path.read_bytes()[:3000])
            case 13:
                path.touch()
            case _:
                picture.save(path, quality=90)
    return folder


def _shapes(rng: np.random.Generator) -> Image.Image:
    ground = np.linspace(60, 160, 320)[:, None, None] * rng.uniform(0.6, 1.0, 3)
    picture = Image.fromarray(np.broadcast_to(ground, (320, 320, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, size = rng.uniform(0, 250, 3)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse((x, y, x + 20 + size / 3, y + 20 + size / 3), fill=colour)
    return picture


if __name__ == "__main__":
    sys.exit(main())
