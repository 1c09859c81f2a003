"""A storage that does not answer while the pool is indexed: nothing is left out because of that."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core import patience
from photogenic.core.errors import RunError, StorageError
from photogenic.core.run import Run
from photogenic.curate.config import PoolConfig
from photogenic.curate.pool import index

from .containers import picture, write_tar

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


def table_of(**columns: list[object]) -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table(columns), data)
    return data.getvalue()


@pytest.fixture
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Tars, parquet files, side-cars and what img2dataset leaves, each in a folder of its own."""
    name = request.node.name.replace("[", "-").replace("]", "")
    files = {
        "tars/0.tar": write_tar(tmp_path / "0.tar", [("a.png", picture()), ("a.txt", b"a")]).read_bytes(),
        "tars/1.tar": write_tar(tmp_path / "1.tar", [("b.png", picture())]).read_bytes(),
        "tables/0.parquet": table_of(image=[picture()]),
        "tables/1.parquet": table_of(image=[picture()]),
        "folders/0/a.png": picture(),
        "folders/0/a.txt": b"a",
        "folders/0.parquet": table_of(key=["a"], status=["success"], likes=[3]),
    }
    for path, data in files.items():
        fsspec.filesystem("memory").pipe(f"/{name}/{path}", data)
    return name


@pytest.mark.parametrize(
    "down", ["tars/1.tar", "tables/1.parquet", "folders/0/a.txt", "folders/0.parquet", "tars/0.tar"]
)
def test_what_does_not_answer_ends_indexing_and_what_is_refused_is_left_out(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: str
) -> None:
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    source = {"path": f"memory://{bucket}/{down.split('/')[0]}"}
    config, run = PoolConfig.model_validate({"sources": {"far": source}}), Run(tmp_path / "run")
    cat_file, error = MemoryFileSystem.cat_file, TimeoutError("no answer")

    def read(self: object, path: str, start: int | None = None, end: int | None = None) -> bytes:
        if path.endswith(down):
            raise error
        return bytes(cat_file(self, path, start=start, end=end))

    expected = index(config, run).num_rows
    monkeypatch.setattr(MemoryFileSystem, "cat_file", read)
    with pytest.raises(StorageError, match=r"Cannot read memory://.*no answer"):
        index(config, run)
    with pytest.raises(RunError, match="no indexed pool"):
        run.sources()
    error = PermissionError("Forbidden")  # type: ignore[assignment]
    is_container = down.endswith((".tar", "s/1.parquet"))
    assert index(config, run).num_rows == expected - is_container
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "Forbidden" in log if down.endswith(".tar") else "left out 1" in log
