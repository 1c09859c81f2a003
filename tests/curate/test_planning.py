from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_json
from photogenic.curate.config import CurateConfig, DuplicatesStep, PoolConfig
from photogenic.curate.costs import scorers_by_step
from photogenic.curate.filters import rules_for
from photogenic.curate.planning import HASH_ENTROPY, _in_words, _of_duplicates, plan_curation
from photogenic.measures.duplicates import MAX_DISTANCE, expected_seconds

from .funnels import config_of, run_funnel


def pool_of(folder: Path) -> PoolConfig:
    return PoolConfig.model_validate({"sources": {"drawn": {"path": folder}}})


def test_without_a_run_some_pictures_are_measured(drawn: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    plan = plan_curation(pool_of(drawn), config_of(), run, pool_size=1.1e9, num_measured=30)
    read, size = plan.steps[:2]
    assert (read.name, read.entered, read.scorers) == ("read", 1.1e9, ("read",))
    assert size.scorers == () and size.core_hours == 0
    pixel = next(step for step in plan.steps if "pixel" in step.scorers)
    assert pixel.name == "exposure"  # the first step that needs a pixel
    assert pixel.core_hours == pytest.approx(pixel.entered * pixel.seconds_each / 3600)
    assert plan.core_hours == pytest.approx(read.core_hours + pixel.core_hours) and plan.core_hours > 0
    for before, after in zip(plan.steps, plan.steps[1:], strict=False):
        assert after.entered == pytest.approx(before.left)
    assert plan.steps[-1].left == 20  # `select` keeps a number
    assert plan.machines(1) == -(-plan.core_hours // (plan.num_cores * 24))
    assert plan.machines(1e9) == 1
    assert read.read_bytes == pytest.approx(1.1e9 * plan.picture_bytes)
    assert any("30 measured pictures" in assumption for assumption in plan.assumptions)
    hashes = next(text for text in plan.assumptions if "hashes, not in the table" in text)
    duplicates = next(step for step in plan.steps if step.name == "duplicates")
    took = _in_words(expected_seconds(duplicates.entered, 4, HASH_ENTROPY))
    assert f"about {took} and {duplicates.entered * 200 / 1e9:,.1f} GB" in hashes
    assert any("so that fewer reach it" in text for text in plan.assumptions)
    assert not run.folder.exists() or not any(run.folder.iterdir())


def test_a_run_gives_the_shares(drawn: Path, tmp_path: Path) -> None:
    run = run_funnel(drawn, tmp_path / "run")
    before = (run.folder / "curate" / "counts.json").read_bytes()
    plan = plan_curation(pool_of(drawn), config_of(), run, pool_size=51_000, num_measured=12)
    counts = read_json(run.folder / "curate" / "counts.json")
    for step, told in zip(plan.steps, counts["steps"], strict=True):
        assert step.entered == pytest.approx(1000 * told["entered"])
    assert any("the run's 51 samples" in assumption for assumption in plan.assumptions)
    assert any("about 1 s and 0.1 GB of memory" in assumption for assumption in plan.assumptions)
    assert (run.folder / "curate" / "counts.json").read_bytes() == before


def test_what_no_rule_reads_is_paid_for_as_well(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def keeps(row): return True")
    steps = {
        "size": {},
        "likes": {"step": "popularity", "field": "likes", "min_quantile": 0.1, "within": "watermark_score"},
        "mine": {"filter": f"{tmp_path}/mine.py:keeps", "columns": ["unsafe_prob"]},
    }
    config = CurateConfig.model_validate({"steps": steps})
    told = [("read", []), *((name, rules_for(name, step)) for name, step in config.steps.items())]
    assert scorers_by_step(config, told) == {
        "read": ("read",),
        "size": (),
        "likes": ("watermark",),
        "mine": ("unsafe", "pixel"),  # whoever is left has the pixel measures
    }


def test_bounds_of_a_target_are_measured_for_all_who_come_to_the_first(drawn: Path, tmp_path: Path) -> None:
    steps = {"sharpness": {"min_quantile": "target"}, "watermark": {"max_quantile": "target"}}
    config = CurateConfig.model_validate({"steps": steps, "target": 10})
    run = run_funnel(drawn, tmp_path / "run", config=config)
    plan = plan_curation(pool_of(drawn), config, run, pool_size=None, num_measured=8)
    _, sharpness, watermark = plan.steps
    assert watermark.scorers == ("watermark",) and watermark.entered < 0.7 * sharpness.entered
    assert watermark.scored == sharpness.entered


def test_look_alikes_by_embedding_grow_with_the_square() -> None:
    hashes, vectors, advice = _of_duplicates(DuplicatesStep(model="emu-tiny", max_distance=4), 1e9)
    took = _in_words(expected_seconds(1e9, 4, HASH_ENTROPY))
    assert f"about {took} and 200.0 GB of memory for 1,000,000,000 hashes" in hashes
    assert "At max_distance 4 a million takes" in hashes
    assert "1,000,000,000 take 242 years" in vectors and "Without `duplicates.model`" in vectors
    assert len(list(_of_duplicates(DuplicatesStep(), 1e9))) == 2 and "several pools of one" in advice


def test_a_recipe_names_no_distance_that_is_refused_after_all_is_scored() -> None:
    assert DuplicatesStep(max_distance=MAX_DISTANCE).max_distance == MAX_DISTANCE
    with pytest.raises(ValidationError):
        DuplicatesStep(max_distance=MAX_DISTANCE + 1)


def test_a_time_is_told_in_the_unit_that_is_read_best() -> None:
    told = [_in_words(seconds) for seconds in (0.2, 90, 600, 7_200, 86_400 * 2, 86_400 * 100, 1e11)]
    assert told == ["1 s", "90 s", "10 min", "2 h", "48 h", "100 days", "3,171 years"]


def test_an_empty_pool_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    with pytest.raises(RunError):
        plan_curation(pool_of(tmp_path / "pool"), config_of(), Run(tmp_path / "run"), pool_size=10)
