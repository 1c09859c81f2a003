import hashlib
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.parquet_rows import _Column
from photogenic.core.records import Locator, Sample
from photogenic.core.run import Run
from photogenic.core.shards import Sources, read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.parquets import BATCH_ROWS
from photogenic.curate.pool import index

from .containers import picture

COLOURS = ("red", "green", "blue", "white", "black")


def pool(run: Run, path: Path, **source: object) -> list[Sample]:
    table = index(PoolConfig.model_validate({"sources": {"rows": {"path": path, **source}}}), run)
    assert table["member"].to_pylist() == sorted(table["member"].to_pylist())
    return list(iter_samples(table))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    return folder


def test_rows_with_bytes_as_hugging_face_and_img2dataset_write_them(folder: Path, run: Run) -> None:
    data = [picture(colour) for colour in COLOURS]
    images = [{"bytes": item, "path": f"{n}.png"} for n, item in enumerate(data)]
    hugging_face = pa.table({"image": images, "text": COLOURS, "label": range(5)})
    pq.write_table(hugging_face, folder / "train.parquet", row_group_size=2)
    img2dataset = pa.table(
        {"key": ["k0", "k1"], "jpg": [data[0], None], "caption": ["c0", None], "width": [32, 0]}
    )
    pq.write_table(img2dataset, folder / "00000.parquet")
    samples = pool(run, folder)
    assert [sample.member for sample in samples[:3]] == [
        "00000.parquet/000000000/jpg",
        "00000.parquet/000000001/jpg",
        "train.parquet/000000000/image.bytes",
    ]
    assert (samples[0].key, samples[0].alt_text, samples[0].fields) == ("k0", "c0", {"width": 32})
    assert (samples[3].key, samples[3].alt_text, samples[3].fields) == (
        "train/000000001",
        "green",
        {"label": 1},
    )
    assert [sample.size_bytes for sample in samples] == [len(data[0]), 0, *map(len, data)]
    sources = run.sources()
    for expected, sample in zip([data[0], b"", *data], samples, strict=True):
        assert sources.read(sample.locator) == expected
    for expected, sample in reversed(list(zip(data, samples[2:], strict=True))):  # in any order
        assert sources.read(sample.locator) == expected


def test_a_row_of_a_file_written_again_is_read_again_or_fails(folder: Path, run: Run) -> None:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"jpg": [b"one", b"two", b"three"]}), path)
    samples = pool(run, path)
    sources = run.sources()
    assert sources.read(samples[2].locator) == b"three"
    pq.write_table(pa.table({"jpg": [b"uno", b"four"]}), path)
    assert sources.read(samples[0].locator) == b"uno"
    with pytest.raises(StorageError, match="longer than when it was indexed"):
        sources.read(samples[1].locator)
    with pytest.raises(StorageError, match="there are 2 rows"):
        sources.read(samples[2].locator)
    for member in ("a.parquet/0/png", "a.parquet/x/jpg", "a.parquet/0", "a.parquet/../../x"):
        with pytest.raises(StorageError):
            sources.read(Locator("rows", member))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StorageError, match="Cannot read"):
        sources.read(samples[0].locator)


def test_sample_ids_do_not_depend_on_other_files_or_row_groups(
    folder: Path, tmp_path: Path, run: Run
) -> None:
    table = pa.table({"jpg": [bytes([number]) for number in range(9)]})
    pq.write_table(table, folder / "b.parquet")
    alone = {sample.sample_id for sample in pool(run, folder)}
    pq.write_table(table, folder / "b.parquet", row_group_size=4)
    pq.write_table(table, folder / "a.parquet")
    assert alone < {sample.sample_id for sample in pool(run, folder)}


def test_rows_with_paths(folder: Path, tmp_path: Path, run: Run) -> None:
    (folder / "images").mkdir()
    for colour in COLOURS[:2]:
        (folder / "images" / f"{colour}.png").write_bytes(picture(colour))
    (tmp_path / "secret.png").write_bytes(picture())
    (folder / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    paths = [
        "images/red.png",
        str(folder / "images/green.png"),
        "gone.png",
        "images/link.png",
        "../secret.png",
    ]
    paths += [str(tmp_path / "secret.png"), None, "images/red.png", "https://example.org/images/red.png"]
    pq.write_table(
        pa.table({"file": paths, "text": list("abcdefghi"), "key": list("ABCDEFGHI")}), folder / "t.parquet"
    )
    samples = pool(run, folder / "t.parquet", path_column="file")
    assert [(sample.member, sample.key, sample.alt_text) for sample in samples] == [
        ("gone.png", "C", "c"),
        ("images/green.png", "B", "b"),
        ("images/red.png", "A", "a"),
    ]
    assert samples[0].size_bytes == -1 and samples[0].fields == {}
    assert run.sources().read(samples[2].locator) == picture("red")
    with pytest.raises(StorageError):
        run.sources().read(samples[0].locator)
    log = (run.folder / "log.txt").read_text()
    assert "left out 5: row without a path, or with one that leads out of the pool" in log
    assert "left out 1: row for a file that has one" in log


def test_errors_are_sentences(folder: Path, run: Run) -> None:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"jpg": [b"1"], "mask": [b"2"], "text": ["t"]}), path)
    with pytest.raises(RunError, match=r"several columns of bytes: jpg, mask[^$]*bytes_column"):
        pool(run, folder)
    assert [sample.fields for sample in pool(run, folder, bytes_column="jpg")] == [{}]
    for column in ("png", "text"):
        with pytest.raises(RunError, match=f"no column of bytes '{column}'"):
            pool(run, folder, bytes_column=column)
    with pytest.raises(RunError, match=r"no column 'file'[^$]*It has: jpg, mask, text"):
        pool(run, folder, path_column="file")
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(RunError, match="Cannot read"):
        pool(run, folder)


def test_one_damaged_file_among_many_is_left_out_and_named(folder: Path, run: Run) -> None:
    for name in "abc":
        table = pa.table({"image": [name.encode()] * 2 * BATCH_ROWS})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=BATCH_ROWS)
    (folder / "b.parquet").write_bytes(b"PAR1 and no more")
    whole = bytearray((folder / "c.parquet").read_bytes())
    group = pq.read_metadata(folder / "c.parquet").row_group(1).column(0)
    whole[group.dictionary_page_offset : group.data_page_offset] = bytes(
        group.data_page_offset - group.dictionary_page_offset
    )
    (folder / "c.parquet").write_bytes(whole)
    found = Counter(sample.member.split("/")[0] for sample in pool(run, folder))
    assert found == {"a.parquet": 2 * BATCH_ROWS, "c.parquet": BATCH_ROWS}
    left_out = read_table(run.folder / "pool" / "left_out.parquet").to_pylist()
    assert [(row["member"], row["reason"][:25]) for row in left_out] == [
        ("b.parquet", "rest of b.parquet, which "),
        ("c.parquet", "rest of c.parquet, which "),
    ]


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view", "dictionary", "struct"])
def test_bytes_of_whatever_type(folder: Path, run: Run, kind: str) -> None:
    data = [picture("red"), None, picture("blue")]
    if kind == "dictionary":
        column = pa.array(data, pa.binary()).dictionary_encode()
    elif kind == "struct":
        rows = [None if item is None else {"bytes": item} for item in data]
        column = pa.array(rows, pa.struct([("bytes", pa.large_binary())]))
    else:
        column = pa.array(data, getattr(pa, kind)())
    pq.write_table(pa.table({"image": column}), folder / "a.parquet")
    samples = pool(run, folder)
    assert [run.sources().read(sample.locator) for sample in samples] == [data[0], b"", data[2]]


def test_columns_that_share_a_name_tell_nothing(folder: Path, run: Run) -> None:
    columns = [pa.array([b"1"]), pa.array(["x"]), pa.array(["y"]), pa.array([7])]
    pq.write_table(pa.Table.from_arrays(columns, ["image", "t", "t", "n"]), folder / "a.parquet")
    assert [sample.fields for sample in pool(run, folder)] == [{"n": 7}]


def test_a_path_that_no_file_may_have(folder: Path, run: Run) -> None:
    (folder / "a.png").write_bytes(picture())
    pq.write_table(pa.table({"file": ["a.png", "x" * 5000 + ".png"]}), folder / "t.parquet")
    assert [sample.size_bytes for sample in pool(run, folder, path_column="file")] == [len(picture()), -1]


def test_a_picture_named_by_a_lone_table_is_measured_again_when_it_is_rewritten(
    folder: Path, run: Run
) -> None:
    pq.write_table(pa.table({"file": ["a.png"]}), folder / "t.parquet")
    config = CurateConfig.model_validate({"steps": {"size": {"min_side_px": 8}}})
    for colour in ("red", "blue"):
        data = picture(colour, "BMP")  # of the same size, whatever the colour
        (folder / "a.png").write_bytes(data)
        os.utime(folder / "a.png", ns=(0, len(colour)))
        pool(run, folder / "t.parquet", path_column="file")
        curate(config, run, workers=1)
        verdicts = read_table(run.folder / "curate" / "verdicts.parquet")
        assert verdicts["uid"].to_pylist() == [hashlib.sha256(data).hexdigest()]


def test_tasks_one_after_the_other_read_a_group_of_rows_once(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [bytes([number]) * 50 for number in range(200)]
    pq.write_table(pa.table({"image": data}), folder / "a.parquet")
    samples = pool(run, folder)
    entered: list[int] = []
    enter = _Column._enter
    monkeypatch.setattr(_Column, "_enter", lambda self, group: (entered.append(group), enter(self, group))[1])
    roots = run.sources().roots
    for start in range(0, len(samples), 16):
        sources = Sources(roots)  # as each task has its own
        for sample in samples[start : start + 16]:
            assert sources.read(sample.locator) == data[samples.index(sample)]
    assert entered == [0]


def test_large_row_groups_and_sources_that_travel(folder: Path, run: Run) -> None:
    import pickle

    data = [hashlib.sha256(bytes([number])).digest() for number in range(200)]
    pq.write_table(pa.table({"image": pa.array(data, pa.large_binary())}), folder / "a.parquet")
    samples = pool(run, folder)
    sources = run.sources()
    assert sources.read(samples[150].locator) == data[150]
    sources = pickle.loads(pickle.dumps(sources))
    assert isinstance(sources, Sources)
    assert [sources.read(sample.locator) for sample in samples] == data
