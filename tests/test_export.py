from __future__ import annotations

import csv
import hashlib
import json
import signal
import subprocess
import sys
import tarfile
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from photogenic.core.errors import RunError
from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table, write_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.pool import index
from photogenic.export import export
from photogenic.review.captions import Caption
from photogenic.review.export import Needles, write_needles

NUM = 5
SUFFIXES = (".png", ".jpg", ".webp")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(NUM):
        path = folder / f"{number}{SUFFIXES[number % 3]}"
        Image.fromarray(generator.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
        fields = {"key": f"key, {number}", "alt_text": f"alt {number}", "group": "näise", "score": number}
        path.with_suffix(".json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path, photos: Path) -> Run:
    run = Run(tmp_path / "run")
    return with_needles(run, photos)


def with_needles(run: Run, pool: Path) -> Run:
    rows = index(PoolConfig.model_validate({"sources": {"mine": pool}}), run)
    captions = [Caption(f"caption {n}", "writer") for n in range(rows.num_rows)]
    scores = [float(n) for n in range(rows.num_rows)]
    write_needles(Needles(rows, captions, ["auto"] * rows.num_rows, scores), run)
    write_table(run.stage("curate") / "candidates.parquet", rows.append_column("luma", [scores]))
    return run


def pool_of(folder: Path, run: Run) -> list[Any]:
    return list(iter_samples(index(PoolConfig.model_validate({"sources": {"again": folder}}), run)))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("to", ["webdataset", "folder", "parquet"])
def test_the_bytes_are_the_sources_and_a_pool_again(run: Run, photos: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    done = export(run, "needles", to, out, samples_per_shard=2)
    assert (done.num_samples, done.unreadable) == (NUM, ())
    again = Run(tmp_path / "again")
    samples = pool_of(out, again)
    data = [again.sources().read(sample.locator) for sample in samples]
    assert sorted(hashlib.sha256(item).hexdigest() for item in data) == hashes_of(photos)
    assert {sample.key for sample in samples} == {f"key, {number}" for number in range(NUM)}
    needles = {row["key"]: row for row in read_table(run.folder / "review" / "needles.parquet").to_pylist()}
    for sample in samples:
        needle = needles[sample.key]
        assert needle["caption"] in (sample.alt_text, sample.fields.get("caption"))
        assert (sample.fields["sample_id"], sample.fields["score"]) == (needle["sample_id"], needle["score"])
        if to != "parquet":
            assert (sample.fields["group"], sample.fields["field.score"]) == ("näise", int(needle["score"]))


def hashes_of(folder: Path) -> list[str]:
    pictures = [path for path in folder.iterdir() if path.suffix in SUFFIXES]
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures)


def test_shards_are_what_other_readers_expect(run: Run, tmp_path: Path) -> None:
    export(run, "needles", "webdataset", tmp_path / "tars", samples_per_shard=2)
    assert [path.name for path in sorted((tmp_path / "tars").glob("*.tar"))] == [
        "00000.tar",
        "00001.tar",
        "00002.tar",
    ]
    with tarfile.open(tmp_path / "tars" / "00000.tar") as tar:
        names = tar.getnames()
        assert [Path(name).suffix for name in names] == [".png", ".txt", ".json", ".jpg", ".txt", ".json"]
        assert len({Path(name).stem for name in names}) == 2
        assert tar.extractfile(names[1]).read() == b"caption 0"  # type: ignore[union-attr]
        assert all(member.mtime == member.uid == 0 for member in tar)
    export(run, "candidates", "parquet", tmp_path / "rows")
    table = pq.read_table(tmp_path / "rows" / "00000.parquet")
    assert table["text"].to_pylist() == [f"alt {number}" for number in range(NUM)]
    assert {"luma", "uid", "fields"} <= set(table.column_names)
    assert set(table["image"][0].as_py()) == {"bytes", "path"}
    export(run, "candidates", "folder", tmp_path / "folder")
    rows = [
        json.loads(line) for line in (tmp_path / "folder" / "metadata.jsonl").read_text("utf-8").splitlines()
    ]
    assert all((tmp_path / "folder" / row["file_name"]).is_file() for row in rows) and len(rows) == NUM


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("IMG_2041.JPG", "IMG_2041-"),
        ("2024-05-01 Rome, evening.png", "2024-05-01_Rome__evening-"),
        (unicodedata.normalize("NFD", "Été à Köln.jpg"), "Été_à_Köln-"),
        ("庭の花.webp", "庭の花-"),
        ("--rm\n'; $(x).jpg", "rm______x-"),
        ("\U00020000" * 60 + ".jpg", "\U00020000" * 40 + "-"),
        ("___.png", ""),
    ],
)
def test_copies_in_a_folder_keep_the_name_of_the_original(tmp_path: Path, name: str, begins: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (40, 30), "teal").save(photos / name)
    run = with_needles(Run(tmp_path / "run"), photos)
    export(run, "needles", "folder", tmp_path / "out")
    (picture,) = (tmp_path / "out" / "00000").iterdir()
    (needle,) = read_table(run.folder / "review" / "needles.parquet").to_pylist()
    assert picture.name == begins + needle["sample_id"] + Path(name).suffix.lower()
    row = json.loads((tmp_path / "out" / "metadata.jsonl").read_text("utf-8"))
    assert (row["file_name"], row["member"]) == (f"00000/{picture.name}", needle["member"])


def test_a_list_of_ids_reads_no_picture(run: Run, photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        path.unlink()
    export(run, "needles", "ids", tmp_path / "out")
    with (tmp_path / "out" / "ids.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = read_table(run.folder / "review" / "needles.parquet")
    assert rows == table.select(["sample_id", "uid", "source", "key", "member"]).to_pylist()


def test_originals_inside_tars_and_parquet_go_on_as_they_are(run: Run, photos: Path, tmp_path: Path) -> None:
    for to in ("webdataset", "parquet"):
        export(run, "needles", to, tmp_path / to)
        second = with_needles(Run(tmp_path / f"run of {to}"), tmp_path / to)
        export(second, "needles", "folder", tmp_path / f"from {to}")
        pictures = list((tmp_path / f"from {to}" / "00000").iterdir())
        assert sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures) == hashes_of(photos)
        assert sorted(path.suffix for path in pictures) == sorted(SUFFIXES[n % 3] for n in range(NUM))
        called = {path.name.rpartition("-")[0] for path in pictures}
        ids = set(read_table(run.folder / "review" / "needles.parquet")["sample_id"].to_pylist())
        assert called == ({f"key__{n}" for n in range(NUM)} if to == "parquet" else ids)


@pytest.mark.parametrize("to", ["webdataset", "folder", "parquet"])
def test_what_cannot_be_read_is_named_and_tried_again(
    run: Run, photos: Path, tmp_path: Path, to: str
) -> None:
    export(run, "needles", to, tmp_path / "whole", samples_per_shard=2)
    hidden, changed = photos / "0.png", photos / "3.png"
    hidden.rename(tmp_path / "hidden")
    original = changed.read_bytes()
    changed.write_bytes(original[:-1] + b"!")
    out = tmp_path / "out"
    done = export(run, "needles", to, out, samples_per_shard=2)
    assert [(lost.member, done.num_samples) for lost in done.unreadable] == [("0.png", 3), ("3.png", 3)]
    assert "other bytes than when it was curated" in done.unreadable[1].reason
    lines = [json.loads(line) for line in (out / "unreadable.jsonl").read_text().splitlines()]
    assert [line["member"] for line in lines] == ["0.png", "3.png"]
    assert read_json(out / "export.json")["num_unreadable"] == 2
    (tmp_path / "hidden").rename(hidden)
    changed.write_bytes(original)
    last = max(out.glob("00002*"))
    before = last.stat().st_mtime_ns
    assert export(run, "needles", to, out, samples_per_shard=2).unreadable == ()
    assert last.stat().st_mtime_ns == before  # it was whole, and was left alone
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.parametrize("to", ["webdataset", "folder", "parquet"])
def test_fewer_needles_leave_nothing_behind(run: Run, tmp_path: Path, to: str) -> None:
    export(run, "needles", to, tmp_path / "out", samples_per_shard=2)
    path = run.folder / "review" / "needles.parquet"
    write_table(path, read_table(path).slice(3))
    export(run, "needles", to, tmp_path / "out", samples_per_shard=2)
    export(run, "needles", to, tmp_path / "new", samples_per_shard=2)
    old, new = files(tmp_path / "out"), files(tmp_path / "new")
    assert {name: old[name] for name in new} == new
    assert not [name for name in old.keys() - new.keys() if not name.startswith(".export")]


KILLED = """
import sys, time
from pathlib import Path
from photogenic.core.run import Run
from photogenic.core.shards import Sources
from photogenic.export import export
read = Sources.read
def hanging(sources, locator):
    if locator.member == "3.png":
        print("hangs", flush=True)
        time.sleep(600)
    return read(sources, locator)
Sources.read = hanging
export(Run(Path(sys.argv[1])), "needles", sys.argv[2], Path(sys.argv[3]), samples_per_shard=1)
"""


@pytest.mark.parametrize("to", ["webdataset", "folder", "parquet"])
def test_killed_at_any_moment_it_goes_on(run: Run, tmp_path: Path, to: str) -> None:
    # Its storage hangs at the fourth picture, so that the kill comes in the midst of a shard.
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(run.folder), to, str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    while not (out / ".export" / "00002.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "export.json").exists() and not list(out.glob("00003*"))
    finished = {path: path.stat().st_mtime_ns for path in out.glob("0000*")}
    assert len(finished) == 3
    export(run, "needles", to, out, samples_per_shard=1)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    export(run, "needles", to, tmp_path / "undisturbed", samples_per_shard=1)
    assert files(out) == files(tmp_path / "undisturbed")


def test_errors_are_sentences(run: Run, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="webdataset, folder"):
        export(run, "needles", "zip", tmp_path / "out")
    with pytest.raises(RunError, match="has no needles"):
        export(Run(tmp_path / "nothing"), "needles", "ids", tmp_path / "out")
    with pytest.raises(RunError, match="inside the pool"):
        export(run, "needles", "folder", photos / "out")
    assert not (photos / "out").exists() and not (tmp_path / "out").exists()
    with pytest.raises(RunError, match="no export"):
        export(run, "needles", "folder", run.folder)
    export(run, "needles", "folder", tmp_path / "out")
    with pytest.raises(RunError, match="another export"):
        export(run, "candidates", "folder", tmp_path / "out")


def test_the_command(run: Run, photos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "photogenic",
        "export",
        str(run.folder),
        "--to",
        "webdataset",
        "--out",
        "out",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{NUM} needles in out.\n"), done.stderr
    (photos / "1.jpg").unlink()
    done = subprocess.run(
        [*command, "--what", "candidates", "--out", "second"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "1 could not be read: second/unreadable.jsonl" in done.stderr
