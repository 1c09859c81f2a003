from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from photogenic.core.errors import RunError
from photogenic.core.manifest import NEEDLES_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review, score_by

Haystack = Callable[..., list[str]]


def needles_of(run: Run, **values: object) -> list[dict[str, object]]:
    review(ReviewConfig.model_validate(values), run, seed=0)
    table = read_table(run.folder / "review" / "needles.parquet")
    assert table.schema.equals(NEEDLES_SCHEMA)
    return table.to_pylist()


def test_auto_takes_the_best_and_says_that_nobody_looked(run: Run, haystack: Haystack) -> None:
    ids = haystack([(0.2, 0.0, None), (0.9, 0.0, None), (0.5, 0.0, None), (0.7, 0.0, None)])
    needles = needles_of(run, num_needles=2)
    assert [needle["sample_id"] for needle in needles] == [ids[1], ids[3]]
    assert [needle["score"] for needle in needles] == [0.9, 0.7]
    assert {needle["decided_by"] for needle in needles} == {"auto: best by appeal_score, no person looked"}


def test_everything_of_the_candidate_travels_along(run: Run, haystack: Haystack) -> None:
    haystack([(0.2, 0.0, "animals")])
    candidate = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()[0]
    needle = needles_of(run)[0]
    for name in ("sample_id", "uid", "source", "member", "key", "offset", "size_bytes", "alt_text", "fields"):
        assert needle[name] == candidate[name]
    assert needle["caption"] == "disc & number 0"
    assert needle["caption_source"] == "alt_text"


def test_ties_fall_to_the_smaller_sample_id(run: Run, haystack: Haystack) -> None:
    ids = haystack([(0.5, 0.0, None)] * 9)
    assert [needle["sample_id"] for needle in needles_of(run, num_needles=4)] == sorted(ids)[:4]


def test_the_order_of_the_candidates_does_not_matter(run: Run, haystack: Haystack) -> None:
    rng = np.random.default_rng(0)
    haystack([(float(rng.integers(5)), 0.0, "abc"[i % 3]) for i in range(40)])
    path = run.folder / "curate" / "candidates.parquet"
    first = needles_of(run, num_needles=17, balance="group")
    table = read_table(path)
    path.unlink()
    write_table(path, table.take(rng.permutation(table.num_rows)))
    assert needles_of(run, num_needles=17, balance="group") == first


def test_a_missing_score_comes_last(run: Run, haystack: Haystack) -> None:
    ids = haystack([(None, 0.0, None), (-3.0, 0.0, None), (float("nan"), 0.0, None)])
    needles = needles_of(run)
    assert needles[0]["sample_id"] == ids[1]
    assert [needle["score"] for needle in needles] == [-3.0, None, None]


def test_balance_gives_groups_equal_shares_as_far_as_they_go(run: Run, haystack: Haystack) -> None:
    # 12 animals that all score above the foods, 5 foods, one flag, two without a group.
    rows = [(10.0 + i, 0.0, "animals") for i in range(12)] + [(float(i), 0.0, "food") for i in range(5)]
    rows += [(-1.0, 0.0, "flags"), (-2.0, 0.0, None), (-3.0, 0.0, None)]
    haystack(rows)
    needles = needles_of(run, num_needles=11, balance="group")
    groups = Counter(_group(needle) for needle in needles)
    assert groups == {"animals": 4, "food": 4, "flags": 1, None: 2}
    assert [needle["score"] for needle in needles] == sorted((n["score"] for n in needles), reverse=True)
    assert {n["score"] for n in needles if _group(n) == "animals"} == {21.0, 20.0, 19.0, 18.0}
    assert needles[0]["decided_by"] == "auto: best by appeal_score, balanced by group, no person looked"


def _group(needle: dict[str, object]) -> str | None:
    return json.loads(str(needle["fields"])).get("group")


def test_balance_may_name_a_column(run: Run, haystack: Haystack) -> None:
    haystack([(1.0, 0.5, None), (2.0, 0.5, None), (0.0, 0.7, None)])
    needles = needles_of(run, num_needles=2, balance="clip_score")
    assert [needle["score"] for needle in needles] == [2.0, 0.0]


def test_a_balance_that_nobody_has_is_an_error(run: Run, haystack: Haystack) -> None:
    haystack([(1.0, 0.5, "animals")])
    with pytest.raises(RunError, match="names neither a column nor a side-car field"):
        needles_of(run, balance="grupo")


def test_a_blend_ranks_whatever_the_units(run: Run, haystack: Haystack) -> None:
    # Ranks: appeal 0 < 1 < 2, clip the other way round; the middle one wins when clip counts a little less.
    haystack([(0.0, 900.0, None), (1.0, 800.0, None), (1.5, -5.0, None)])
    candidates = read_table(run.folder / "curate" / "candidates.parquet")
    scores = score_by(ReviewConfig(by={"appeal_score": 2, "clip_score": 1}), candidates)
    expected = [(2 * 0.5 + 2.5) / 9, (2 * 1.5 + 1.5) / 9, (2 * 2.5 + 0.5) / 9]
    assert scores == pytest.approx(expected)


def test_a_blend_halves_ties_and_sets_missing_values_below_all(run: Run, haystack: Haystack) -> None:
    haystack([(4.0, None, None), (4.0, 1.0, None), (1.0, 1.0, None), (None, 0.0, None)])
    candidates = read_table(run.folder / "curate" / "candidates.parquet")
    assert score_by(ReviewConfig(by={"appeal_score": 3}), candidates) == pytest.approx(
        [0.75, 0.75, 0.375, 0.0]
    )
    needles = needles_of(run, by={"appeal_score": 1, "clip_score": 1})
    assert (
        needles[0]["decided_by"] == "auto: best by a blend of appeal_score and clip_score, no person looked"
    )


def test_a_whole_number_column_can_rank(run: Run, haystack: Haystack) -> None:
    ids = haystack([(1.0, 0.0, None)] * 3)
    assert needles_of(run, by="num_words")[0]["sample_id"] == ids[2]


@pytest.mark.parametrize("by", ["taste_score", "alt_text", {"appeal_score": 1, "taste_score": 1}])
def test_a_score_that_nobody_measured_names_those_there_are(run: Run, haystack: Haystack, by: object) -> None:
    haystack([(1.0, 0.5, None)])
    with pytest.raises(RunError, match="The candidates have: appeal_score, clip_score, num_words"):
        needles_of(run, by=by)


def test_no_candidates_is_an_error_and_not_an_empty_table(run: Run, haystack: Haystack) -> None:
    haystack([])
    with pytest.raises(RunError, match="found no needles"):
        needles_of(run)
    assert not (run.folder / "review" / "needles.parquet").exists()


def test_without_a_funnel_auto_says_what_to_run(run: Run) -> None:
    with pytest.raises(RunError, match="There is no table at"):
        needles_of(run)


def test_decisions_that_are_not_there(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There are no decisions at"):
        needles_of(run, decisions=str(tmp_path / "nothing.csv"))
