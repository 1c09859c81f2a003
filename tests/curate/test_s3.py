"""Pools in an S3 bucket, read over HTTP from a real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from photogenic.core.config import dump_config
from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index, listing_fingerprint

from .containers import picture, tar_of
from .funnels import config_of, run_funnel, verdicts

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")

SECRET = "wJalrXUtnFEMI-a-secret"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """An empty bucket of this test, and the environment that has its keys."""
    monkeypatch.setenv("MY_KEY", "AKIAEXAMPLE")
    monkeypatch.setenv("MY_SECRET", SECRET)
    system = s3fs.S3FileSystem(
        key="AKIAEXAMPLE",
        secret=SECRET,
        endpoint_url=address,
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    name = request.node.name.replace("_", "-")[:60].strip("-")
    system.mkdir(name)
    system.bucket = name
    return system


def pool_at(address: str, path: str, **source: Any) -> PoolConfig:
    options = {"key": "${MY_KEY}", "secret": "${MY_SECRET}", "endpoint_url": address}
    sources = {"drawn": {"path": f"s3://{path}", "storage_options": options, **source}}
    return PoolConfig.model_validate({"sources": sources})


def rows_of(run: Run, table: str) -> list[dict[str, Any]]:
    return list(read_table(run.folder / "curate" / f"{table}.parquet").to_pylist())


def test_a_folder_gives_the_tables_of_the_same_folder_here(
    address: str, bucket: Any, drawn: Path, tmp_path: Path
) -> None:
    here = run_funnel(drawn, tmp_path / "here")
    bucket.put(f"{drawn}/", f"{bucket.bucket}/deep/haystack/", recursive=True)
    far, config = Run(tmp_path / "far"), pool_at(address, f"{bucket.bucket}/deep/haystack")
    manifest = index(config, far)
    assert manifest.equals(read_table(here.folder / "pool" / "manifest"))
    curate(config_of(), far, workers=2)
    found, expected = (
        [
            row
            for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
            if row["key"] != "gone"
        ]
        for run in (far, here)
    )
    assert found == expected
    assert verdicts(far)["gone"] == ("failed", "read")
    candidates = [read_table(run.folder / "curate" / "candidates.parquet") for run in (far, here)]
    assert candidates[0].equals(candidates[1])
    for path in far.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in dump_config(config)


def test_tars_are_read_by_byte_ranges(address: str, bucket: Any, drawn: Path, tmp_path: Path) -> None:
    tar = tar_of(drawn, tmp_path / "00000.tar")
    here = run_funnel(tar, tmp_path / "here")
    bucket.put(str(tar), f"{bucket.bucket}/shards/00000.tar")
    far = Run(tmp_path / "far")
    manifest = index(pool_at(address, f"{bucket.bucket}/shards"), far)
    assert manifest.equals(read_table(here.folder / "pool" / "manifest"))
    sources = far.sources()
    for sample in list(iter_samples(manifest))[:5]:
        assert sources.read(sample.locator) == here.sources().read(sample.locator)
    one_file = index(pool_at(address, f"{bucket.bucket}/shards/00000.tar"), Run(tmp_path / "one"))
    assert one_file.equals(manifest)


def test_parquet_with_bytes_and_with_paths(address: str, bucket: Any, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    red, blue = picture("red"), picture("blue")
    pq.write_table(pa.table({"image": [red, blue], "text": ["red", "blue"]}), tmp_path / "a.parquet")
    at = f"s3://{bucket.bucket}/paths"
    files = [
        "p/red.png",
        f"{at}/p/blue.png",
        "../out.png",
        "gone.png",
        f"{at}s/p/x.png",
        "https://x.org/y.png",
    ]
    pq.write_table(pa.table({"file": files}), tmp_path / "b.parquet")
    bucket.put(str(tmp_path / "a.parquet"), f"{bucket.bucket}/bytes/a.parquet")
    bucket.put(str(tmp_path / "b.parquet"), f"{bucket.bucket}/paths/b.parquet")
    bucket.pipe(
        {f"{bucket.bucket}/paths/p/{name}.png": data for name, data in (("red", red), ("blue", blue))}
    )
    run = Run(tmp_path / "run")
    rows = list(iter_samples(index(pool_at(address, f"{bucket.bucket}/bytes"), run)))
    assert [run.sources().read(sample.locator) for sample in rows] == [red, blue]
    assert [sample.alt_text for sample in rows] == ["red", "blue"]
    run = Run(tmp_path / "paths")
    rows = list(iter_samples(index(pool_at(address, f"{bucket.bucket}/paths", path_column="file"), run)))
    assert [(sample.member, sample.size_bytes) for sample in rows] == [
        ("gone.png", -1),
        ("p/blue.png", len(blue)),
        ("p/red.png", len(red)),
    ]
    assert [run.sources().read(sample.locator) for sample in rows[1:]] == [blue, red]


def test_side_cars_and_what_only_a_bucket_can_hold(address: str, bucket: Any, tmp_path: Path) -> None:
    for name, data in {
        "a.png": picture(),
        "a.txt": b"a square",
        "a.json": json.dumps({"likes": 3}).encode(),
        "sub/b.png": picture("blue"),
        "sub/": b"",
        ".hidden.png": picture(),
        "note.md": b"no picture",
    }.items():
        bucket.call_s3("put_object", Bucket=bucket.bucket, Key=f"pool/{name}", Body=data)
    run = Run(tmp_path / "run")
    rows = list(iter_samples(index(pool_at(address, f"{bucket.bucket}/pool"), run)))
    assert [sample.member for sample in rows] == ["a.png", "sub/b.png"]
    assert (rows[0].alt_text, rows[0].fields) == ("a square", {"likes": 3})
    assert "hidden" in (run.folder / "log.txt").read_text()


def test_a_changed_object_changes_the_listing(address: str, bucket: Any) -> None:
    config = pool_at(address, bucket.bucket)
    bucket.pipe(f"{bucket.bucket}/a.png", picture("red"))
    before = listing_fingerprint(config)
    assert listing_fingerprint(config) == before
    bucket.pipe(f"{bucket.bucket}/a.png", picture("lime"))
    assert listing_fingerprint(config) != before


def test_what_is_not_there_or_does_not_answer_is_a_sentence(
    address: str, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match="is not there"):
        index(pool_at(address, f"{bucket.bucket}/nowhere"), Run(tmp_path / "run"))
    monkeypatch.setattr("photogenic.core.patience.PAUSES_S", (0.01,))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # nobody listens there
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
        options = {"config_kwargs": {"retries": {"max_attempts": 1}}, "endpoint_url": closed}
        source = {"path": "s3://bucket/folder", "storage_options": options | {"anon": True}}
        config = PoolConfig.model_validate({"sources": {"down": source}})
        with pytest.raises(StorageError, match="Cannot read s3://bucket/folder"):
            index(config, Run(tmp_path / "down"))
