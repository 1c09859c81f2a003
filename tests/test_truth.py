"""What the closing story says was caught agrees with the tables, row for row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.demo.haystack import truth_path, write_haystack
from photogenic.demo.sources import DEMO_SOURCES
from photogenic.recipe import Recipe, load_recipe
from photogenic.road import Road
from photogenic.truth import read_truth, truth_files

RECIPE = """
name: little
pool: {{sources: {{stickers: {haystack}}}}}
curate:
  steps:
    size: {{min_side_px: 100}}
    duplicates: {{max_distance: 4}}
    select: {{num: 30}}
review: {{num_needles: 10}}
"""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Run, list[dict[str, str]]]:
    """A small haystack, half of it spoiled, curated and reviewed; and its truth."""
    folder = tmp_path_factory.mktemp("truth")
    haystack = folder / "haystack"
    write_haystack(haystack, DEMO_SOURCES, num_samples=80, spoiled_ratio=0.5, workers=1)
    path = folder / "little.yaml"
    path.write_text(RECIPE.format(haystack=haystack), encoding="utf-8")
    recipe, run = load_recipe(path), Run(folder / "run")
    Road(recipe, run).travel()
    lines = truth_path(haystack).read_text(encoding="utf-8").splitlines()
    return recipe, run, [json.loads(line) for line in lines]


def test_every_picture_is_counted_once(walked: tuple[Recipe, Run, list[dict[str, str]]]) -> None:
    recipe, run, rows = walked
    truth = read_truth(recipe, run)
    assert truth is not None
    assert truth.clean.num + truth.spoiled.num == len(rows) == 80
    assert sum(row.num for row in truth.kinds) == truth.spoiled.num == 40
    for row in [*truth.kinds, truth.clean, truth.spoiled]:
        assert row.num == row.num_filtered + row.num_not_chosen + row.num_candidates
        assert row.num_needles <= row.num_candidates


def test_counts_are_those_of_the_tables(walked: tuple[Recipe, Run, list[dict[str, str]]]) -> None:
    recipe, run, rows = walked
    truth = read_truth(recipe, run)
    assert truth is not None
    verdicts = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    step = {verdict["key"]: verdict["drop_step"] for verdict in verdicts}
    clean = [row["key"] for row in rows if row["kind"] == "clean"]
    assert truth.clean.num_candidates == sum(step[key] is None for key in clean)
    assert truth.clean.num_not_chosen == sum(step[key] == "select" for key in clean)
    assert truth.clean.num_filtered == sum(step[key] not in (None, "select") for key in clean)
    low, high = truth.clean.interval
    assert low <= truth.clean.filtered_ratio <= high


def test_the_tiny_and_the_truncated_are_caught(walked: tuple[Recipe, Run, list[dict[str, str]]]) -> None:
    recipe, run, _ = walked
    truth = read_truth(recipe, run)
    assert truth is not None
    by_kind = {row.kind: row for row in truth.kinds}
    assert by_kind["tiny"].filtered_ratio == 1.0 and by_kind["tiny"].main_step == "size"
    assert by_kind["truncated"].filtered_ratio == 1.0 and by_kind["truncated"].main_step == "read"
    assert by_kind["exact duplicate"].filtered_ratio == 1.0  # of each pair at most one is left


def test_shares_of_spoiled(walked: tuple[Recipe, Run, list[dict[str, str]]]) -> None:
    recipe, run, _ = walked
    truth = read_truth(recipe, run)
    assert truth is not None and truth.spoiled_ratio("num") == 0.5
    among = truth.spoiled_ratio("num_candidates")
    assert among is not None and among < 0.5


def test_the_story_tells_it(walked: tuple[Recipe, Run, list[dict[str, str]]]) -> None:
    _, run, _ = walked
    html = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "What the funnel caught, and what it lost" in html
    assert "exact duplicate" in html


def test_without_a_truth_file_there_is_no_such_chapter(
    walked: tuple[Recipe, Run, list[dict[str, str]]], tmp_path: Path
) -> None:
    recipe, run, _ = walked
    (path,) = truth_files(recipe)
    hidden = path.rename(tmp_path / path.name)
    try:
        assert read_truth(recipe, run) is None
    finally:
        hidden.rename(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"file": "00000000.jpg", "kind": "good"}',
        "[1]",
        '{"key": ["00000000"], "kind": "clean"}',
        '{"key": "00000000", "kind": "clean", "of_key": []}',
        "no JSON",
        b"\xff\xfe".decode("latin-1"),
        '{"key": "of another haystack", "kind": "clean"}',
        "",
    ],
)
def test_a_file_that_only_has_the_name_ends_no_run(
    walked: tuple[Recipe, Run, list[dict[str, str]]], text: str
) -> None:
    recipe, run, _ = walked
    [path] = truth_files(recipe)
    kept = path.read_bytes()
    path.write_bytes(text.encode("latin-1"))
    try:
        assert read_truth(recipe, run) is None
    finally:
        path.write_bytes(kept)
    assert read_truth(recipe, run) is not None
