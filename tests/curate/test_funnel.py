import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest

from photogenic.core.errors import RecipeError, StorageError
from photogenic.core.manifest import POOL_SCHEMA, VERDICTS_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import file_fingerprint, read_json, read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index
from photogenic.curate.scorers import pixel_scorer

from .funnels import STEPS, config_of, run_funnel, verdicts


def table_bytes(run: Run) -> dict[str, str]:
    """Everything that curate leaves but the report, which has times."""
    folder = run.folder / "curate"
    names = ("verdicts.parquet", "candidates.parquet", "counts.json")
    paths = [folder / name for name in names] + sorted((folder / "scores").glob("*/*"))
    return {path.relative_to(folder).as_posix(): file_fingerprint(path) for path in paths}


@pytest.fixture(scope="module")
def undisturbed(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_funnel(drawn, tmp_path_factory.mktemp("undisturbed") / "run")


def test_every_sample_has_one_row_with_the_step_that_decided(undisturbed: Run) -> None:
    table = read_table(undisturbed.folder / "curate" / "verdicts.parquet")
    assert table.schema.equals(VERDICTS_SCHEMA)
    found = verdicts(undisturbed)
    assert table.num_rows == len(found) == 51
    expected = {
        "small": ("dropped", "size"),
        "strip": ("dropped", "aspect"),
        "dark": ("dropped", "exposure"),
        "flat": ("dropped", "contrast"),
        "blurred": ("dropped", "sharpness"),
        "truncated": ("dropped", "read"),
        "empty": ("dropped", "read"),
        "no-picture": ("dropped", "read"),
        "gone": ("failed", "read"),
    }
    assert {key: found[key] for key in expected} == expected
    pairs = [("good/01", "same-bytes"), ("04", "look-alike")]
    for pair in pairs:
        assert [found[Path(key).name] for key in pair].count(("dropped", "duplicates")) == 1
    assert Counter(verdict for verdict, _ in found.values())["kept"] == 20


def test_a_verdict_has_its_value_and_threshold(undisturbed: Run) -> None:
    rows = read_table(undisturbed.folder / "curate" / "verdicts.parquet").to_pylist()
    by_key = {row["key"]: row for row in rows}
    assert (by_key["small"]["value"], by_key["small"]["threshold"]) == (40.0, 64.0)
    assert by_key["small"]["drop_reason"] == "too small (min_side_px below 64)"
    assert by_key["strip"]["value"] == 4.0
    assert by_key["truncated"]["drop_reason"] == "truncated"
    assert "No such file" in by_key["gone"]["drop_reason"]
    assert by_key["same-bytes"]["uid"] == by_key["01"]["uid"]
    for row in rows:
        assert (row["verdict"] == "kept") == (row["drop_step"] is None) == (row["drop_reason"] is None)


def test_candidates_have_the_pools_columns_and_all_scores(undisturbed: Run) -> None:
    table = read_table(undisturbed.folder / "curate" / "candidates.parquet")
    assert table.column_names[: len(POOL_SCHEMA)] == POOL_SCHEMA.names
    assert {"width_px", "contrast", "sharpness_score", "phash", "appeal_score"} <= set(table.column_names)
    assert table.num_rows == 20
    assert table["uid"].null_count == table["appeal_score"].null_count == 0
    sizes = [
        len(Path(undisturbed.sources().roots["drawn"], m).read_bytes()) for m in table["member"].to_pylist()
    ]
    assert table["size_bytes"].to_pylist() == sizes


def test_only_what_is_asked_is_measured_and_decides_the_same(
    undisturbed: Run, drawn: Path, tmp_path: Path
) -> None:
    steps = STEPS | {"duplicates": {"max_distance": 4, "keep": "sharpness_score"}}
    steps = {name: step for name, step in steps.items() if name not in ("appeal", "select")}
    configs = [CurateConfig.model_validate({"steps": steps, "pixel_measures": it}) for it in ("all", "asked")]
    runs = [run_funnel(drawn, tmp_path / it.pixel_measures, config=it) for it in configs]
    assert verdicts(runs[0]) == verdicts(runs[1])
    every, asked = (read_table(run.folder / "curate" / "candidates.parquet") for run in runs)
    gone = set(every.column_names) - set(asked.column_names)
    assert {"appeal_score", "noise_score", "tint_ratio"} <= gone
    assert every.select(asked.column_names).equals(asked) and "phash" in asked.column_names
    shared = undisturbed.folder / "curate" / "scores" / pixel_scorer().folder_name
    assert (runs[0].folder / "curate" / "scores" / shared.name).is_dir()
    assert not (runs[1].folder / "curate" / "scores" / shared.name).exists()


def test_the_counts_are_a_group_by_of_the_verdicts(undisturbed: Run) -> None:
    counts = read_json(undisturbed.folder / "curate" / "counts.json")
    found = Counter(verdicts(undisturbed).values())
    left = counts["pool"]
    for step in counts["steps"]:
        assert step["entered"] == left
        assert step["dropped"] == found[("dropped", step["name"])]
        assert step["failed"] == found[("failed", step["name"])]
        left -= step["dropped"] + step["failed"]
    assert left == counts["kept"] == found[("kept", None)]
    assert [step["name"] for step in counts["steps"]] == ["read", *STEPS]


def test_the_number_of_workers_changes_no_byte(undisturbed: Run, drawn: Path, tmp_path: Path) -> None:
    run = run_funnel(drawn, tmp_path / "run", workers=3)
    assert table_bytes(run) == table_bytes(undisturbed)
    reports = [report_without_times(each) for each in (run, undisturbed)]
    assert reports[0] == reports[1]
    assert "<td" in reports[0] and "SECONDS" in reports[0]


def report_without_times(run: Run) -> str:
    """The report up to its table of costs, without what each step took."""
    told = (run.folder / "curate" / "report.html").read_text("utf-8").split('id="cost"')[0]
    return re.sub(r'(<td class="num passed">)\d+\.\d s(?=</td>)', r"\1SECONDS", told)


CURATE = """
import sys
sys.path.insert(0, {tests!r})
from curate.funnels import run_funnel
from pathlib import Path
if __name__ == "__main__":
    run_funnel(Path({haystack!r}), Path({run!r}), workers={workers})
"""


@pytest.mark.parametrize(
    ("workers", "moment"),
    [(1, "read-*/00000.parquet"), (1, "pixel-*/parts/*.parquet"), (2, "pixel-*/parts/*.parquet")],
)
def test_kill_9_then_the_same_command_gives_the_same_bytes(
    undisturbed: Run, drawn: Path, tmp_path: Path, workers: int, moment: str
) -> None:
    run = Run(tmp_path / "run")
    script = tmp_path / "curate.py"
    tests = str(Path(__file__).parent.parent)
    script.write_text(CURATE.format(tests=tests, haystack=str(drawn), run=str(run.folder), workers=workers))
    scores = run.folder / "curate" / "scores"
    with subprocess.Popen([sys.executable, script], start_new_session=True) as process:
        while process.poll() is None and not any(scores.glob(moment)):
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (run.folder / "curate" / "verdicts.parquet").exists()
    run_funnel(drawn, run.folder, workers)
    assert table_bytes(run) == table_bytes(undisturbed)


def test_a_changed_threshold_opens_no_picture(undisturbed: Run, haystack: Path, tmp_path: Path) -> None:
    run = run_funnel(haystack, tmp_path / "run")
    for path in haystack.rglob("*.*g*"):  # every picture
        path.unlink()
    tighter = config_of(contrast={"min": 0.4}, select=None)
    curate(tighter, run, workers=1)
    found = verdicts(run)
    assert found["flat"] == ("dropped", "contrast")
    assert {key for key, (verdict, _) in found.items() if verdict == "failed"} == {"gone"}
    loosened = config_of()
    curate(loosened, run, workers=1)
    assert verdicts(run) == verdicts(undisturbed)


def test_a_loosened_threshold_scores_only_what_it_newly_admits(drawn: Path, tmp_path: Path) -> None:
    run = run_funnel(drawn, tmp_path / "run")
    times = run.folder / "curate" / "scores" / "times.json"
    before = read_json(times)
    curate(config_of(size={"min_side_px": 32}), run, workers=1)
    after = read_json(times)
    assert after["pixel"]["num"] == before["pixel"]["num"] + 1  # small.png
    assert after["read"]["num"] == before["read"]["num"] + 1  # gone.png failed, and is tried again
    assert verdicts(run)["small"] != ("dropped", "size")


def test_a_file_that_changed_is_scored_again_and_alone(haystack: Path, tmp_path: Path) -> None:
    run = run_funnel(haystack, tmp_path / "run")
    num_scored = read_json(run.folder / "curate" / "scores" / "times.json")["pixel"]["num"]
    shutil.copy(haystack / "dark.png", haystack / "good" / "00.png")
    run_funnel(haystack, run.folder)
    assert verdicts(run)["00"] == ("dropped", "exposure")
    assert read_json(run.folder / "curate" / "scores" / "times.json")["pixel"]["num"] == num_scored + 1


def test_an_unreachable_source_is_a_sentence(haystack: Path, tmp_path: Path) -> None:
    run = run_funnel(haystack, tmp_path / "run")
    haystack.rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="'drawn' cannot be reached"):
        curate(config_of(), run, workers=1)


def test_an_unknown_column_is_found_before_anything_is_scored(drawn: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    index(PoolConfig.model_validate({"sources": {"drawn": {"path": drawn}}}), run)
    with pytest.raises(RecipeError, match=r"select\.by.*'apeal_score'") as caught:
        curate(config_of(select={"num": 5, "by": "apeal_score"}), run, workers=1)
    assert "appeal_score" in caught.value.fix
    assert not (run.folder / "curate" / "scores").exists()


def test_a_side_car_field_can_select_and_filter(drawn: Path, tmp_path: Path) -> None:
    config = CurateConfig.model_validate(
        {"steps": {"popularity": {"field": "likes", "min": 10}, "select": {"num": 5, "by": "fields.likes"}}}
    )
    run = run_funnel(drawn, tmp_path / "run", config=config)
    found = verdicts(run)
    assert found["09"] == ("dropped", "popularity")
    decodable = pc.equal(read_table(run.folder / "curate" / "verdicts.parquet")["verdict"], "kept")
    assert pc.sum(decodable).as_py() == 5
    assert found["look-alike"] == ("kept", None)


def test_when_nothing_is_left_the_tables_are_empty_and_the_report_says_so(
    drawn: Path, tmp_path: Path
) -> None:
    run = run_funnel(drawn, tmp_path / "run", config=config_of(size={"min_side_px": 5000}))
    assert read_table(run.folder / "curate" / "candidates.parquet").num_rows == 0
    assert "Nothing is left" in (run.folder / "curate" / "report.html").read_text()
