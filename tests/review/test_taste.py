"""A taste of known strength is found again; the artefact is numbers only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from photogenic.core.errors import RunError
from photogenic.review.taste import (
    decisions_needed,
    gold_proposals,
    learn,
    load,
    save,
    saving,
    surprises,
)


def decisions(num: int, strength: float = 3.0, seed: int = 0) -> tuple[pa.Table, list[bool], np.ndarray]:
    """Columns, decisions drawn from a logistic law over two of them, and the true probabilities."""
    rng = np.random.default_rng(seed)
    light, noise, embedding = rng.normal(size=num), rng.normal(size=num), rng.normal(size=(num, 4))
    probability = 1 / (1 + np.exp(-(strength * light + embedding[:, 1] - 1)))
    table = pa.table(
        {
            "sample_id": [f"{i}" for i in range(num)],
            "light_score": light * 50 + 7,
            "num_words": pa.array(rng.integers(0, 9, num), pa.int32()),
            "noise_score": [None if i % 7 == 0 else value for i, value in enumerate(noise)],
            "clip_embedding": pa.FixedSizeListArray.from_arrays(pa.array(embedding.ravel()), 4),
        }
    )
    return table, (rng.random(num) < probability).tolist(), probability


def test_its_probabilities_are_calibrated_on_decisions_it_never_saw() -> None:
    table, kept, _ = decisions(1500)
    learnt = learn(table, kept)
    unseen, answers, truth = decisions(4000, seed=1)
    scores = learnt.score(unseen)
    for low in np.arange(0, 1, 0.2):
        bin_ = (scores >= low) & (scores < low + 0.2)
        assert abs(scores[bin_].mean() - np.asarray(answers)[bin_].mean()) < 0.07
    assert np.corrcoef(scores, truth)[0, 1] > 0.97


def test_it_saves_decisions_where_there_is_something_to_learn_and_none_in_noise() -> None:
    table, kept, _ = decisions(600)
    assert saving(table, kept).by_taste < 0.75 * saving(table, kept).at_random
    coins = np.random.default_rng(5).random(600) < 0.3
    assert saving(table, coins.tolist()).by_taste > 0.85 * saving(table, coins.tolist()).at_random


def test_an_artefact_scores_as_the_taste_that_wrote_it(tmp_path: Path) -> None:
    table, kept, _ = decisions(200)
    learnt = learn(table, kept)
    save(learnt, tmp_path / "taste.json")
    assert np.array_equal(load(tmp_path / "taste.json").score(table), learnt.score(table))
    text = (tmp_path / "taste.json").read_text(encoding="utf-8")
    assert set(json.loads(text)) == {
        "format",
        "columns",
        "means",
        "scales",
        "weights",
        "bias",
        "slope",
        "offset",
        "num_kept",
        "num_dropped",
    }
    missing = table.drop_columns(["light_score"])
    with pytest.raises(RunError, match="light_score"):
        learnt.score(missing)
    (tmp_path / "other.json").write_text('{"format": "something"}', encoding="utf-8")
    for name in ("other.json", "absent.json"):
        with pytest.raises(RunError):
            load(tmp_path / name)


def test_too_few_decisions_teach_nothing() -> None:
    table, kept, _ = decisions(12)
    with pytest.raises(RunError, match="too few"):
        learn(table, kept)


def test_how_many_decisions_find_the_needles() -> None:
    kept = [False, True, False, True]
    assert decisions_needed([1, 3, 0, 2], kept) == 2
    assert decisions_needed([0, 2, 1, 3], kept) == 4
    assert decisions_needed([0, 1, 2, 3], kept, share=0.5) == 2
    assert decisions_needed([0, 1], [False, False]) == 0


def test_what_surprises_and_what_may_be_gold() -> None:
    scores, kept = np.array([0.9, 0.1, 0.95, 0.05, 0.5]), [True, False, False, True, True]
    assert set(surprises(scores, kept, 2)) == {2, 3}
    assert set(gold_proposals(scores, kept, 2)) == {0, 1}
