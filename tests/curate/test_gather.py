from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.curate.gather import RowGroups, rows_at, starts_of
from photogenic.curate.tables import Tables, write_batches

NUM = 1000
SIZES = (300, 0, 450, 250)  # rows of the files; 70 in a group


@pytest.fixture
def whole() -> pa.Table:
    numbers = np.arange(NUM)
    texts = [None if number % 7 == 0 else f"text {number}" for number in range(NUM)]
    return pa.table({"number": numbers, "text": pa.array(texts, pa.string()), "other": -numbers})


@pytest.fixture
def paths(whole: pa.Table, tmp_path: Path) -> list[Path]:
    found, start = [], 0
    for place, size in enumerate(SIZES):
        found.append(tmp_path / f"{place}.parquet")
        pq.write_table(whole.slice(start, size), found[-1], row_group_size=70)
        start += size
    return found


def in_turns(rows: np.ndarray, num: int) -> Iterator[np.ndarray]:
    return (rows[start : start + num] for start in range(0, len(rows), num))


@pytest.mark.parametrize("num_at_once", [1, 13, NUM])
def test_rows_come_as_they_were_asked_for(whole: pa.Table, paths: list[Path], num_at_once: int) -> None:
    starts = np.cumsum((0, *SIZES)).tolist()
    for share in (0.01, 0.3, 1.0):
        rows = np.flatnonzero(np.random.default_rng(1).random(NUM) < share)
        with closing(RowGroups(paths, starts, ["text", "number"])) as groups:
            found = pa.concat_tables([groups.take(some) for some in in_turns(rows, num_at_once)])
        assert found.equals(whole.select(["text", "number"]).take(pa.array(rows)))


def test_files_without_a_wanted_row_are_not_opened(whole: pa.Table, paths: list[Path]) -> None:
    starts = np.cumsum((0, *SIZES)).tolist()
    paths[0].unlink()
    paths[3].unlink()
    with closing(RowGroups(paths, starts, ["number"])) as groups:
        assert groups.take(np.array([300, 749]))["number"].to_pylist() == [300, 749]


def test_rows_come_in_whatever_order_and_none_where_there_is_none(whole: pa.Table, paths: list[Path]) -> None:
    generator = np.random.default_rng(2)
    places = generator.permutation(NUM)
    places[generator.random(NUM) < 0.2] = -1
    places[100:150] = -1  # a turn in which nobody has a row
    schema = whole.schema.remove(1).set(0, pa.field("number", pa.float64()))
    found = pa.Table.from_batches(rows_at(paths, starts_of(paths), schema, in_turns(places, 50)))
    assert found.schema == schema
    expected = [None if place < 0 else place for place in places.tolist()]
    assert found["number"].to_pylist() == expected
    assert found["other"].to_pylist() == [None if place is None else -place for place in expected]


@pytest.mark.parametrize("num_copies", [1, 2])
def test_samples_are_found_by_their_keys_wherever_they_lie(tmp_path: Path, num_copies: int) -> None:
    generator = np.random.default_rng(3)
    stamps = [f"{number} and a text" for number in generator.integers(0, 9, NUM)]
    pool = pa.table({"id": [f"{number:024x}" for number in range(NUM)], "stamp": stamps})
    pq.write_table(pool, tmp_path / "pool.parquet")
    stored = generator.permutation(NUM)[: NUM // 2]
    scores = pool.take(pa.array(np.tile(stored, num_copies)))
    is_stale = np.arange(len(scores)) % 10 == 0
    scores = scores.set_column(
        1, "stamp", pa.array(np.where(is_stale, "old", scores["stamp"].to_numpy(False)))
    )
    files = [tmp_path / f"{number:03d}.parquet" for number in range(50)]
    for number, file in enumerate(files):
        pq.write_table(scores.slice(number * len(scores) // 50, len(scores) // 50), file)
    with closing(Tables(tmp_path / "scratch")) as tables:
        tables.attach("pool", [tmp_path / "pool.parquet"])
        tables.number_rows(NUM)
        keys = {"id": '"pool".id', "stamp": '"pool".stamp'}
        found = pa.Table.from_batches(tables.lookup(keys, files, len(scores)))
    expected = []
    for row in range(NUM):
        same = np.flatnonzero(~is_stale & (np.tile(stored, num_copies) == row)).tolist()
        expected += [(row, place) for place in same or [-1]]
    assert list(zip(found["row"].to_pylist(), found["place"].to_pylist(), strict=True)) == expected


def test_the_rows_of_several_tables_stand_side_by_side(
    whole: pa.Table, paths: list[Path], tmp_path: Path
) -> None:
    pq.write_table(pa.table({"score": np.arange(NUM) / 8}), tmp_path / "scores.parquet", row_group_size=110)
    with closing(Tables(tmp_path / "scratch")) as tables:
        tables.attach("pool", paths)
        tables.attach("scores", [tmp_path / "scores.parquet"])
        tables.number_rows(NUM)
        columns = {"id": ("pool", "number"), "what": ("pool", "text"), "score": ("scores", "score")}
        for limit in (100.0, 0.25, -1.0):
            found = list(tables.gathered(columns, f'"scores".score < {limit}'))
            wanted = int(np.count_nonzero(np.arange(NUM) / 8 < limit))
            assert sum(batch.num_rows for batch in found) == wanted
            if found:
                table = pa.Table.from_batches(found)
                assert table["id"].to_pylist() == list(range(wanted))
                assert table["score"].to_pylist() == [number / 8 for number in range(wanted)]
                assert table["what"].equals(whole["text"].slice(0, wanted))


def test_equal_rows_are_equal_bytes_in_whatever_batches_they_came(tmp_path: Path) -> None:
    num = 40_000  # texts beyond the megabyte at which parquet gives up its dictionary, at a batch's end
    texts = [f"{value:064x}" for value in np.random.default_rng(0).integers(2**60, size=num)]
    rows = pa.table({"text": texts})
    found = []
    for size in (1000, 7000, num):
        path = tmp_path / f"{size}.parquet"
        assert write_batches(path, rows.schema, rows.to_batches(max_chunksize=size)) == num
        found.append(path.read_bytes())
    assert found[0] == found[1] == found[2]
