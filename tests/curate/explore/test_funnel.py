"""What the page counts is what curating again decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.funnels import config_of, run_funnel
from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json
from photogenic.curate.config import CurateConfig
from photogenic.curate.explore.funnel import Explorer, keys_of
from photogenic.curate.explore.pool import ExploredPool

POPULAR = {"popularity": {"field": "likes", "min_quantile": 0.1}}


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_funnel(drawn, tmp_path_factory.mktemp("explored") / "run", config=config_of(**POPULAR))


@pytest.fixture(scope="module")
def explorer(run: Run) -> Explorer:
    return Explorer(ExploredPool.read(run, config_of(**POPULAR)))


def counted(run: Run) -> dict[str, tuple[int, int]]:
    steps = read_json(run.folder / "curate" / "counts.json")["steps"]
    return {step["name"]: (step["entered"], step["dropped"] + step["failed"]) for step in steps}


def explored(explorer: Explorer, changes: dict[str, float]) -> dict[str, tuple[int, int]]:
    return {count.name: (count.entered, count.dropped) for count in explorer.counts(changes)}


def test_without_a_change_it_counts_what_the_run_counted(explorer: Explorer, run: Run) -> None:
    assert explored(explorer, {}) == counted(run)
    thresholds = {count.name: count.thresholds for count in explorer.counts({})}
    for step in explorer.pool.steps:
        assert thresholds[step.name] == pytest.approx([rule.threshold for rule in step.rules])


@pytest.mark.parametrize(
    ("rule", "threshold", "steps"),
    [
        ("contrast.0", 0.75, {"contrast": {"min": 0.75}}),
        ("size.0", 300.0, {"size": {"min_side_px": 300}}),
        ("sharpness.0", 1.0, {"sharpness": {"min": 1.0}}),
        ("appeal.0", 6.0, {"appeal": {"min": 6.0}}),
    ],
)
def test_a_tightened_threshold_counts_what_curating_again_counts(
    explorer: Explorer, drawn: Path, tmp_path: Path, rule: str, threshold: float, steps: dict[str, Any]
) -> None:
    again = run_funnel(drawn, tmp_path / "run", config=config_of(**(POPULAR | steps)))
    assert explored(explorer, {rule: threshold}) == counted(again)


def test_bounds_of_one_step_do_not_see_one_another(drawn: Path, tmp_path: Path) -> None:
    config = config_of(
        sharpness={"min": 0.8, "min_quantile": 0.4}, contrast={"min": 0.5, "max_quantile": 0.8}
    )
    run = run_funnel(drawn, tmp_path / "run", config=config)
    explorer = Explorer(ExploredPool.read(run, config))
    assert explored(explorer, {}) == counted(run)
    for step, count in zip(explorer.pool.steps, explorer.counts({}), strict=True):
        assert count.thresholds == pytest.approx([rule.threshold for rule in step.rules])
    threshold = explorer.counts({})[5].thresholds[1]
    assert threshold is not None
    assert explorer.share_below("sharpness.1", threshold, {}) == pytest.approx(0.4, abs=0.03)
    near = explorer.neighbours("sharpness.1", {})
    values = explorer.pool.columns["sharpness_score"].values
    assert (values[near["below"] + near["above"]] >= 0.8).all(), "the others went by the bound before"


def test_a_loosened_threshold_says_what_is_not_scored(explorer: Explorer) -> None:
    before, after = explorer.counts({}), explorer.counts({"size.0": 1.0})
    by_name = {count.name: count for count in after}
    assert by_name["size"].dropped < before[1].dropped
    assert by_name["exposure"].unscored == before[1].dropped  # the small one was never decoded
    assert sum(count.unscored for count in before) == 0
    total = sum(count.dropped + count.unscored for count in after) + after[-1].left
    assert total == len(explorer.pool)


def test_what_comes_before_a_change_is_not_decided_again_and_stays_right(explorer: Explorer) -> None:
    moves = [
        {"sharpness.0": 0.9},
        {"contrast.0": 0.6, "sharpness.0": 0.9},
        {"contrast.0": 0.6},
        {},
        {"size.0": 1.0},
    ]
    fresh = [Explorer(explorer.pool).counts(changes) for changes in moves]
    assert [explorer.counts(changes) for changes in moves] == fresh


def test_neighbours_lie_on_both_sides_nearest_first(explorer: Explorer) -> None:
    changes = {"sharpness.0": 1.2}
    near = explorer.neighbours("sharpness.0", changes)
    values = explorer.pool.columns["sharpness_score"].values
    below, above = values[near["below"]], values[near["above"]]
    assert below.size and above.size and (below < 1.2).all() and (above >= 1.2).all()
    assert (np.diff(below) <= 0).all() and (np.diff(above) >= 0).all()
    entering = explorer.entering("sharpness.0", changes)
    assert entering[near["below"]].all() and entering[near["above"]].all()


def test_the_histogram_holds_every_entering_value(explorer: Explorer) -> None:
    for step in explorer.pool.steps:
        for key in keys_of(step):
            seen = explorer.histogram(key, {})
            assert sum(seen["bins"]) == seen["measured"] == explorer.entering(key, {}).sum()
            assert seen["low"] < seen["high"]


def test_a_share_is_the_quantile_that_gives_the_threshold(explorer: Explorer) -> None:
    threshold = explorer.counts({})[-1].thresholds[0]
    assert threshold is not None
    assert explorer.share_below("popularity.0", threshold, {}) == pytest.approx(0.1, abs=0.03)


def test_a_run_that_was_not_curated_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has not been curated"):
        ExploredPool.read(Run(tmp_path), CurateConfig())
