"""What the neural scorers cost over the bare model calls: open_nsfw, PP-OCR and a CLIP in ONNX.

    python benchmarks/neural.py [--num-pictures 40] [--side-px 1400] [--rounds 5] [--look-alikes 20000]

Bare: the models' own calls on pictures that are decoded already, each at the size at which its scorer decodes
them. Scored: the same through the funnel's tasks, with reading, decoding and writing. Both in one process, in
turns, task by task, in processor time; of each task the median of the rounds counts. The second part is
near-duplicates by cosine over made-up vectors of 512 numbers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from photogenic.core.records import Sample
from photogenic.curate.neural import clip_model, image_scorer, text_scorer
from photogenic.curate.scorers import Scorer, ScoreTask, ocr_scorer, score, unsafe_scorer
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.cosine import cosine_groups
from photogenic.measures.decode import decode, decode_for_model
from photogenic.measures.ocr import Ocr
from photogenic.measures.unsafe import Unsafe

Way = tuple[
    Scorer, Callable[[Any], object], Sequence[object]
]  # a scorer, its model's call, what that is shown


def draw(folder: Path, num: int, side_px: int) -> list[Sample]:
    """Crops of scikit-image's photographs as JPEGs of side_px x side_px."""
    spec = find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations
    data = Path(spec.submodule_search_locations[0]) / "data"
    photographs = [
        Image.open(data / name).convert("RGB") for name in ("astronaut.png", "coffee.png", "chelsea.png")
    ]
    generator, samples = np.random.default_rng(0), []
    for number in range(num):
        image = photographs[number % len(photographs)]
        side = int(generator.integers(220, 300))
        left, top = (int(generator.integers(0, room - side + 1)) for room in image.size)
        path = folder / f"{number:04d}.jpg"
        crop = image.crop((left, top, left + side, top + side)).resize(
            (side_px, side_px), Image.Resampling.LANCZOS
        )
        crop.save(path, quality=88)
        sample = Sample(
            sample_id=f"{number:04d}",
            uid=f"{number:064x}",
            source="drawn",
            member=path.name,
            key=path.stem,
            offset=0,
            size_bytes=path.stat().st_size,
            alt_text="a photograph",
            fields={},
        )
        samples.append(sample)
    return samples


def processor_time(run: Callable[[], object]) -> float:
    """Seconds of this process."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def compare(num: int, side_px: int, rounds: int) -> None:
    """Print both sides and their ratio."""
    with TemporaryDirectory() as name:
        folder, model = Path(name), clip_model("emu-tiny")
        samples = draw(folder, num, side_px)
        files = [(folder / sample.member).read_bytes() for sample in samples]
        ocr, unsafe, clip = Ocr(), Unsafe(), ClipScorer(model.path)
        canonical = [decode(file).rgb for file in files]
        for_unsafe, for_clip = (
            [decode_for_model(file, kind.least_size).rgb for file in files] for kind in (unsafe, clip)
        )
        ways: list[Way] = [
            (ocr_scorer(), ocr, canonical),
            (unsafe_scorer(), unsafe, for_unsafe),
            (image_scorer(model), lambda rgb: clip.embed_images([rgb]), for_clip),
            (text_scorer(model), lambda text: clip.embed_texts([text]), [s.alt_text for s in samples]),
        ]
        in_turns(folder, samples, ways)  # models loaded, code warm
        seconds = np.array([in_turns(folder, samples, ways) for _ in range(rounds)])  # [rounds, tasks, 2]
    bare, scored = np.median(seconds, axis=0).sum(axis=0)
    print(f"bare calls   {1000 * bare / num:8.1f} ms a picture")
    print(f"scored       {1000 * scored / num:8.1f} ms a picture")
    print(f"over the bare calls: {100 * (scored / bare - 1):+.1f} % (at most 10 %)")


def in_turns(folder: Path, samples: list[Sample], ways: list[Way]) -> list[tuple[float, float]]:
    """For each task the seconds of its bare calls and of the task."""
    found = []
    for scorer, call, seen in ways:
        for start in range(0, len(samples), scorer.samples_per_task):
            stop = start + scorer.samples_per_task
            scores = folder / "scores" / scorer.name
            task = ScoreTask(scorer, tuple(samples[start:stop]), {"drawn": folder}, scores)
            bare = processor_time(lambda call=call, some=seen[start:stop]: [call(one) for one in some])  # type: ignore[misc]
            found.append((bare, processor_time(lambda task=task: score(task, lambda: None))))  # type: ignore[misc]
    return found


def look_alikes(num: int, dim: int = 512) -> None:
    """Time near-duplicates by cosine, and what a million would take: it grows with the square."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(num, dim)) / np.arange(1, dim + 1) ** 0.5 + 0.1
    twins = generator.integers(0, num, num // 50)
    vectors[: len(twins)] = vectors[twins] + generator.normal(size=(len(twins), dim)) * 0.01
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    seconds = processor_time(lambda: cosine_groups(unit, 0.95))
    hours = seconds * (1e6 / num) ** 2 / 3600
    print(
        f"look-alikes: {num:,} x {dim}: {seconds:.1f} s on one core; a million: about {hours:.1f} core hours"
    )


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--num-pictures", type=int, default=40)
    parser.add_argument("--side-px", type=int, default=1400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--look-alikes", type=int, default=20_000)
    given = parser.parse_args()
    compare(given.num_pictures, given.side_px, given.rounds)
    look_alikes(given.look_alikes)


if __name__ == "__main__":
    main()
