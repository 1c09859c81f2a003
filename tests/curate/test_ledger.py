from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.shards import read_table, write_table
from photogenic.curate.filters import Rule
from photogenic.curate.ledger import DROPPED, FAILED, Ledger

NUM = 2000


@pytest.fixture
def scores() -> pa.Table:
    generator = np.random.default_rng(7)
    values = generator.random((3, NUM))
    values[:, generator.random(NUM) < 0.1] = np.nan
    return pa.table(dict(zip("abc", values, strict=True)))


@pytest.fixture
def ledger(scores: pa.Table, tmp_path: Path) -> Iterator[Ledger]:
    rows = [{"sample_id": f"{number:024x}", "source": "s", "size_bytes": number} for number in range(NUM)]
    write_table(tmp_path / "manifest" / "0.parquet", pa.Table.from_pylist(rows, schema=POOL_SCHEMA))
    write_table(tmp_path / "scores.parquet", scores)
    ledger = Ledger(tmp_path / "manifest", tmp_path)
    ledger.attach("scores", tmp_path / "scores.parquet", scores.schema)
    yield ledger
    ledger.close()


def rule(column: str, threshold: float) -> Rule:
    return Rule(column, "min", "low", threshold)


def apply_all(ledger: Ledger, asked: set[int]) -> None:
    """Four events; after those with a number in `asked`, who is alive is counted."""
    events = [
        lambda: ledger.drop_by(rule("a", 0.3), "first"),
        lambda: ledger.strike("second", FAILED, np.arange(0, NUM, 5), pa.array(["gone"] * (NUM // 5))),
        lambda: ledger.drop_by(rule("b", 0.5), "third"),
        lambda: ledger.drop_by(rule("a", 0.6), "first"),
    ]
    for number, event in enumerate(events):
        event()
        if number in asked:
            ledger.count(ledger.living)


def expected(scores: pa.Table) -> list[tuple[str, str | None]]:
    """(verdict, step) of each sample, told one by one. What was not measured breaks no rule."""
    told = []
    for row, (a, b) in enumerate(zip(scores["a"].to_pylist(), scores["b"].to_pylist(), strict=True)):
        if a < 0.3:
            told.append((DROPPED, "first"))
        elif row % 5 == 0:
            told.append((FAILED, "second"))
        elif b < 0.5:
            told.append((DROPPED, "third"))
        else:
            told.append((DROPPED, "first") if a < 0.6 else ("kept", None))
    return told


@pytest.mark.parametrize("asked", [set(), {0}, {1, 2}, {0, 1, 2, 3}])
def test_the_first_event_decides_whenever_it_is_asked(
    ledger: Ledger, scores: pa.Table, asked: set[int], tmp_path: Path
) -> None:
    apply_all(ledger, asked)
    told = expected(scores)
    ledger.write_verdicts(tmp_path / "verdicts.parquet")
    verdicts = read_table(tmp_path / "verdicts.parquet").to_pylist()
    assert [(row["verdict"], row["drop_step"]) for row in verdicts] == told
    values = zip(verdicts, scores["b"].to_pylist(), strict=True)
    assert all(row["value"] == b for row, b in values if row["drop_step"] == "third")
    steps = [step for _, step in told]
    counts = ledger.counts()
    assert [num for step, _, num in counts if step in {"second", "third"}] == [
        steps.count("second"),
        steps.count("third"),
    ]
    assert sum(num for step, _, num in counts if step == "first") == steps.count("first")
    assert ledger.write_candidates(tmp_path / "candidates.parquet") == steps.count(None)
    kept = read_table(tmp_path / "candidates.parquet")["size_bytes"].to_pylist()
    assert kept == [row for row, step in enumerate(steps) if step is None]


def test_what_has_been_settled_is_not_asked_again(ledger: Ledger, scores: pa.Table) -> None:
    ledger.drop_by(rule("a", 0.3), "first")
    alive = ledger.count(ledger.living)
    ledger.detach("scores")  # its columns cannot be asked any more
    assert ledger.count(ledger.living) == alive == sum(not a < 0.3 for a in scores["a"].to_pylist())
    assert ledger.counts() == [("first", DROPPED, NUM - alive)]


def test_without_an_event_all_are_alive(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.counts() == []
    assert ledger.write_candidates(tmp_path / "candidates.parquet") == NUM
