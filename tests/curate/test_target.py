from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.shards import write_table
from photogenic.curate.filters import Rule
from photogenic.curate.ledger import Ledger
from photogenic.curate.target import left_at, solve


def rules(*columns: str) -> list[list[Rule]]:
    return [[Rule(column, "min", "low", is_target=True)] for column in columns]


def test_the_chain_is_walked_as_the_funnel_walks_it() -> None:
    values = {"a": np.arange(100.0), "b": np.tile([0.0, 1.0], 50)}
    assert left_at(0.0, rules("a"), values, 100) == 100
    assert left_at(0.25, rules("a"), values, 100) == 75
    chain = [*rules("a"), [Rule("b", "min", "low", 0.5)]]
    assert left_at(0.5, chain, values, 100) == 25
    upper = [[Rule("a", "max", "high", is_target=True)]]
    assert left_at(0.25, upper, values, 100) == 75


def test_what_is_not_measured_stays() -> None:
    values = {"a": np.array([np.nan, 1.0, 2.0, 3.0])}
    assert left_at(0.99, rules("a"), values, 4) == 2


@pytest.fixture
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder = tmp_path_factory.mktemp("ledger")
    generator = np.random.default_rng(0)
    num = 3000
    rows = [{"sample_id": f"{number:024x}", "source": "s", "size_bytes": 1} for number in range(num)]
    write_table(folder / "manifest" / "0.parquet", pa.Table.from_pylist(rows, schema=POOL_SCHEMA))
    columns = {
        "a": generator.random(num),
        "b": generator.random(num),
        "ties": np.repeat([1.0, 2.0, 3.0], 1000),
    }
    table = pa.table(columns)
    write_table(folder / "scores.parquet", table)
    ledger = Ledger(folder / "manifest", folder)
    ledger.attach("scores", folder / "scores.parquet", table.schema)
    yield ledger
    ledger.close()


@pytest.mark.parametrize("target", [1, 10, 777, 2999])
def test_as_many_are_left_as_were_asked_for(ledger: Ledger, target: int) -> None:
    solved = solve(ledger, [*rules("a"), [Rule("b", "min", "low", 0.0)], *rules("b")], target)
    assert target <= solved.left <= target + 1  # two steps may lose their next one at the same quantile
    assert 0 <= solved.quantile < 1


def test_more_are_left_where_values_are_equal_and_never_fewer(ledger: Ledger) -> None:
    assert solve(ledger, rules("ties"), 900).left == 1000
    assert solve(ledger, rules("ties"), 1001).left == 2000


def test_a_target_out_of_reach_leaves_all_that_the_other_bounds_leave(ledger: Ledger) -> None:
    solved = solve(ledger, [[Rule("a", "min", "low", 0.5)], *rules("b")], 2900)
    assert solved.quantile == 0
    assert 1400 < solved.left < 1600
