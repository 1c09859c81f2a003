import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.errors import DecodeError, RunError, StorageError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.curate.columns import column_sql
from photogenic.curate.config import PoolConfig
from photogenic.curate.ledger import Ledger
from photogenic.curate.pool import index
from photogenic.curate.scorers import Scorer, Values
from photogenic.curate.scores import Scored, Scores
from photogenic.curate.tables import POOL, literal
from photogenic.engines.here import InProcess
from photogenic.engines.local import LocalPool, engine_for


def measure(sample: Sample, data: bytes, model: Path | None) -> Values:
    """The length of the text; some texts are trouble."""
    match sample.alt_text:
        case "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raises":
            raise ZeroDivisionError("one over nothing")
        case "undecodable":
            raise DecodeError("cannot be read")
    return {"length": len(sample.alt_text), "num_bytes": len(data)}


COLUMNS = {"length": "int32", "num_bytes": "float64"}
SCORER = Scorer("length", measure, COLUMNS, "1", basis="uid and text", samples_per_task=4)

TEXTS = ["a", "bb", "kills", "cccc", "raises", "dd", "undecodable", "e", "gone", "ff"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "pool"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.png").write_bytes(b"x" * number)
        (folder / f"{number}.txt").write_text(text)
    run = Run(tmp_path / "run")
    index(PoolConfig.model_validate({"sources": {"pool": folder}}), run)
    (folder / "8.png").unlink()
    return run


@pytest.fixture
def ledger(run: Run) -> Iterator[Ledger]:
    with closing(Ledger(run.folder / "pool" / "manifest", run.folder)) as ledger:
        yield ledger


def saying(*texts: str) -> str:
    """The condition of having one of the texts."""
    return f"{column_sql(POOL, 'alt_text')} IN ({', '.join(map(literal, texts))})"


def fill(scores: Scores, scorer: Scorer, ledger: Ledger, *texts: str) -> tuple[Scored, pa.Table]:
    """Score those with one of the texts; who could not be, and the scores of the whole pool."""
    scored = scores.attach(scorer, ledger, saying(*texts))
    columns = {name: column_sql(scorer.folder_name, name) for name in (*scorer.columns, "undecodable")}
    table = ledger.tables.table(ledger.tables.select(columns))
    ledger.detach(scorer.folder_name)
    return scored, table


def ids_of(ledger: Ledger) -> list[str]:
    query = ledger.tables.select({"id": column_sql(POOL, "sample_id")})
    return [str(row[0]) for row in ledger.tables.rows(query)]


def test_whatever_a_sample_does_the_others_are_scored(run: Run, ledger: Ledger) -> None:
    with LocalPool(2) as pool:
        scores = Scores(run.folder / "scores", run.sources(), pool, timeout_s=45)
        scored, table = fill(scores, SCORER, ledger, *TEXTS)
    ids = dict(zip(ids_of(ledger), TEXTS, strict=True))
    assert {ids[key]: reason for key, reason in scored.broke.items()} == {
        "kills": "its worker was killed by SIGKILL",
        "raises": "ZeroDivisionError: one over nothing",
    }
    assert [ids[key] for key in scored.unreachable] == ["gone"]
    assert table["length"].to_pylist() == [1, 2, None, 4, None, 2, None, 1, None, 2]
    assert table["undecodable"].to_pylist() == [None] * 6 + ["cannot be read"] + [None] * 3


def test_only_what_is_missing_or_stale_is_scored(run: Run, ledger: Ledger) -> None:
    scores = Scores(run.folder / "scores", run.sources(), InProcess(), timeout_s=45)
    _, table = fill(scores, SCORER, ledger, "a", "bb", "dd")
    assert table["length"].to_pylist() == [1, 2, None, None, None, 2, None, None, None, None]
    for path in run.sources().roots["pool"].glob("*.png"):
        path.unlink()
    manifest = read_table(run.folder / "pool" / "manifest").to_pylist()
    manifest[1]["alt_text"] = "another text"
    write_table(
        run.folder / "pool" / "manifest" / "00000.parquet", pa.Table.from_pylist(manifest, POOL_SCHEMA)
    )
    with closing(Ledger(run.folder / "pool" / "manifest", run.folder)) as changed:
        again, table = fill(scores, SCORER, changed, "a", "another text", "dd")
    assert table["length"].to_pylist() == [1, None, None, None, None, 2, None, None, None, None]
    ids = ids_of(ledger)
    assert list(again.unreachable) == [ids[1]]  # its text changed, and its bytes are gone
    stored = read_table(run.folder / "scores" / SCORER.folder_name)
    assert stored["sample_id"].to_pylist() == [ids[0], ids[5]]


def test_another_revision_is_another_table(run: Run, ledger: Ledger) -> None:
    scores = Scores(run.folder / "scores", run.sources(), InProcess(), timeout_s=45)
    fill(scores, SCORER, ledger, "a")
    other = Scorer("length", measure, COLUMNS, "2", basis="uid and text")
    assert fill(scores, other, ledger, "a")[1]["length"].to_pylist()[0] == 1
    assert sorted(path.name for path in scores.folder.glob("length-*")) == ["length-1", "length-2"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_that_cannot_be_written_is_no_pictures_failure(
    run: Run, ledger: Ledger, workers: int
) -> None:
    parts = run.folder / "scores" / SCORER.folder_name / "parts"
    parts.parent.mkdir(parents=True)
    parts.touch()
    with closing(engine_for(workers)) as engine, pytest.raises(StorageError, match=f"Cannot write {parts}/"):
        scores = Scores(run.folder / "scores", run.sources(), engine, timeout_s=45)
        scores.attach(SCORER, ledger, saying("a", "bb"))


def imports_nothing(sample: Sample, data: bytes, model: None) -> Values:
    import no_such_module_anywhere  # noqa: F401

    return {"length": 1, "num_bytes": 1.0}


def is_mistaken(sample: Sample, data: bytes, model: None) -> Values:
    return {"length": sample.no_such_attribute, "num_bytes": 1.0}


@pytest.mark.parametrize("function", [imports_nothing, is_mistaken])
@pytest.mark.parametrize("workers", [1, 2])
def test_broken_code_ends_the_run_and_is_no_pictures_failure(
    run: Run, ledger: Ledger, function: Callable[..., Values], workers: int
) -> None:
    scorer = Scorer("broken", function, COLUMNS, "1", basis="uid and text", samples_per_task=4)
    with closing(engine_for(workers)) as engine, pytest.raises(RunError) as caught:
        scores = Scores(run.folder / "scores", run.sources(), engine, timeout_s=45)
        scores.attach(scorer, ledger)
    assert "The scorer 'broken' cannot work" in caught.value.what
    assert "no_such_" in caught.value.what and "test_scores.py" in caught.value.what
