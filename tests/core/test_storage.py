"""Places behind URLs: any fsspec file system, errors that pass and errors that do not, and secrets."""

from __future__ import annotations

import errno
import pickle
import sys
from pathlib import Path, PurePosixPath

import pytest

from photogenic.core import patience, storage
from photogenic.core.errors import MissingExtraError, RunError, StorageError
from photogenic.core.patience import for_good, patiently
from photogenic.core.records import Locator
from photogenic.core.shards import Sources
from photogenic.core.storage import (
    RemotePath,
    literal_secrets,
    read_range,
    root_as_json,
    root_from_json,
)

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> RemotePath:
    """A folder in fsspec's memory, of this test alone."""
    root = RemotePath.at(f"memory://{request.node.name}")
    system = fsspec.filesystem("memory")
    system.pipe(f"/{request.node.name}/one/a.txt", b"0123456789")
    system.pipe(f"/{request.node.name}/b.tar", b"....cat....")
    return root


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", slept.append)
    patience._SILENT.clear()
    return slept


def test_as_much_of_a_path_as_is_needed(bucket: RemotePath) -> None:
    file = bucket / "one" / "a.txt"
    assert (file.name, file.stem, file.suffix, str(file.parent)) == ("a.txt", "a", ".txt", f"{bucket}/one")
    assert file.with_suffix(".json") == bucket.joinpath("one", "a.json")
    assert file.is_file() and not file.is_dir() and bucket.is_dir() and (bucket / "one").exists()
    assert not (bucket / "two").exists()
    assert (file.read_text(), file.read_range(3, 4), file.read_range(8, -1)) == ("0123456789", b"3456", b"89")
    assert read_range(file, 0, 0) == b""
    with file.open("rb") as opened:
        assert opened.seek(0, 2) == 10
    with file.open("r", encoding="utf-8") as opened:
        assert opened.read() == "0123456789"
    assert sorted((entry.name, entry.kind) for entry in bucket.listed()) == [
        ("b.tar", "file"),
        ("one", "directory"),
    ]
    assert file.entry().size_bytes == 10
    assert pickle.loads(pickle.dumps(file)) == file


def test_an_open_file_is_read_block_by_block_and_each_patiently(
    bucket: RemotePath, no_pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * 40
    name = str(bucket).removeprefix("memory://")
    fsspec.filesystem("memory").pipe(f"/{name}/long.bin", data)
    asked: list[tuple[int, int]] = []
    cat_file = MemoryFileSystem.cat_file

    def every_other_time(self: object, path: str, start: int, end: int) -> bytes:
        asked.append((start, end))
        if len(asked) % 2:
            raise TimeoutError("no answer")
        return bytes(cat_file(self, path, start=start, end=end))

    monkeypatch.setattr(MemoryFileSystem, "cat_file", every_other_time)
    monkeypatch.setattr(storage, "BLOCK_BYTES", 1000)
    with (bucket / "long.bin").open("rb") as file:
        assert file.read(10) == data[:10] and asked == [(0, 1000), (0, 1000)]
        assert file.seek(-20, 2) == len(data) - 20 and file.read() == data[-20:]
        assert file.seek(5000) == 5000 and file.seek(200, 1) == 5200 and file.read(4) == data[5200:5204]
        assert file.seek(10 * len(data)) and file.read(1) == b""
        file.seek(0)
        assert file.read() == data
    assert len(no_pauses) == len(asked) / 2
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: 1 / 0)
    with (
        (bucket / "long.bin").open("rb") as file,
        pytest.raises(StorageError, match=r"Cannot read .*long\.bin"),
    ):
        file.read(1)


def test_what_may_pass_is_no_reason_to_leave_a_file_out(no_pauses: list[float]) -> None:
    def refused(error: Exception) -> StorageError:
        with pytest.raises(StorageError) as caught:
            patiently(lambda: (_ for _ in ()).throw(error), "a.tar", "bucket")
        return caught.value

    for error in (OSError(errno.EIO, "Input/output error"), refused(TimeoutError("no answer"))):
        with pytest.raises(StorageError, match=r"Cannot read a\.tar: (Input|no answer)"):
            for_good(error, "a.tar")
    for error in (
        PermissionError(errno.EACCES, "Denied"),
        ValueError("Denied."),
        refused(PermissionError("Denied")),
    ):
        assert for_good(error, "a.tar").endswith("Denied")


def test_a_root_may_be_a_file(bucket: RemotePath) -> None:
    tar = RemotePath.at(f"{bucket}/b.tar")
    assert tar.is_file() and tar.suffix == ".tar" and tar.parent == bucket
    assert tar.inner == PurePosixPath()


def test_a_file_that_is_rewritten_has_another_version(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    file = RemotePath.at(f"file://{tmp_path}") / "a.txt"
    before = file.entry().version
    assert file.entry().version == before
    path.write_text("two, later")
    assert file.entry().version != before


def test_sources_read_urls_like_folders(bucket: RemotePath, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"here")
    sources = pickle.loads(pickle.dumps(Sources({"far": bucket, "near": tmp_path})))
    assert sources.read(Locator("far", "one/a.txt", size_bytes=10)) == b"0123456789"
    assert sources.read(Locator("far", "b.tar/cat.jpg", 4, 3)) == b"cat"
    assert sources.read(Locator("near", "a.txt")) == b"here"
    assert sources.folders == {"near": tmp_path}
    with pytest.raises(StorageError, match="shorter than when it was indexed"):
        sources.read(Locator("far", "one/a.txt", size_bytes=11))
    with pytest.raises(StorageError, match="Cannot read"):
        sources.read(Locator("far", "gone.jpg"))
    with pytest.raises(StorageError, match="leaves its source"):
        sources.read(Locator("far", "../other/a.txt"))


def test_what_may_pass_is_tried_again_with_growing_pauses(no_pauses: list[float]) -> None:
    tries = []

    def third_time_lucky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(errno.EIO, "Input/output error")
        return "read"

    assert patiently(third_time_lucky, "a/b.jpg", "a") == "read"
    assert no_pauses == list(patience.PAUSES_S[:2])


def test_what_will_not_pass_is_tried_once(no_pauses: list[float], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Cannot read near/gone.jpg: No such file or directory\."):
        Sources({"near": tmp_path}).read(Locator("near", "gone.jpg"))
    assert not no_pauses


def test_a_storage_that_is_down_is_waited_for_once_and_not_at_every_file(no_pauses: list[float]) -> None:
    is_up = False

    def ask() -> str:
        if not is_up:
            raise TimeoutError("no answer")
        return "read"

    for name in ("a", "b", "c"):
        with pytest.raises(StorageError, match=f"Cannot read {name}: no answer"):
            patiently(ask, name, "bucket")
    assert len(no_pauses) == len(patience.PAUSES_S)
    is_up = True
    assert patiently(ask, "d", "bucket") == "read"
    is_up = False
    with pytest.raises(StorageError):
        patiently(ask, "e", "bucket")
    assert len(no_pauses) == 2 * len(patience.PAUSES_S)


def test_secrets_are_told_from_settings() -> None:
    options = {
        "key": "AKIA",
        "secret": "${AWS_SECRET}",
        "anon": False,
        "client_kwargs": {"endpoint_url": "http://x", "aws_session_token": "abc"},
    }
    assert list(literal_secrets(options)) == ["key", "client_kwargs.aws_session_token"]
    assert not list(literal_secrets({"key": "${KEY}", "client_kwargs": {"region_name": "eu"}}))


def test_variables_are_filled_in_when_the_storage_is_opened_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = RemotePath.at("memory://here", {"secret": "${PHOTOGENIC_TEST_SECRET}"})
    monkeypatch.delenv("PHOTOGENIC_TEST_SECRET", raising=False)
    with pytest.raises(RunError, match="no variable PHOTOGENIC_TEST_SECRET"):
        root.exists()
    monkeypatch.setenv("PHOTOGENIC_TEST_SECRET", "hidden")
    root.exists()
    assert storage._file_system(root.url, root.options)[0].storage_options["secret"] == "hidden"
    written = root_as_json(root)
    assert "hidden" not in str(written) and root_from_json(written) == root
    assert root_from_json(root_as_json(Path("/a"))) == Path("/a")


def test_what_is_not_installed_or_not_known_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"extra \[s3\]"):
        RemotePath.at("s3://bucket/without-the-extra").exists()
    with pytest.raises(RunError, match="nosuch"):
        RemotePath.at("nosuch://bucket").exists()
