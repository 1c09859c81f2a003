"""A few rows of long tables: the same whichever way they are cut."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.glimpse import Glimpse, first_rows, iter_tables, rows_with
from photogenic.core.manifest import sample_id_for
from photogenic.core.shards import write_table

NUM = 1000
TABLE = pa.table(
    {
        "sample_id": [sample_id_for("s", str(row), str(row)) for row in range(NUM)],
        "number": list(range(NUM)),
    }
)


@pytest.mark.parametrize("cut", [1, 7, 300, NUM])
def test_it_is_the_same_few_whichever_way_the_table_is_cut(cut: int) -> None:
    glimpse = Glimpse(20)
    for start in range(0, NUM, cut):
        glimpse.show(TABLE.slice(start, cut))
    wanted = sorted(zip(TABLE["sample_id"].to_pylist(), TABLE["number"].to_pylist(), strict=True))[:20]
    assert list(zip(glimpse.column("sample_id"), glimpse.column("number"), strict=True)) == wanted


def test_of_few_rows_all_are_taken() -> None:
    assert first_rows(TABLE.slice(0, 3), 20).num_rows == 3
    assert first_rows(TABLE.slice(0, 0), 20).num_rows == 0
    assert Glimpse(20).column("number") == []


def test_a_folder_is_read_bit_by_bit_and_a_few_rows_with_it_are_found(tmp_path: Path) -> None:
    write_table(tmp_path / "00000.parquet", TABLE.slice(0, 600))
    write_table(tmp_path / "00001.parquet", TABLE.slice(600))
    parts = list(iter_tables(tmp_path, ["number"]))
    assert [part.num_rows for part in parts] == [600, 400]
    assert pa.concat_tables(parts).equals(TABLE.select(["number"]))
    ids = TABLE["sample_id"].to_pylist()
    assert rows_with(tmp_path, [ids[900], ids[3]])["number"].to_pylist() == [3, 900]
    assert rows_with(tmp_path, []).num_rows == 0
