import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.pool import index

from .containers import as_json, metadata_rows, picture, tar_of, write_tar
from .funnels import config_of, curate, run_funnel


def pool(path: Path, run: Run) -> dict[str, Sample]:
    table = index(PoolConfig.model_validate({"sources": {"web": path}}), run)
    assert table["member"].to_pylist() == sorted(table["member"].to_pylist())
    samples = list(iter_samples(table))
    assert len({sample.sample_id for sample in samples}) == len(samples)
    return {sample.member: sample for sample in samples}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def test_pictures_texts_and_fields_are_joined_by_key(tmp_path: Path, run: Run) -> None:
    pictures = {name: picture(colour) for name, colour in {"a": "red", "b": "green", "c": "blue"}.items()}
    write_tar(
        tmp_path / "shards" / "00001.tar",
        [
            ("b.json", as_json({"key": "B", "likes": 3, "caption": "from json"})),
            ("deep/a.png", pictures["a"]),
            ("b.JPG", pictures["b"]),
            ("deep/a.txt", b"\xef\xbb\xbf the a \n"),
            ("c.seg.webp", pictures["c"]),
            ("c.txt", b"the c"),
            ("movie.mp4", b""),
        ],
    )
    write_tar(tmp_path / "shards" / "00000.tar", [("a.png", pictures["a"]), ("a.json", b"{")])
    samples = pool(tmp_path / "shards", run)
    assert list(samples) == [
        "00000.tar/a.png",
        "00001.tar/b.JPG",
        "00001.tar/c.seg.webp",
        "00001.tar/deep/a.png",
    ]
    b = samples["00001.tar/b.JPG"]
    assert (b.key, b.alt_text, b.fields) == ("B", "from json", {"likes": 3})
    assert samples["00001.tar/deep/a.png"].alt_text == "the a"
    assert samples["00001.tar/deep/a.png"].key == "deep/a"
    assert samples["00001.tar/c.seg.webp"].alt_text == "the c"
    sources = run.sources()
    for member, sample in samples.items():
        assert sources.read(sample.locator) == pictures[Path(member).name[0]]
    log = (run.folder / "log.txt").read_text()
    assert "no picture (.mp4)" in log and "side-car that is no JSON object" in log


def test_a_name_that_is_there_twice_is_two_samples(tmp_path: Path, run: Run) -> None:
    tar = write_tar(
        tmp_path / "twice.tar",
        [
            ("a.png", picture("red")),
            ("a.txt", b"red"),
            ("a.png", picture("blue")),
            ("a.txt", b"blue"),
            ("a~2.png", picture("green")),
        ],
    )
    samples = pool(tar, run)
    assert {member: sample.alt_text for member, sample in samples.items()} == {
        "twice.tar/a.png": "red",
        "twice.tar/a~2.png": "blue",
        "twice.tar/a~2~2.png": "",
    }
    assert run.sources().read(samples["twice.tar/a~2.png"].locator) == picture("blue")


def test_img2dataset_gives_its_key_and_fields_and_counts_what_it_did_not_get(
    tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "laion"
    write_tar(
        folder / "00000.tar",
        [
            ("000000000.jpg", picture("red", "JPEG")),
            ("000000000.json", as_json({"key": "000000000", "url": "https://a", "caption": "an a"})),
            ("000000002.jpg", picture("blue", "JPEG")),
        ],
    )
    rows = [
        {
            "key": f"00000000{n}",
            "url": f"https://{n}",
            "caption": f"the {n}",
            "status": status,
            "similarity": 0.5,
        }
        for n, status in enumerate(["success", "failed_to_download", "success"])
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "00000.parquet")
    (folder / "00000_stats.json").write_text('{"successes": 2}')
    first, second = pool(folder, run).values()
    assert (first.key, first.alt_text, first.fields["url"]) == ("000000000", "an a", "https://a")
    assert first.fields["similarity"] == 0.5
    assert (second.key, second.alt_text, second.fields["url"]) == ("000000002", "the 2", "https://2")
    assert "left out 1: picture that was never downloaded" in (run.folder / "log.txt").read_text()


def test_img2dataset_in_folders(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "laion"
    (folder / "00000").mkdir(parents=True)
    for number in range(2):
        (folder / "00000" / f"{number}.jpg").write_bytes(picture("red", "JPEG"))
    (folder / "00000" / "0.json").write_text('{"key": "0", "url": "https://json"}')
    (folder / "other.png").write_bytes(picture())
    rows = [{"key": f"{n}", "url": f"https://{n}", "status": "success", "caption": "c"} for n in range(2)]
    rows.append({"key": "2", "url": "https://2", "status": "failed_to_download", "caption": "c"})
    pq.write_table(pa.Table.from_pylist(rows), folder / "00000.parquet")
    pq.write_table(pa.table({"key": ["other"], "status": ["success"]}), tmp_path / "laion.parquet")
    samples = pool(folder, run)
    assert [sample.fields.get("url") for sample in samples.values()] == ["https://json", "https://1", None]
    assert [sample.alt_text for sample in samples.values()] == ["c", "c", ""]
    assert "left out 1: picture that was never downloaded" in (run.folder / "log.txt").read_text()


def test_a_tar_that_is_cut_off_says_so_and_one_that_changes_later_fails(tmp_path: Path, run: Run) -> None:
    tar = write_tar(tmp_path / "cut.tar", [("a.png", picture("red")), ("b.png", bytes(9999))])
    tar.write_bytes(tar.read_bytes()[:4000])
    samples = pool(tar, run)
    assert list(samples) == ["cut.tar/a.png"]
    assert "rest of cut.tar, which is cut off or damaged" in (run.folder / "log.txt").read_text()
    tar.write_bytes(tar.read_bytes()[:530])
    with pytest.raises(StorageError, match="shorter than when it was indexed"):
        run.sources().read(samples["cut.tar/a.png"].locator)
    tar.unlink()
    with pytest.raises(StorageError, match="No such file"):
        run.sources().read(samples["cut.tar/a.png"].locator)


def test_a_compressed_tar_is_left_out_with_advice(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "shards"
    write_tar(folder / "a.tar", [("a.png", picture())])
    (folder / "b.tar.gz").write_bytes(b"\x1f\x8b")
    assert len(pool(folder, run)) == 1
    assert "compressed tar (unpack it" in (run.folder / "log.txt").read_text()


def test_the_funnel_judges_a_tar_like_the_folder(haystack: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    tar_of(haystack, tmp_path / "shards" / "00000.tar")
    lines = [
        line for line in (haystack / "metadata.jsonl").read_text().splitlines() if "gone.png" not in line
    ]
    (haystack / "metadata.jsonl").write_text("\n".join(lines))
    config = config_of(select=None)
    of_folder = run_funnel(haystack, tmp_path / "of-folder", config=config)
    of_tar = Run(tmp_path / "of-tar")
    index(PoolConfig.model_validate({"sources": {"drawn": tmp_path / "shards"}}), of_tar)
    curate(config, of_tar, workers=1)

    def judged(run: Run) -> list[tuple[str, ...]]:
        # By uid: which of two with equal bytes is the duplicate hangs on their sample_id.
        rows = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
        names = ("uid", "verdict", "drop_step", "value")
        return sorted(tuple(str(row[name]) for name in names) for row in rows)

    assert judged(of_tar) == judged(of_folder)
    assert len({verdict for _, verdict, *_ in judged(of_tar)}) == 2
    uids = {
        hashlib.sha256((haystack / row["file_name"]).read_bytes()).hexdigest()
        for row in metadata_rows(haystack)
    }
    assert {row[0] for row in judged(of_tar)} == uids
