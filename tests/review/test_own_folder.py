from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from photogenic.core.errors import RunError
from photogenic.core.manifest import NEEDLES_SCHEMA, iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.review.captions import caption_for
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[..., Path]) -> Path:
    folder = tmp_path / "mine"
    draw(folder / "b.jpg", 3)
    draw(folder / "deep" / "a.png", 4)
    (folder / "b.txt").write_text("a violet disc\n", encoding="utf-8")
    (folder / "notes.md").write_text("not a picture")
    draw(folder / ".trash" / "c.png", 5)
    return folder


def needles_of(run: Run, folder: Path) -> list[dict[str, object]]:
    review(ReviewConfig(decisions=folder), run, seed=0)
    table = read_table(run.folder / "review" / "needles.parquet")
    assert table.schema.equals(NEEDLES_SCHEMA)
    return table.to_pylist()


def test_every_picture_is_a_needle_with_the_caption_beside_it(run: Run, folder: Path) -> None:
    needles = needles_of(run, folder)
    assert [needle["member"] for needle in needles] == ["b.jpg", "deep/a.png"]
    assert [(needle["caption"], needle["caption_source"]) for needle in needles] == [
        ("a violet disc", "writer"),
        ("", "alt_text"),
    ]
    assert needles[0]["decided_by"] == "imported: a folder of one's own needles"


def test_a_caption_may_hold_any_character(run: Run, folder: Path) -> None:
    row = {"file_name": "deep/a.png", "caption": "one\u2028two\x85three"}
    (folder / "metadata.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert needles_of(run, folder)[1]["caption"] == caption_for("", row["caption"]).text


def test_the_needles_can_be_read_through_the_run(run: Run, folder: Path) -> None:
    needles_of(run, folder)
    for sample in iter_samples(read_table(run.folder / "review" / "needles.parquet")):
        data = run.sources().read(sample.locator)
        assert hashlib.sha256(data).hexdigest() == sample.uid


def test_the_table_holds_no_path_of_this_machine(run: Run, folder: Path) -> None:
    assert str(folder.parent) not in json.dumps(needles_of(run, folder))


def test_sources_of_the_pool_stay(run: Run, folder: Path) -> None:
    (run.stage("pool") / "sources.json").write_text('{"web": "/haystack"}')
    needles_of(run, folder)
    assert read_json(run.folder / "pool" / "sources.json") == {"web": "/haystack", "own-needles": str(folder)}


@pytest.mark.parametrize("field", ["caption", "text", "alt_text"])
def test_captions_from_metadata_jsonl(run: Run, folder: Path, field: str) -> None:
    row = {"file_name": "deep/a.png", field: "a disc, deep down", "licence": "CC0"}
    (folder / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    needle = needles_of(run, folder)[1]
    assert (needle["caption"], needle["caption_source"]) == ("a disc, deep down", "writer")
    assert json.loads(str(needle["fields"])) == {"licence": "CC0"}


def test_captions_from_metadata_csv(run: Run, folder: Path) -> None:
    (folder / "metadata.csv").write_text('file_name,text\ndeep/a.png,"a disc, deep"\n')
    assert needles_of(run, folder)[1]["caption"] == "a disc, deep"


def test_a_second_look_writes_the_same_bytes(run: Run, folder: Path) -> None:
    needles_of(run, folder)
    first = (run.folder / "review" / "needles.parquet").read_bytes()
    needles_of(run, folder)
    assert (run.folder / "review" / "needles.parquet").read_bytes() == first


def test_a_broken_picture_is_named_and_not_dropped_in_silence(run: Run, folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "deep" / "a.png").read_bytes()[:60])
    with pytest.raises(RunError, match=r"1 of the 3 needles cannot be decoded: broken\.png"):
        needles_of(run, folder)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ('{"file_name": "gone.png"}\n', r"name 1 files that are missing: gone\.png"),
        ('{"file_name": "b.jpg"\n', "line 1 is no JSON"),
        ('\n["b.jpg"]\n', "line 2 is no JSON object with a file_name"),
    ],
)
def test_metadata_that_do_not_fit(run: Run, folder: Path, metadata: str, sentence: str) -> None:
    (folder / "metadata.jsonl").write_text(metadata)
    with pytest.raises(RunError, match=sentence):
        needles_of(run, folder)


def test_metadata_csv_without_names(run: Run, folder: Path) -> None:
    (folder / "metadata.csv").write_text("name,text\nb.jpg,disc\n")
    with pytest.raises(RunError, match="has no column file_name"):
        needles_of(run, folder)


def test_a_run_inside_the_folder_is_refused(folder: Path) -> None:
    with pytest.raises(RunError, match="lies inside"):
        needles_of(Run(folder / "run"), folder)


def test_an_empty_folder_has_no_needles(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="found no needles"):
        needles_of(run, tmp_path / "empty")
