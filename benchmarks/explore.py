"""How fast the page of `photogenic explore` answers over a million rows, over HTTP.

    python benchmarks/explore.py [--rows 1000000] [--times 30]

A pool of made-up rows is written as a curated run, served as the command does, and asked as the page asks:
one threshold after the other, in the first, a middle and the last step. On a busy machine read the processor
time, which holds that of the question too.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from photogenic.core.manifest import POOL_SCHEMA, VERDICTS_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.explore.serve import explore
from photogenic.curate.filters import rules_for

STEPS = {
    "size": {"min_side_px": 512},
    "exposure": {},
    "contrast": {"min": 0.25},
    "sharpness": {"min_quantile": 0.1},
    "jpeg_quality": {"min": 30},
    "unsafe": {"max_prob": 0.5},
    "ocr": {},
    "appeal": {"min_quantile": 0.5},
    "select": {"num": 100_000, "balance": "group"},
}


def write_run(folder: Path, rows: int) -> tuple[Run, CurateConfig]:
    """A curated run that holds made-up numbers."""
    run, config = Run(folder), CurateConfig.model_validate({"steps": STEPS})
    generator = np.random.default_rng(0)
    ids = pa.array([f"{number:016x}" for number in range(rows)])
    groups = pa.array([json.dumps({"group": f"g{number % 40}"}) for number in range(rows)])
    nothing = pa.nulls(rows)
    manifest = dict.fromkeys(POOL_SCHEMA.names, nothing) | {
        "sample_id": ids,
        "source": pa.array(["made up"] * rows),
        "member": ids,
        "key": ids,
        "offset": pa.array(np.zeros(rows, np.int64)),
        "size_bytes": pa.array(np.full(rows, 1000)),
        "alt_text": ids,
        "fields": groups,
    }
    write_table(folder / "pool" / "manifest" / "00000.parquet", pa.table(manifest, POOL_SCHEMA))
    write_json(folder / "pool" / "sources.json", {"made up": str(folder)})
    columns: dict[str, np.ndarray] = {}
    steps: list[dict[str, Any]] = [{"name": "read", "rules": []}]
    for name, step in config.steps.items():
        rules = rules_for(name, step)
        for rule in rules:
            middle = rule.threshold or 1.0
            columns[rule.column] = generator.gamma(4, middle / 3, rows)
        steps.append({"name": name, "rules": [vars(rule) for rule in rules]})
    counts = {"scores": ["made-up"], "steps": [step | {"skipped": ""} for step in steps]}
    write_json(folder / "curate" / "counts.json", counts)
    scores = pa.table({"sample_id": ids, "stamp": ids, "undecodable": pa.nulls(rows, pa.string()), **columns})
    write_table(folder / "curate" / "scores" / "made-up" / "00000.parquet", scores)
    verdicts = dict.fromkeys(VERDICTS_SCHEMA.names, nothing) | {"sample_id": ids}
    write_table(folder / "curate" / "verdicts.parquet", pa.table(verdicts, VERDICTS_SCHEMA))
    return run, config


def ask(link: str, changes: dict[str, float], rule: str) -> float:
    """Seconds from the question to the parsed answer."""
    question = json.dumps({"changes": changes, "rule": rule}).encode()
    request = urllib.request.Request(f"{link}api/look", question, {"Content-Type": "application/json"})
    begun = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        json.load(answer)
    return time.perf_counter() - begun


def main() -> None:
    """Print the median and the slowest of each."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=30)
    given = options.parse_args()
    with TemporaryDirectory() as name:
        run, config = write_run(Path(name), given.rows)
        links: list[str] = []
        begun = time.perf_counter()
        serving = {"run": run, "config": config, "recipe": None, "port": 0, "ready": links.append}
        threading.Thread(target=explore, kwargs=serving, daemon=True).start()
        while not links:
            time.sleep(0.05)
        print(f"{given.rows:,} rows, open after {time.perf_counter() - begun:.1f} s")
        for rule, low, high in (("size.0", 300, 900), ("sharpness.0", 0.4, 1.5), ("appeal.0", 0.5, 2)):
            ask(links[0], {rule: low}, rule)  # the first time a column is sorted
            took, cpu = [], time.process_time()
            for value in np.linspace(low, high, given.times):
                took.append(ask(links[0], {rule: float(value)}, rule))
            cpu = (time.process_time() - cpu) / given.times
            print(
                f"{rule:12} median {1000 * np.median(took):6.1f} ms, slowest {1000 * max(took):6.1f} ms,"
                f" {1000 * cpu:.1f} ms of processor time"
            )


if __name__ == "__main__":
    main()
