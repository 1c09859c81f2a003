"""How long a changed threshold takes: score tables of ROWS samples, no picture is opened.

    python benchmarks/selection.py --rows 10000000 --folder /data/tmp

Writes a run folder with an indexed pool and score tables, decides once (which aligns the tables with the
pool), and then anew with changed thresholds. Prints seconds of clock and of CPU, and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from photogenic.core.run import Run
from photogenic.curate.config import CurateConfig
from photogenic.curate.funnel import Funnel
from photogenic.curate.ledger import Ledger
from photogenic.curate.scorers import Scorer, pixel_scorer, read_scorer
from photogenic.curate.scores import Scores
from photogenic.engines.here import InProcess

SAMPLE_ID = "substr(sha256(i::VARCHAR), 1, 24)"
UID = "sha256('bytes of ' || i::VARCHAR)"
SIZE = "(100000 + i % 999983)::BIGINT"
POOL = f"""
    {SAMPLE_ID} AS sample_id, NULL::VARCHAR AS uid, 'pool' AS source,
    printf('%05d/%09d.jpg', i // 10000, i) AS member, printf('%05d/%09d', i // 10000, i) AS "key",
    0::BIGINT AS "offset", {SIZE} AS size_bytes,
    'a photograph of the thing with the number ' || (hash(i) % 100000)::VARCHAR AS alt_text,
    '{{"group": "' || (hash(i) % 20)::VARCHAR || '", "likes": ' || (hash(i + 1) % 1000)::VARCHAR || '}}'
    AS fields
"""
STORED = f"{SAMPLE_ID} AS sample_id, {{stamp}} AS stamp, NULL::VARCHAR AS undecodable"
SPECIAL = {
    "uid": UID,
    "min_side_px": "(100 + hash(i) % 1400)::INTEGER",
    "phash": "hash(i)",
    "aspect_ratio": "1 + 2 * random()",
}
ROWS_PER_SHARD = 1_000_000
# The first one is loose; the others change one threshold each and keep about `share` of the pool.
STEPS = {
    "size": {"min_side_px": 400},
    "aspect": {"max_ratio": 2.5},
    "exposure": {
        "min_luma": 0.1,
        "max_luma": 0.95,
        "max_dark_clip_ratio": 0.9,
        "max_bright_clip_ratio": None,
    },
    "contrast": {"min": 0.2},
    "sharpness": {"min": 0.3},
    "jpeg_quality": {"min": 0.2},
}


def write_run(folder: Path, rows: int, db: duckdb.DuckDBPyConnection) -> None:
    """The layout of RUN: the manifest in shards, a score table each of header and pixels."""
    (folder / "source").mkdir(parents=True)
    pool = folder / "run" / "pool"
    (pool / "manifest").mkdir(parents=True)
    for number, start in enumerate(range(0, rows, ROWS_PER_SHARD)):
        stop = min(rows, start + ROWS_PER_SHARD)
        write(db, pool / "manifest" / f"{number:05d}.parquet", POOL, start, stop)
    (pool / "sources.json").write_text(json.dumps({"pool": str(folder / "source")}))
    for scorer, stamp in ((read_scorer(), f"{SIZE}::VARCHAR"), (pixel_scorer(), UID)):
        path = folder / "run" / "curate" / "scores" / scorer.folder_name / "00000.parquet"
        path.parent.mkdir(parents=True)
        write(db, path, f"{STORED.format(stamp=stamp)}, {columns_of(scorer)}", 0, rows)


def columns_of(scorer: Scorer) -> str:
    """Random values: no two rows alike, so nothing is saved by compression."""
    types = {"string": "'x'", "int32": "(hash(i) % 1000)::INTEGER", "float64": "random()"}
    return ", ".join(f'{SPECIAL.get(name) or types[of]} AS "{name}"' for name, of in scorer.columns.items())


def write(db: duckdb.DuckDBPyConnection, path: Path, columns: str, start: int, stop: int) -> None:
    """One parquet file of the rows from `start` to before `stop`."""
    query = f"SELECT {columns} FROM range({start}, {stop}) AS numbers(i)"
    db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Print what the block took."""
    clock, cpu = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    print(f"{name:44} {clock:8.1f} s  CPU {cpu:8.1f} s  peak {peak:8.0f} MB", flush=True)


def decide(run: Run, name: str, steps: dict[str, object], **more: object) -> None:
    """What `photogenic curate` does without its report."""
    config = CurateConfig.model_validate({"steps": steps} | more)
    folder = run.stage("curate")
    with closing(Ledger(run.folder / "pool" / "manifest", folder)) as ledger:
        funnel = Funnel(ledger, Scores(folder / "scores", run.sources(), InProcess(), 60.0))
        with phase(f"{name}: the steps"):
            funnel.walk(config)
        with phase(f"{name}: candidates and counts"):
            kept = ledger.write_candidates(folder / "candidates.parquet")
        with phase(f"{name}: all verdicts"):
            ledger.write_verdicts(folder / "verdicts.parquet")
        ledger.tidy()
    print(f"{'':44} {kept:,} of {len(ledger):,} kept")


def main() -> None:
    """Run the phases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where a temporary folder is made")
    parser.add_argument("--keep", type=Path, help="write the run here and leave it; use it if it is there")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp(prefix="selection-", dir=arguments.folder))
    try:
        if not (root / "run").exists():
            with duckdb.connect() as db:
                db.execute("SET memory_limit = '500MB'")
                write_run(root, arguments.rows, db)
        run = Run(root / "run")
        measure(run)
    finally:
        if arguments.keep is None:
            shutil.rmtree(root)


def measure(run: Run) -> None:
    """Decide once, then with changed thresholds."""
    decide(run, "first", STEPS | {"appeal": {"min": 0.9}})
    decide(run, "a threshold", STEPS | {"appeal": {"min": 0.95}})
    decide(run, "a quantile", STEPS | {"appeal": {"min_quantile": 0.95}})
    best = {"select": {"num": max(1, len_of(run) // 50), "balance": "group"}}
    decide(run, "the best 2 % by group", STEPS | best)
    asked = {"sharpness": {"min_quantile": "target"}, "appeal": {"min_quantile": "target"}}
    decide(run, "a target", STEPS | asked, target=max(1, len_of(run) // 50))


def len_of(run: Run) -> int:
    """Samples of the pool."""
    with closing(Ledger(run.folder / "pool" / "manifest", run.folder / "curate")) as ledger:
        return len(ledger)


if __name__ == "__main__":
    main()
