"""Whatever lies in a pool, the run goes on, and each file has a row with its reason."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from photogenic.core.errors import RunError, StorageError
from photogenic.core.records import Locator
from photogenic.core.run import Run
from photogenic.core.shards import Sources, read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import MAX_FILE_BYTES, curate
from photogenic.curate.pool import index
from photogenic.curate.why import why

from .conftest import draw_good
from .containers import write_tar

CONFIG = CurateConfig.model_validate({"steps": {"size": {"min_side_px": 8}}, "timeout_s": 20})


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG whose header speaks of more pixels than there are."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def encoded(kind: str) -> bytes:
    data = io.BytesIO()
    draw_good(1).save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("hostile")
    folder = place / "haystack"
    folder.mkdir()
    files = {
        "good.png": encoded("PNG"),
        "a-png-called.jpg": encoded("PNG"),
        "a-text-called.png": b"To be or not to be.",
        "zero.jpg": b"",
        "bomb.png": png_that_declares(60_000, 60_000),
        "huge.png": png_that_declares(2**31 - 1, 2**31 - 1),
        "cut.jpg": encoded("JPEG")[:5000],
        "noise.webp": bytes(range(256)) * 64,
        "sub/ok.webp": encoded("WEBP"),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe.png")
    (place / "secret.png").write_bytes(encoded("PNG"))
    (folder / "out.png").symlink_to(place / "secret.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    link = tarfile.TarInfo("link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("device.png")
    device.type = tarfile.CHRTYPE
    bad = [
        ("../../climbs.png", encoded("PNG")),
        ("/absolute.png", encoded("PNG")),
        (link, b""),
        (device, b""),
    ]
    write_tar(place / "tars" / "00000.tar", [*bad, ("fine.png", encoded("PNG"))])
    declares = tarfile.TarInfo("declares.png")
    declares.size = 2**40
    (place / "tars" / "00001.tar").write_bytes(declares.tobuf() + b"x" * 512)
    run = Run(place / "run")
    sources = {"folder": folder, "tars": place / "tars"}
    index(
        PoolConfig.model_validate({"sources": {name: {"path": path} for name, path in sources.items()}}), run
    )
    curate(CONFIG, run, workers=1)
    return run


def test_each_picture_has_a_verdict(run: Run) -> None:
    rows = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    kept = {"good", "a-png-called", "sub/ok", "fine"}
    assert {key for key, row in rows.items() if row["verdict"] == "kept"} == kept
    dropped = {key: row["drop_reason"] for key, row in rows.items() if key not in kept}
    assert set(dropped) == {"a-text-called", "zero", "bomb", "huge", "cut", "noise"}
    assert all(rows[key]["verdict"] == "dropped" and rows[key]["drop_step"] == "read" for key in dropped)
    assert dropped["cut"] == "truncated"
    assert dropped["zero"] == "empty file"
    for key in ("bomb", "huge"):
        assert "pixels" in dropped[key]


def test_what_only_poses_as_a_picture_has_a_row_too(run: Run) -> None:
    rows = {
        (row["source"], row["member"]): row["reason"]
        for row in read_table(run.folder / "pool" / "left_out.parquet").to_pylist()
    }
    assert rows == {
        ("folder", "circle"): "symbolic link to no file",
        ("folder", "device.png"): "symbolic link out of the pool",
        ("folder", "out.png"): "symbolic link out of the pool",
        ("folder", "pipe.png"): "neither file nor folder (pipe, socket, device)",
        ("tars", "00000.tar/../../climbs.png"): "name that leads out of its tar",
        ("tars", "00000.tar//absolute.png"): "name that leads out of its tar",
        ("tars", "00000.tar/device.png"): "neither file nor folder in a tar (pipe, device)",
        ("tars", "00000.tar/link.png"): "link in a tar",
        (
            "tars",
            "00001.tar",
        ): "rest of 00001.tar, which is cut off or damaged; what is whole before is in the pool",
    }


def test_why_knows_of_them(run: Run) -> None:
    with pytest.raises(RunError, match=r"pipe\.png was left out of the pool: neither file nor folder"):
        why(run, "pipe.png")


def test_a_picture_that_became_a_pipe_since_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(StorageError, match="no regular file"):
        Sources({"own": tmp_path}).read(Locator("own", "a.png"))
    curate(CONFIG, run, workers=1)
    row = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()[0]
    assert (row["verdict"], row["drop_reason"]) == ("failed", "a.png is no regular file any more.")


def test_a_file_that_no_picture_can_be_is_a_row_and_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.png").write_bytes(encoded("PNG"))
    (tmp_path / "huge.png").write_bytes(encoded("PNG"))
    os.truncate(tmp_path / "huge.png", MAX_FILE_BYTES + 1)  # of holes: it takes no room
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    read = Sources.read
    seen: list[str] = []
    monkeypatch.setattr(Sources, "read", lambda self, it: (seen.append(it.member), read(self, it))[1])
    curate(CONFIG, run, workers=1)
    rows = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    assert rows["good"]["verdict"] == "kept" and "huge.png" not in seen
    huge = rows["huge"]
    assert (huge["verdict"], huge["drop_step"]) == ("dropped", "read")
    assert (huge["drop_reason"], huge["value"]) == ("a file of more than 2 GiB", MAX_FILE_BYTES + 1)


def test_a_picture_of_more_than_the_limit_is_a_row_before_it_is_decoded(tmp_path: Path) -> None:
    """A real file of many pixels and few bytes."""
    Image.new("1", (30_000, 30_000)).save(tmp_path / "real-bomb.png")
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    curate(CONFIG, run, workers=1)
    row = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()[0]
    assert (row["verdict"], row["drop_step"]) == ("dropped", "read")
    assert "pixels" in row["drop_reason"]
