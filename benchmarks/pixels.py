"""The pixel measures against bare scaled decoding of the same files. Ratios within one run.

    python benchmarks/pixels.py                   the table, and the same as JSON
    python benchmarks/pixels.py --json FILE       the JSON to a file
    python benchmarks/pixels.py --cleanvision     with cleanvision too (pip install cleanvision)
    python benchmarks/pixels.py --workers         one worker and two, over the whole scoring of a pool
    python benchmarks/pixels.py --values FILE     every value to its last bit, to be compared with those of
                                                    another version or machine by `diff`

The pictures are JPEGs of two megapixels (4:2:0, quality 88), made of photographs that scikit-image and
scikit-learn ship by cropping, enlarging and adding grain. Times are of
this process's CPU, one thread. The ways take turns picture by picture, and of each the median over the
rounds is told: a busy machine slows all of them alike.

Bare decoding is what anyone would call: simplejpeg, into the buffer that it makes itself. The measures
decode into one at an odd address (`decode.py`), where the decoder alone takes 2 % less time at 512 px
(1.4-2.4 % in five runs) and the same at 224 px (within 0.5 %). So at 512 px a part of each ratio is the
decoder's: against bare decoding into such a buffer the ratios would be 0.01-0.02 lower.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image
from shipped import photographs

from photogenic.core.records import Sample
from photogenic.curate.asked import pixels_for
from photogenic.curate.config import CurateConfig
from photogenic.curate.scorers import (
    ScoreTask,
    measure_header,
    measure_pixels,
    measure_watermark,
    pixel_scorer,
    score,
)
from photogenic.engines.local import engine_for
from photogenic.measures.decode import read_header

WIDTH_PX, HEIGHT_PX = 1632, 1224
QUALITY = 88
GRAIN_LEVELS = 3.0

Way = Callable[[bytes], object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cleanvision", action="store_true")
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--values", type=Path)
    options = parser.parse_args()
    files = two_megapixel_jpegs(options.num_pictures)
    if options.values:
        options.values.write_text("\n".join(values_of(files)) + "\n", encoding="utf-8")
        return
    seconds = timed(WAYS, files, options.rounds)
    results = table(seconds)
    results["overhead_per_sample_ms"] = task_overhead_ms(files)
    if options.workers:
        results["two_workers_over_one"] = workers_ratio(files)
    if options.cleanvision:
        results["pixel_over_cleanvision"] = against_cleanvision(files)
    text = json.dumps(results, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def two_megapixel_jpegs(num: int) -> list[bytes]:
    """`num` photographs of 1632 x 1224 px as files, the same ones on every machine."""
    rng, sources = np.random.default_rng(0), photographs()
    return [photograph(sources[number % len(sources)], rng) for number in range(num)]


def photograph(source: Image.Image, rng: np.random.Generator) -> bytes:
    height = int(min(source.height, source.width * 3 / 4) * rng.uniform(0.75, 1))
    width = height * 4 // 3
    left, top = (int(rng.integers(0, room + 1)) for room in (source.width - width, source.height - height))
    crop = source.crop((left, top, left + width, top + height))
    large = np.asarray(crop.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS), np.float32)
    grain = rng.normal(0, GRAIN_LEVELS, (HEIGHT_PX, WIDTH_PX, 1))
    buffer = BytesIO()
    Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


# ---- what is compared


def sample(number: int = 0, size_bytes: int = 0) -> Sample:
    return Sample(
        sample_id=f"{number}",
        uid="u",
        source="s",
        member=f"{number}.jpg",
        key=f"{number}",
        offset=0,
        size_bytes=size_bytes,
        alt_text="",
        fields={},
    )


SAMPLE = sample()


def bare_512(data: bytes) -> object:
    """Scaled so that both sides have at least 512 px, as one decodes for measures that need detail."""
    return simplejpeg.decode_jpeg(data, "RGB", min_width=512, min_height=512)


def bare_224(data: bytes) -> object:
    """Scaled for a network of 224 px."""
    return simplejpeg.decode_jpeg(data, "RGB", min_width=224, min_height=224)


# The recipe of whoever wants the commonest measures and no others.
FIVE = CurateConfig.model_validate(
    {
        "pixel_measures": "asked",
        "steps": {
            "exposure": {},
            "contrast": {"min": 0.2},
            "colourfulness": {"min": 10},
            "sharpness": {"min": 0.5},
            "duplicates": {"keep": "sharpness_score"},
        },
    }
)
FIVE_COLUMNS = pixels_for(FIVE).model

WAYS: dict[str, Way] = {
    "bare decode, 512 px": bare_512,
    "bare decode, 224 px": bare_224,
    "all measures": lambda data: measure_pixels(SAMPLE, data, None),
    "five measures": lambda data: measure_pixels(SAMPLE, data, FIVE_COLUMNS),
    "watermark scorer": lambda data: measure_watermark(SAMPLE, data, None),
    "read scorer": lambda data: measure_header(SAMPLE, data, None),
    "bare SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "header": read_header,
}


def timed(ways: dict[str, Way], files: list[bytes], rounds: int) -> dict[str, list[float]]:
    """Seconds per picture of each way, [rounds * pictures]."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(files[0])
    for _ in range(rounds):
        for data in files:
            for name, way in ways.items():
                begun = time.process_time()
                way(data)
                seconds[name].append(time.process_time() - begun)
    return seconds


def table(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Print medians and ratios; return them."""
    ms = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    print(f"{'':22}{'ms':>9}{'a second':>10}{'of 512 px':>11}{'of 224 px':>11}")
    for name, value in ms.items():
        ratios = [ms[bare] / value for bare in ("bare decode, 512 px", "bare decode, 224 px")]
        print(f"{name:22}{value:9.3f}{1000 / value:10.0f}{ratios[0]:11.2f}{ratios[1]:11.2f}")
    return {
        "ms": {name: round(value, 4) for name, value in ms.items()},
        "all_measures_of_bare_512": round(ms["bare decode, 512 px"] / ms["all measures"], 3),
        "all_measures_of_bare_224": round(ms["bare decode, 224 px"] / ms["all measures"], 3),
        "five_measures_of_bare_512": round(ms["bare decode, 512 px"] / ms["five measures"], 3),
        "five_measures_of_bare_224": round(ms["bare decode, 224 px"] / ms["five measures"], 3),
        "headers_per_second": round(1000 / ms["header"]),
    }


def values_of(files: list[bytes]) -> Iterator[str]:
    """A line for each column of each picture."""
    for number, data in enumerate(files):
        for name, value in measure_pixels(SAMPLE, data, None).items():
            yield f"{number} {name} {value.hex() if isinstance(value, float) else value}"


# ---- the funnel around the scorer


def pool_on_disk(folder: Path, files: list[bytes]) -> tuple[Sample, ...]:
    for number, data in enumerate(files):
        (folder / f"{number}.jpg").write_bytes(data)
    return tuple(sample(number, len(data)) for number, data in enumerate(files))


def task_overhead_ms(files: list[bytes]) -> float:
    """What a task costs besides its measures: reading, stamping, the table. Milliseconds per sample."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = pool_on_disk(folder, files)
        task = ScoreTask(pixel_scorer(), samples, {"s": folder}, folder / "parts")
        begun = time.process_time()
        score(task, lambda: None)
        whole = time.process_time() - begun
        begun = time.process_time()
        for data in files:
            measure_pixels(SAMPLE, data, None)
        alone = time.process_time() - begun
        return round(1000 * (whole - alone) / len(files), 3)


def workers_ratio(files: list[bytes]) -> float:
    """Wall-clock time of one worker process over that of two, the same tasks. Wants two idle cores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = pool_on_disk(folder, files * 8)
        seconds = []
        for workers in (1, 2):
            engine = engine_for(workers, "local")
            tasks = [
                ScoreTask(pixel_scorer(), samples[i : i + 16], {"s": folder}, folder / f"parts-{workers}")
                for i in range(0, len(samples), 16)
            ]
            list(engine.map(score, tasks[:workers], timeout_s=60))  # workers import what they need
            begun = time.perf_counter()
            list(engine.map(score, tasks, timeout_s=60))
            seconds.append(time.perf_counter() - begun)
            engine.close()
        return round(seconds[0] / seconds[1], 2)


def against_cleanvision(files: list[bytes]) -> float | None:
    """How many times as fast as cleanvision's issues about single pictures; both in this one process."""
    if importlib.util.find_spec("cleanvision") is None:
        print("cleanvision is not installed: pip install cleanvision", file=sys.stderr)
        return None
    from cleanvision import Imagelab

    with tempfile.TemporaryDirectory() as name:
        pool_on_disk(Path(name), files)
        alone = ("dark", "light", "odd_aspect_ratio", "low_information", "grayscale", "blurry")
        issues = (*alone, "near_duplicates")
        begun = time.process_time()
        Imagelab(data_path=name).find_issues({issue: {} for issue in issues}, n_jobs=1, verbose=False)
        theirs = time.process_time() - begun
    begun = time.process_time()
    for data in files:
        measure_pixels(SAMPLE, data, None)
    return round(theirs / (time.process_time() - begun), 1)


if __name__ == "__main__":
    main()
