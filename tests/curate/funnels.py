"""Running the funnel over the drawn haystack."""

from pathlib import Path
from typing import Any

from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index

STEPS: dict[str, dict[str, Any]] = {
    "size": {"min_side_px": 64},
    "aspect": {"max_ratio": 2.0},
    "exposure": {"min_luma": 0.1},
    "contrast": {"min": 0.2},
    "sharpness": {"min": 0.3},
    "duplicates": {"max_distance": 4},
    "appeal": {"min_quantile": 0.2},
    "select": {"num": 20, "balance": "group"},
}


def config_of(**steps: dict[str, Any] | None) -> CurateConfig:
    return CurateConfig.model_validate({"steps": STEPS | steps, "timeout_s": 30})


def run_funnel(haystack: Path, folder: Path, workers: int = 1, config: CurateConfig | None = None) -> Run:
    run = Run(folder)
    index(PoolConfig.model_validate({"sources": {"drawn": {"path": haystack}}}), run)
    curate(config or config_of(), run, workers=workers)
    return run


def verdicts(run: Run) -> dict[str, tuple[str, str | None]]:
    rows = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    return {row["key"]: (row["verdict"], row["drop_step"]) for row in rows}
