import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.config import load_config
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.run import Run
from photogenic.curate.config import PoolConfig
from photogenic.curate.formats import format_of, places
from photogenic.curate.pool import index, listing_fingerprint

from .containers import picture, write_tar


def config_of(path: Path, **source: object) -> PoolConfig:
    return PoolConfig.model_validate({"sources": {"mine": {"path": path, **source}}})


def detected(path: Path, **source: object) -> str:
    return format_of(places(config_of(path, **source))[0])


def test_what_lies_there_tells_the_format(tmp_path: Path) -> None:
    table = pa.table({"jpg": [picture()]})
    folder = tmp_path / "haystack"
    folder.mkdir()
    assert detected(folder) == "folder"
    pq.write_table(table, folder / "00000.parquet")
    assert detected(folder) == detected(folder / "00000.parquet") == "parquet"
    tar = write_tar(folder / "deep" / "00000.tar", [("a.png", picture())])
    assert detected(folder) == detected(tar) == "webdataset"
    assert detected(folder, format="parquet") == detected(folder, bytes_column="jpg") == "parquet"
    (folder / "zebra.png").write_bytes(picture())
    assert detected(folder) == "folder"
    assert detected(folder, format="webdataset") == "webdataset"


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(RunError, match="neither a tar nor a parquet file"):
        places(config_of(tmp_path / "a.zip"))
    tar = write_tar(tmp_path / "a.tar", [("a.png", picture())])
    with pytest.raises(RunError, match="is no folder"):
        index(config_of(tar, format="folder"), Run(tmp_path / "run"))


def test_the_recipe_says_what_fits_together(tmp_path: Path) -> None:
    recipe = tmp_path / "pool.yaml"
    for source, match in {
        "{path: a, format: webdatset}": "webdataset",
        "{path: a, format: folder, path_column: p}": "is for the format parquet",
        "{path: a, bytes_column: b, path_column: p}": "not both",
    }.items():
        recipe.write_text(f"sources:\n  mine: {source}\n")
        with pytest.raises(RecipeError, match=match):
            load_config(recipe, PoolConfig)


def test_the_run_may_lie_beside_a_tar_but_not_in_a_folder_of_them(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", [("a.png", picture())])
    index(config_of(tar), Run(tmp_path / "run"))
    with pytest.raises(RunError, match="inside the pool"):
        index(config_of(tmp_path), Run(tmp_path / "run"))


def test_the_fingerprint_follows_a_file_and_the_table_beside_it_alone(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "00000.tar", [("a.png", picture())])
    prints = [listing_fingerprint(config_of(tar))]
    (tmp_path / "other.tar").touch()
    assert listing_fingerprint(config_of(tar)) == prints[0]
    os.utime(tar, ns=(1, 1))
    prints.append(listing_fingerprint(config_of(tar)))
    (tmp_path / "00000.parquet").touch()
    prints.append(listing_fingerprint(config_of(tar)))
    prints.append(listing_fingerprint(config_of(tar, format="webdataset")))
    assert len(set(prints)) == 4


def test_the_fingerprint_follows_pictures_that_a_table_refers_to(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    pq.write_table(pa.table({"file": ["a.png"]}), tmp_path / "t.parquet")
    config = config_of(tmp_path / "t.parquet", path_column="file")
    before = listing_fingerprint(config)
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert listing_fingerprint(config) != before
