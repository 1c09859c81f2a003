import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from photogenic.core.config import load_config
from photogenic.core.errors import RecipeError, RunError
from photogenic.core.manifest import POOL_SCHEMA, iter_samples, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table, write_json
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index, listing_fingerprint

from .conftest import draw_good
from .containers import picture, write_tar
from .funnels import run_funnel


def draw(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), colour).save(path)
    return path


def pool_of(**folders: Path) -> PoolConfig:
    return PoolConfig.model_validate({"sources": {name: {"path": path} for name, path in folders.items()}})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "haystack"
    folder.mkdir()
    return folder


def write_metadata(folder: Path, name: str, rows: list[dict]) -> None:
    if name.endswith("jsonl"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")
    elif name.endswith("csv"):
        lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), folder / name)


@pytest.mark.parametrize("metadata", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_metadata_gives_key_text_and_fields(folder: Path, run: Run, metadata: str) -> None:
    draw(folder / "images" / "b.png")
    draw(folder / "a.jpg")
    write_metadata(
        folder,
        metadata,
        [
            {"file_name": "images/b.png", "key": "bee", "text": "a bee", "group": "animals"},
            {"file_name": "a.jpg", "key": "ape", "text": "an ape", "group": "animals"},
        ],
    )
    table = index(pool_of(zoo=folder), run)
    assert table.schema.equals(POOL_SCHEMA)
    first, second = iter_samples(table)
    assert (first.member, first.key, first.alt_text, first.fields) == (
        "a.jpg",
        "ape",
        "an ape",
        {"group": "animals"},
    )
    assert (second.member, second.key) == ("images/b.png", "bee")
    assert second.sample_id == sample_id_for("zoo", "images/b.png", "bee")
    assert second.uid is None
    assert second.size_bytes == (folder / "images" / "b.png").stat().st_size


def test_tree_with_side_cars(folder: Path, run: Run) -> None:
    draw(folder / "2024" / "sea.jpg").with_suffix(".txt").write_text("the sea\n")
    draw(folder / "sky.png").with_suffix(".json").write_text('{"caption": "the sky", "likes": 3, "key": "S"}')
    draw(folder / "bare.webp")
    (folder / "broken.json").write_text("{")
    draw(folder / "broken.png")
    samples = {sample.member: sample for sample in iter_samples(index(pool_of(own=folder), run))}
    assert samples["2024/sea.jpg"].alt_text == "the sea"
    assert samples["2024/sea.jpg"].key == "2024/sea"
    assert (samples["sky.png"].alt_text, samples["sky.png"].key) == ("the sky", "S")
    assert samples["sky.png"].fields == {"likes": 3}
    assert samples["bare.webp"].alt_text == samples["broken.png"].alt_text == ""
    assert "side-car that is no JSON object" in (run.folder / "log.txt").read_text()


def test_rows_are_sorted_by_source_and_member_whatever_the_shard_size(tmp_path: Path) -> None:
    for member in ("b/1.png", "b.png", "b-c.png", "a.png", "b/0.png"):
        draw(tmp_path / "one" / member)
    draw(tmp_path / "two" / "a.png")
    config = pool_of(two=tmp_path / "two", one=tmp_path / "one")
    small = config.model_copy(update={"rows_per_shard": 2})
    tables = [index(config, Run(tmp_path / "r1")), index(small, Run(tmp_path / "r2"))]
    assert tables[0].equals(tables[1])
    places = list(zip(tables[0]["source"].to_pylist(), tables[0]["member"].to_pylist(), strict=True))
    assert places == sorted(places) and len(places) == 6
    assert len(list((tmp_path / "r2/pool/manifest").iterdir())) == 3
    index(config, Run(tmp_path / "r2"))  # the surplus shards of the first index are gone
    assert read_table(tmp_path / "r2/pool/manifest").equals(tables[0])


def test_what_is_no_picture_of_the_pool_is_left_out_and_counted(
    folder: Path, tmp_path: Path, run: Run
) -> None:
    draw(folder / "good.png")
    (folder / "inside.png").symlink_to(folder / "good.png")
    (folder / "outside.png").symlink_to(draw(tmp_path / "secret.png"))
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    draw(folder / ".hidden.png")
    (folder / "movie.mp4").write_bytes(b"0")
    (folder / "zero.jpg").touch()
    table = index(pool_of(own=folder), run)
    assert table["member"].to_pylist() == ["good.png", "inside.png", "zero.jpg"]
    log = (run.folder / "log.txt").read_text()
    for reason in ("symbolic link out of the pool", "pipe", "hidden", "no picture (.mp4)", "link to no file"):
        assert reason in log


def test_metadata_rows_without_a_file_are_samples_and_traversal_is_not(folder: Path, run: Run) -> None:
    draw(folder / "here.png")
    draw(folder / "unlisted.png")
    write_metadata(
        folder,
        "metadata.jsonl",
        [{"file_name": name} for name in ("here.png", "gone.png", "../secret.png", "/etc/x.png")],
    )
    with (folder / "metadata.jsonl").open("a") as file:
        file.write("not json\n")
    table = index(pool_of(own=folder), run)
    assert table["member"].to_pylist() == ["gone.png", "here.png", "unlisted.png"]
    assert table["size_bytes"].to_pylist()[0] == -1
    log = (run.folder / "log.txt").read_text()
    assert "left out 2: metadata row that points out of the pool" in log
    assert "metadata line that is no JSON object" in log


def test_errors_are_sentences(folder: Path, tmp_path: Path, run: Run) -> None:
    with pytest.raises(RunError, match=r"pool\.sources\.own\.path"):
        index(pool_of(own=tmp_path / "nowhere"), run)
    with pytest.raises(RunError, match="no picture"):
        index(pool_of(own=folder), run)
    with pytest.raises(RunError, match="inside the pool"):
        index(pool_of(own=tmp_path), run)
    for name in ("metadata.csv", "metadata.jsonl"):
        (folder / name).touch()
    with pytest.raises(RunError, match="several metadata files"):
        index(pool_of(own=folder), run)


def test_a_source_without_a_picture_among_others_is_told(
    folder: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(folder / "a.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "0.tar.gz").write_bytes(b"packed")
    assert index(pool_of(own=folder, packed=tmp_path / "other"), run).num_rows == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "pool: there is no picture in the source 'packed'" in said and "'own'" not in said


def test_an_interrupted_index_is_no_index(folder: Path, run: Run) -> None:
    draw(folder / "a.png")
    index(pool_of(own=folder), run)
    (folder / "a.png").unlink()
    with pytest.raises(RunError):
        index(pool_of(own=folder), run)
    with pytest.raises(RunError, match="no indexed pool"):
        run.sources()


def test_the_source_of_ones_own_needles_outlives_a_new_index(folder: Path, run: Run) -> None:
    draw(folder / "a.png")
    index(pool_of(own=folder), run)
    path = run.folder / "pool" / "sources.json"
    write_json(path, read_json(path) | {"own-needles": "/needles", "long-gone": "/x"})
    draw(folder / "b.png")
    index(pool_of(own=folder), run)
    expected = {"own": folder.resolve(), "own-needles": Path("/needles")}
    assert run.sources().roots == expected
    for name in ("a.png", "b.png"):
        (folder / name).unlink()
    with pytest.raises(RunError, match="no picture"):  # stopped half-way: sources.json is not there
        index(pool_of(own=folder), run)
    draw(folder / "c.png")
    index(pool_of(own=folder), run)
    assert run.sources().roots == expected


def test_a_grown_pool_measures_only_what_is_new_or_rewritten(haystack: Path, tmp_path: Path) -> None:
    run = run_funnel(haystack, tmp_path / "run")
    times = run.folder / "curate" / "scores" / "times.json"
    before = read_json(times)
    uids = {row["key"]: row["uid"] for row in read_table(run.folder / "curate/verdicts.parquet").to_pylist()}
    draw_good(200).save(haystack / "new.png")
    status = (haystack / "dark.png").stat()
    dark = haystack / "dark.png"
    data = bytearray(dark.read_bytes())
    data[-1] ^= 1  # another file of the same size: the checksum of the PNG's end, which decoders pass over
    dark.write_bytes(data)
    os.utime(dark, ns=(status.st_mtime_ns, status.st_mtime_ns + 10**9))
    run_funnel(haystack, run.folder)
    after = read_json(times)
    assert {name: after[name]["num"] - before[name]["num"] for name in after} == {"read": 3, "pixel": 2}
    rows = {row["key"]: row for row in read_table(run.folder / "curate/verdicts.parquet").to_pylist()}
    assert rows["dark"]["uid"] == hashlib.sha256(data).hexdigest() != uids["dark"]
    assert rows["new"]["uid"]


def test_a_rewritten_tar_is_read_again_and_no_other(folder: Path, run: Run) -> None:
    for name in ("one", "two"):
        write_tar(folder / f"{name}.tar", [("a.png", picture("red")), ("b.png", picture("blue"))])
    config = CurateConfig.model_validate({"steps": {"size": {"min_side_px": 8}}})
    index(pool_of(tars=folder), run)
    curate(config, run, workers=1)
    write_tar(folder / "two.tar", [("a.png", picture("blue")), ("b.png", picture("red"))])
    os.utime(folder / "two.tar", ns=(1, 1))
    index(pool_of(tars=folder), run)
    curate(config, run, workers=1)
    verdicts = read_table(run.folder / "curate" / "verdicts.parquet")
    red, blue = (hashlib.sha256(picture(colour)).hexdigest() for colour in ("red", "blue"))
    assert verdicts["uid"].to_pylist() == [red, blue, blue, red]
    assert read_json(run.folder / "curate" / "scores" / "times.json")["read"]["num"] == 6


def test_fingerprint_follows_the_files(folder: Path) -> None:
    draw(folder / "a.png")
    before = listing_fingerprint(pool_of(own=folder))
    assert listing_fingerprint(pool_of(own=folder)) == before
    (folder / "a.txt").write_text("a text")
    with_text = listing_fingerprint(pool_of(own=folder))
    os.utime(folder / "a.png", ns=(1, 1))
    touched = listing_fingerprint(pool_of(own=folder))
    renamed = listing_fingerprint(pool_of(other=folder))
    assert len({before, with_text, touched, renamed}) == 4


def test_a_relative_path_starts_at_the_working_directory(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(folder / "a.png")
    monkeypatch.chdir(folder.parent)
    index(pool_of(own=Path("haystack")), run)
    assert run.sources().roots == {"own": folder.resolve()}


def test_secrets_are_refused_in_the_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "pool.yaml"
    source = (
        'sources:\n  far:\n    path: s3://bucket/folder\n    storage_options: {key: "%s", secret: "%s"}\n'
    )
    recipe.write_text(source % ("${K}", "${S}"))
    config = load_config(recipe, PoolConfig).sources["far"]
    assert str(config.root) == "s3://bucket/folder"
    recipe.write_text(source % ("${K}", "wJalr"))
    with pytest.raises(RecipeError, match=r"storage_options\.secret .*`\$\{NAME\}`") as caught:
        load_config(recipe, PoolConfig)
    assert "wJalr" not in str(caught.value)
    recipe.write_text("sources:\n  far: ftp://me:word@host/folder\n")
    with pytest.raises(RecipeError, match="name or a password"):
        load_config(recipe, PoolConfig)
    recipe.write_text("sources:\n  near: {path: here, storage_options: {anon: true}}\n")
    with pytest.raises(RecipeError, match="for a URL"):
        load_config(recipe, PoolConfig)


def test_recipe_section(tmp_path: Path) -> None:
    recipe = tmp_path / "pool.yaml"
    recipe.write_text("sources:\n  demo: haystack\n")
    assert load_config(recipe, PoolConfig).sources["demo"].path == Path("haystack")
    recipe.write_text("sources:\n  own-needles: haystack\n")
    with pytest.raises(RecipeError, match="`own-needles` is what review calls"):
        load_config(recipe, PoolConfig)
    recipe.write_text("sources:\n  demo: {path: haystack, alt_txt: [t]}\n")
    with pytest.raises(RecipeError, match="alt_text"):
        load_config(recipe, PoolConfig)
