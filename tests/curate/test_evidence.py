"""What is on record about a pool."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.manifest import VERDICTS_SCHEMA
from photogenic.core.records import Sample
from photogenic.core.shards import write_table
from photogenic.curate.evidence import Evidence
from photogenic.curate.pool import pool_table

FIELDS = [
    {"likes": 3},
    {},
    {'b"c': "likes"},
    {"\u00e9t\u00e9\n": [1], "likes": None},
    {"not": {"likes": 5}},
    {"likes": "7"},
]


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    samples = [Sample(str(number), "s", "m", "k", fields=fields) for number, fields in enumerate(FIELDS)]
    write_table(tmp_path / "manifest" / "00000.parquet", pool_table(samples[:4]))
    write_table(tmp_path / "manifest" / "00001.parquet", pool_table(samples[4:]))
    rows = [{"sample_id": sample.sample_id} for sample in samples]
    return Evidence(pa.Table.from_pylist(rows, VERDICTS_SCHEMA), (), (tmp_path / "manifest",), {})


@pytest.mark.parametrize("name", ["likes", 'b"c', "\u00e9t\u00e9\n", "nothing", "", "3", "}"])
def test_a_field_is_found_whatever_its_name(evidence: Evidence, name: str) -> None:
    assert evidence.fields(name) == [fields.get(name) for fields in FIELDS]


def test_numbers_of_a_field(evidence: Evidence) -> None:
    assert evidence.numbers("fields.likes").tolist() == pytest.approx(
        [3, *[float("nan")] * 4, 7], nan_ok=True
    )
