import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from photogenic import forget as forgetting
from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table, write_table
from photogenic.core.tombstones import FILE, Tombstone, add_tombstones, read_tombstones
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index
from photogenic.export import export
from photogenic.forget import forget
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review

CONFIG = CurateConfig.model_validate({"steps": {"size": {"min_side_px": 32}, "contrast": {"min": 0.01}}})
REVIEW = ReviewConfig.model_validate({"decisions": "auto", "num_needles": 5, "by": "contrast"})


def draw(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 255, (48, 48, 3), np.uint8), "RGB")


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    folder = tmp_path / "pool"
    folder.mkdir()
    for number in range(6):
        draw(number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"noise of the kind {number}")
    shutil.copy(folder / "2.png", folder / "copy.png")
    return folder


def walk(pool: Path, run: Run) -> None:
    index(PoolConfig.model_validate({"sources": {"pool": {"path": pool}}}), run)
    curate(CONFIG, run, workers=1)
    review(REVIEW, run, seed=0)


@pytest.fixture
def run(pool: Path, tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    walk(pool, run)
    return run


def contents(run: Run) -> dict[Path, bytes]:
    files = (path for path in run.folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in files}


def keys(path: Path) -> list[str]:
    return sorted(read_table(path)["key"].to_pylist())


def traces(run: Run, *others: Path, of: str) -> list[Path]:
    """Every file that still holds the sample_id, in a table or as text."""
    found = []
    for path in (file for folder in (run.folder, *others) for file in folder.rglob("*") if file.is_file()):
        if path.suffix == ".parquet":
            names = pq.read_schema(path).names
            held = "sample_id" in names and of in pq.read_table(path, columns=["sample_id"])[0].to_pylist()
        else:
            held = of.encode() in path.read_bytes()
        if held:
            found.append(path)
    return found


def test_a_sample_and_its_copy_are_gone_from_everything_and_stay_out(
    pool: Path, run: Run, tmp_path: Path
) -> None:
    outs = [tmp_path / form for form in ("webdataset", "folder", "parquet", "ids")]
    for out in outs:
        export(run, "candidates", out.name, out)
    row = next(
        row for row in read_table(run.folder / "pool" / "manifest").to_pylist() if row["member"] == "2.png"
    )
    assert len(traces(run, *outs, of=row["sample_id"])) > 8
    done = forget(run, ["2.png"], reason="asked")
    assert len(done.stones) == 2  # the copy as well
    left = traces(run, *outs, of=row["sample_id"])
    assert sorted(path.name for path in left) == ["forgotten.jsonl"]
    assert not (run.folder / "curate" / "report.html").exists()
    assert keys(run.folder / "curate" / "candidates.parquet") == ["0", "1", "3", "4", "5"]
    with tarfile.open(tmp_path / "webdataset" / "00000.tar") as tar:
        assert len(tar.getnames()) == 3 * 5
    assert len((tmp_path / "folder" / "metadata.jsonl").read_text().splitlines()) == 5
    counts = read_json(run.folder / "curate" / "counts.json")
    assert (counts["pool"], counts["kept"]) == (5, 5)
    shutil.copy(pool / "2.png", pool / "third-name.png")
    walk(pool, run)
    assert keys(run.folder / "pool" / "manifest") == ["0", "1", "3", "4", "5", "third-name"]
    verdicts = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    assert verdicts["third-name"]["drop_reason"] == "forgotten: its bytes were taken out for good"
    assert "third-name" not in keys(run.folder / "review" / "needles.parquet")


def test_killed_at_any_moment_the_same_command_removes_what_is_left(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = forgetting._work
    out = tmp_path / "out"
    export(run, "candidates", "folder", out)
    for folder in (run.folder, out):
        shutil.copytree(folder, tmp_path / f"{folder.name} before")
    row = next(
        row for row in read_table(run.folder / "pool" / "manifest").to_pylist() if row["member"] == "2.png"
    )

    def killed_after(num: int) -> None:
        def some(*values: Any) -> Iterator[Any]:
            for number, item in enumerate(work(*values)):
                if number == num:
                    raise ZeroDivisionError
                yield item

        monkeypatch.setattr(forgetting, "_work", some)

    num_changes = len(forget(run, ["2.png"], dry_run=True).changes)
    for num in (*range(0, num_changes - 1, 3), num_changes - 1):
        for folder in (run.folder, out):
            shutil.rmtree(folder)
            shutil.copytree(tmp_path / f"{folder.name} before", folder)
        killed_after(num)
        with pytest.raises(ZeroDivisionError):
            forget(run, ["2.png"])
        monkeypatch.setattr(forgetting, "_work", work)
        told = forget(run, ["2.png"])  # by its member: that is in no tombstone
        assert {stone.sample_id for stone in told.stones} == read_tombstones(run.folder).ids
        assert len(read_tombstones(run.folder).stones) == 2, "it, and the copy of its bytes"
        for stone in told.stones:
            assert [path.name for path in traces(run, out, of=stone.sample_id)] == ["forgotten.jsonl"]
        assert row["sample_id"] in read_tombstones(run.folder).ids


def test_what_killed_processes_left_is_cleared_as_well(run: Run) -> None:
    """Aligned tables name nobody, and hold side-car values all the same."""
    folders = [run.folder / "curate" / name for name in (".deciding", "slices/1-of-2/.deciding")]
    folders += [run.folder / "curate" / name for name in ("columns", "slices/1-of-2/columns")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / "field.parquet", pa.table({"text": ["the licence of 4.png"]}))
    forget(run, ["4.png"])
    assert not [folder for folder in folders if folder.exists()]


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run) -> None:
    before = contents(run)
    told = forget(run, ["3.png"], dry_run=True)
    assert {change.what for change in told.changes if change.path.suffix == ".parquet"} == {"1 row"}
    assert contents(run) == before
    done = forget(run, ["3.png"])
    assert {change.path for change in told.changes} == {change.path for change in done.changes}
    assert not read_tombstones(run.folder).ids.isdisjoint({told.stones[0].sample_id})


def test_models_that_saw_it_are_named_and_their_caches_cleared(run: Run) -> None:
    (run.folder / "tune" / "model").mkdir(parents=True)
    (run.folder / "tune" / "encoded").mkdir()
    needle = read_table(run.folder / "review" / "needles.parquet").to_pylist()[0]
    done = forget(run, [needle["uid"]])
    assert [model.path.relative_to(run.folder).as_posix() for model in done.models] == ["tune/model"]
    assert not (run.folder / "tune" / "encoded").exists()


def test_a_kill_half_way_is_mended_by_the_same_command(run: Run) -> None:
    manifest = run.folder / "pool" / "manifest" / "00000.parquet"
    before = read_table(manifest)
    (stone, *_) = forget(run, ["4.png"]).stones
    write_table(manifest, before)  # as if it had been killed before it came to this
    assert forget(run, [stone.sample_id]).changes
    assert stone.sample_id not in read_table(manifest)["sample_id"].to_pylist()


def test_an_unknown_name_is_a_sentence_and_removes_nothing(run: Run) -> None:
    with pytest.raises(RunError, match="no sample nobody"):
        forget(run, ["0.png", "nobody"])
    assert not read_tombstones(run.folder).stones


def test_what_follows_a_line_that_a_kill_cut_off_is_a_tombstone(run: Run) -> None:
    path = run.folder / FILE
    add_tombstones(run.folder, [Tombstone("a" * 24, None, "now", "said \u2028 so")])
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        add_tombstones(run.folder, [Tombstone("b" * 24, None, "later")])
        assert "b" * 24 in read_tombstones(run.folder).ids
    path.write_bytes(whole)
    add_tombstones(run.folder, [Tombstone("b" * 24, None, "later")])
    assert [stone.reason for stone in read_tombstones(run.folder).stones] == ["said \u2028 so", ""]


def test_a_line_cut_off_by_a_kill_is_no_tombstone(run: Run) -> None:
    forget(run, ["5.png"])
    with (run.folder / "forgotten.jsonl").open("a") as file:
        file.write(json.dumps({"sample_id": "x"})[:9])
    stones = read_tombstones(run.folder)
    assert len(stones.stones) == 1
    table = pa.table({"sample_id": ["a", stones.stones[0].sample_id], "uid": ["b", "c"]})
    assert stones.without(table)["sample_id"].to_pylist() == ["a"]
