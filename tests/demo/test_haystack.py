"""A real haystack of real drawings, read back and compared with its truth."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from photogenic.core.errors import PhotogenicError, RunError
from photogenic.demo.haystack import HaystackSummary, truth_path, write_haystack
from photogenic.demo.sources import DEMO_SOURCES

NUM_SAMPLES = 120


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> HaystackSummary:
    folder = tmp_path_factory.mktemp("demo") / "haystack"
    return write_haystack(folder, DEMO_SOURCES, num_samples=NUM_SAMPLES, workers=1)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_counts(summary: HaystackSummary) -> None:
    assert summary.num_samples == sum(summary.num_by_source.values()) == NUM_SAMPLES
    assert summary.spoiled_ratio == pytest.approx(0.30)
    assert summary.num_by_kind["clean"] == 84
    assert set(summary.num_by_source) == {"openmoji", "twemoji"}
    assert summary.missing == []


def test_metadata_and_truth_agree_and_name_every_picture(summary: HaystackSummary) -> None:
    metadata, truth = rows(summary.folder / "metadata.jsonl"), rows(truth_path(summary.folder))
    assert [row["key"] for row in metadata] == [row["key"] for row in truth]
    assert [row["file_name"] for row in metadata] == [row["file_name"] for row in truth]
    written = set(hashes(summary.folder)) - {"metadata.jsonl", "README.txt", "done.json"}
    assert written == {row["file_name"] for row in metadata}
    assert Counter(row["kind"] for row in truth) == summary.num_by_kind


def test_nothing_inside_the_folder_tells_what_was_spoiled(summary: HaystackSummary) -> None:
    assert truth_path(summary.folder).parent == summary.folder.parent
    for row in rows(summary.folder / "metadata.jsonl"):
        assert not {"kind", "of_key", "parameters"} & set(row)
        assert row["licence"] in ("CC-BY-SA-4.0", "CC-BY-4.0")
        assert row["alt_text"]


def test_pictures_are_what_the_truth_says(summary: HaystackSummary) -> None:
    truth = rows(truth_path(summary.folder))
    digest = hashes(summary.folder)
    by_key = {row["key"]: row for row in truth}
    for row in truth:
        path = summary.folder / row["file_name"]
        if row["kind"] == "truncated":
            with pytest.raises(OSError, match=r"truncated|cannot identify|decoder|decode"):
                Image.open(path).load()
            continue
        with Image.open(path) as image:
            image.load()
            longer_px = max(image.size)
        assert (longer_px <= 56) == (row["kind"] == "tiny")
        if row["kind"] == "exact_duplicate":
            assert digest[row["file_name"]] == digest[by_key[row["of_key"]]["file_name"]]
        if row["kind"] == "clean":
            assert 192 <= longer_px <= 400
    equal = [count for count in Counter(digest[row["file_name"]] for row in truth).values() if count > 1]
    assert len(equal) == summary.num_by_kind["exact_duplicate"]


def test_the_readme_names_owners_and_licences(summary: HaystackSummary) -> None:
    text = (summary.folder / "README.txt").read_text(encoding="utf-8")
    for words in ("OpenMoji", "CC-BY-SA-4.0", "Twemoji", "CC-BY-4.0", "Changes:"):
        assert words in text


def test_same_bytes_whatever_the_order_and_the_number_of_workers(
    summary: HaystackSummary, tmp_path: Path
) -> None:
    again = write_haystack(tmp_path / "again", DEMO_SOURCES[::-1], num_samples=NUM_SAMPLES, workers=2)
    assert hashes(again.folder) == hashes(summary.folder)
    assert truth_path(again.folder).read_bytes() == truth_path(summary.folder).read_bytes()


def test_a_finished_folder_is_left_as_it_is(summary: HaystackSummary) -> None:
    times = {path: path.stat().st_mtime_ns for path in summary.folder.rglob("*")}
    assert write_haystack(summary.folder, DEMO_SOURCES, num_samples=NUM_SAMPLES) == summary
    assert {path: path.stat().st_mtime_ns for path in summary.folder.rglob("*")} == times


def test_a_folder_of_somebody_s_own_is_never_touched(summary: HaystackSummary, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(RunError, match="is there already"):
        write_haystack(tmp_path, DEMO_SOURCES, num_samples=10)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(RunError, match="is there already"):
        write_haystack(summary.folder, DEMO_SOURCES, num_samples=10)


def test_what_a_kill_left_behind_is_written_anew(summary: HaystackSummary, tmp_path: Path) -> None:
    folder = tmp_path / "haystack"
    shutil.copytree(summary.folder / "twemoji", tmp_path / ".haystack.partial" / "noto")
    folder.mkdir()
    written = write_haystack(folder, DEMO_SOURCES, num_samples=20, workers=1)
    assert written.num_samples == 20
    assert not (folder / "noto").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["haystack", "haystack.truth.jsonl"]


def test_npm_sources_with_a_missing_one(node_modules: Path, tmp_path: Path) -> None:
    names = ("noto", "fluent_gradient", "fluent_flat", "fluent_3d")
    shutil.copytree(node_modules, tmp_path / "node_modules")
    shutil.rmtree(tmp_path / "node_modules" / "@lobehub")
    written = write_haystack(
        tmp_path / "haystack",
        names,
        num_samples=None,
        node_modules=tmp_path / "node_modules",
        sizes_px=(64, 96),
        workers=1,
    )
    assert set(written.num_by_source) == {"noto", "fluent_gradient", "fluent_flat"}
    assert len(written.missing) == 1
    assert "npm install @lobehub/fluent-emoji-3d" in written.missing[0]


def test_no_source_at_all(tmp_path: Path) -> None:
    with pytest.raises(PhotogenicError, match="None of the sources is installed") as caught:
        write_haystack(tmp_path / "haystack", ["noto"], num_samples=5, node_modules=tmp_path)
    assert "npm install" in caught.value.fix
    assert list(tmp_path.iterdir()) == []
