"""Tars and parquet files, written as others write them."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image


def picture(colour: str = "red", kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(data, kind)
    return data.getvalue()


def write_tar(
    path: Path, members: Sequence[tuple[str | tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for named, data in members:
            member = tarfile.TarInfo(named) if isinstance(named, str) else named
            if member.isreg():
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def as_json(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode()


def metadata_rows(folder: Path) -> list[dict[str, Any]]:
    """Of those pictures that are there."""
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if (folder / row["file_name"]).is_file()]


def tar_of(folder: Path, path: Path) -> Path:
    """The pictures of a folder with metadata.jsonl as a WebDataset shard."""
    members: list[tuple[str | tarfile.TarInfo, bytes]] = []
    for row in metadata_rows(folder):
        file = folder / row["file_name"]
        fields = {name: value for name, value in row.items() if name not in ("file_name", "alt_text")}
        stem = str(Path(row["file_name"]).with_suffix(""))
        members += [(row["file_name"], file.read_bytes()), (f"{stem}.json", as_json(fields))]
        members += [(f"{stem}.txt", row["alt_text"].encode())]
    return write_tar(path, members)
