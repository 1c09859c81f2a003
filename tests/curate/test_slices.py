"""Array jobs: slices that only score, and a last run that decides."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.errors import PhotogenicError, RunError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table, write_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index
from photogenic.curate.slices import Slice, rows_of, score_slice

from .funnels import config_of, run_funnel

TABLES = ("verdicts.parquet", "candidates.parquet")


def tables(run: Run) -> list[object]:
    folder = run.folder / "curate"
    return [*(read_table(folder / name) for name in TABLES), read_json(folder / "counts.json")]


def indexed(haystack: Path, folder: Path) -> Run:
    run = Run(folder)
    index(PoolConfig.model_validate({"sources": {"drawn": {"path": haystack}}}), run)
    return run


@pytest.fixture(scope="module")
def undisturbed(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_funnel(drawn, tmp_path_factory.mktemp("undisturbed") / "run")


def test_a_slice_is_written_i_of_n_from_one() -> None:
    assert Slice.parse("3/8") == Slice(3, 8)
    assert [Slice(number, 3).rows(10) for number in (1, 2, 3)] == [(0, 3), (3, 6), (6, 10)]
    for wrong in ("0/8", "9/8", "3", "a/b", "3/8/1", "-1/2", ""):
        with pytest.raises(PhotogenicError, match="no slice"):
            Slice.parse(wrong)


def test_a_slice_is_cut_out_of_the_shards_that_hold_it(tmp_path: Path) -> None:
    rows = [{"sample_id": f"{number:024x}", "member": str(number), "fields": "{}"} for number in range(10)]
    run = Run(tmp_path)
    for shard, start in enumerate((0, 4, 8)):
        part = pa.Table.from_pylist(rows[start : start + 4], POOL_SCHEMA)
        write_table(tmp_path / "pool" / "manifest" / f"{shard:05d}.parquet", part)
    for of in (1, 2, 3, 4, 10, 12):
        cut = [batch for number in range(1, of + 1) for batch in rows_of(Slice(number, of), run)]
        assert pa.Table.from_batches(cut)["member"].to_pylist() == [str(number) for number in range(10)]
        assert max(batch.num_rows for batch in rows_of(Slice(of, of), run)) <= -(-10 // of)


def test_slices_in_any_order_and_a_last_run_give_the_tables_of_one_run(
    undisturbed: Run, haystack: Path, tmp_path: Path
) -> None:
    run = indexed(haystack, tmp_path / "run")
    numbers = [score_slice(config_of(), run, Slice(number, 3), workers=1) for number in (3, 1, 2)]
    assert sum(num for num, _ in numbers) == 51
    assert sum(failed for _, failed in numbers) == 1  # gone.png
    assert not (run.folder / "curate" / "verdicts.parquet").exists()
    for path in haystack.rglob("*.*g*"):  # the last run opens no picture
        path.unlink()
    curate(config_of(), run, workers=1)
    assert tables(run) == tables(undisturbed)
    assert not (run.folder / "curate" / "slices").exists()


def test_a_slice_done_again_scores_nothing_and_the_last_run_does_what_is_missing(
    undisturbed: Run, drawn: Path, tmp_path: Path
) -> None:
    run = indexed(drawn, tmp_path / "run")
    part = Slice(2, 2)
    score_slice(config_of(), run, part, workers=1)
    times = part.folder(run) / "times.json"
    before = read_json(times)
    score_slice(config_of(), run, part, workers=1)
    assert read_json(times) == before
    curate(config_of(), run, workers=1)  # the first half was never scored as a slice
    assert tables(run) == tables(undisturbed)
    score_slice(config_of(), run, part, workers=1)  # all of it is in the whole pool's store
    assert not times.exists()


def test_a_slice_of_a_run_that_was_never_indexed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no indexed pool"):
        score_slice(config_of(), Run(tmp_path / "run"), Slice(1, 2), workers=1)


@pytest.mark.ray
def test_ray_gives_the_tables_of_one_run(undisturbed: Run, drawn: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run = indexed(drawn, tmp_path / "run")
    curate(config_of(), run, workers=2, engine="ray")
    assert tables(run) == tables(undisturbed)
