"""The gate's choice: quality decides, within the margin of generality."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from photogenic.core.errors import RunError
from photogenic.core.weights import PACKAGED
from photogenic.measures.appeal import appeal_score
from photogenic.measures.decode import Picture
from photogenic.measures.pixel import measure
from photogenic.measures.taste import Taste, save
from photogenic.train.config import GateConfig
from photogenic.train.stopping import Gate, GateRow, choose, distance, diversity, quality_of

BASE = GateRow(0, quality=3.0, generality=20.0)


def test_best_quality_within_the_margin() -> None:
    rows = [BASE, GateRow(10, 3.5, 20.5), GateRow(20, 4.0, 19.5), GateRow(30, 5.0, 15.0)]
    choice = choose(rows, max_generality_loss=0.05, within_errors=1.0)
    assert choice.chosen_step == 20
    assert "1 lost more than 5% of it" in choice.sentence


def test_the_earliest_of_equals() -> None:
    rows = [BASE, GateRow(10, 4.0, 20.0), GateRow(20, 4.0, 21.0)]
    assert choose(rows, 0.05, 1.0).chosen_step == 10


def test_the_earliest_that_cannot_be_told_from_the_best() -> None:
    """By hand: step 20 is 0.1 below the best on average, with a standard error of 0.2; step 10 is 1 below."""
    best = GateRow(30, 4.5, 20.0, qualities=(4.0, 4.0, 5.0, 5.0))
    close = GateRow(20, 4.4, 20.0, qualities=(4.0, 4.5, 4.3, 4.8))
    far = GateRow(10, 3.5, 20.0, qualities=(3.0, 3.1, 3.9, 4.0))
    rows = [BASE, far, close, best]
    choice = choose(rows, 0.05, 1.0)
    assert choice.chosen_step == 20
    assert (
        "quality (4.40, base 3.00) within one standard error of the best (4.50, step 30)" in choice.sentence
    )
    assert choose(rows, 0.05, within_errors=0).chosen_step == 30
    assert "within 30 standard errors" in choose(rows, 0.05, within_errors=30).sentence
    assert choose(rows, 0.05, within_errors=30).chosen_step == 10
    forgot = GateRow(20, 4.4, 10.0, qualities=close.qualities)
    assert choose([BASE, far, forgot, best], 0.05, 1.0).chosen_step == 30
    shorter = dataclasses.replace(close, sigma_rel=0.05)
    longer = dataclasses.replace(best, sigma_rel=0.2)
    assert "of the best (4.50, step 30, length 0.2)" in choose([BASE, shorter, longer], 0.05, 1.0).sentence


def test_base_when_all_forgot() -> None:
    rows = [BASE, GateRow(10, 4.0, 10.0)]
    choice = choose(rows, 0.05, 1.0)
    assert choice.chosen_step == 0
    assert "all lost more than 5% of generality" in choice.sentence


def test_base_when_nothing_draws_better() -> None:
    assert choose([BASE, GateRow(10, 2.9, 20.0)], 0.05, 1.0).chosen_step == 0


def test_without_a_clip_quality_decides_and_the_sentence_says_so() -> None:
    choice = choose([GateRow(0, 3.0, None), GateRow(10, 3.5, None)], 0.05, 1.0)
    assert choice.chosen_step == 10
    assert "generality was not measured" in choice.sentence


def test_a_negative_clip_score_may_not_fall_far_either() -> None:
    rows = [GateRow(0, 3.0, -10.0), GateRow(10, 4.0, -12.0)]
    assert choose(rows, 0.1, 1.0).chosen_step == 0


def test_diversity_and_distance_by_hand() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [1.0 - float(vectors[i] @ vectors[j]) for i in range(6) for j in range(i)]
    assert diversity(vectors) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert diversity(np.repeat(vectors[:1], 4, axis=0)) == pytest.approx(0.0, abs=1e-6)
    assert diversity(vectors[:1]) is None
    assert distance(vectors, vectors) == pytest.approx(0.0, abs=1e-6)
    assert distance(vectors, -vectors) == pytest.approx(2.0, abs=1e-6)


def test_a_clip_is_named_as_the_preflight_takes_it(tmp_path: Path) -> None:
    """A packaged name, a folder, or neither: then why there is no generality is kept."""
    packaged = Gate(GateConfig(clip_model="emu-tiny"), tmp_path, 0)
    assert packaged.clip is not None and packaged.clip_missing == ""
    folder = Gate(GateConfig(clip_model=str(PACKAGED / "emu-tiny")), tmp_path, 0)
    assert folder.clip is not None and folder.clip.revision == packaged.clip.revision
    nowhere = Gate(GateConfig(clip_model="no-such-clip"), tmp_path, 0)
    assert nowhere.clip is None and "neither a folder nor a packaged name" in nowhere.clip_missing
    beside_none = Gate(GateConfig(), tmp_path, 0)
    assert beside_none.clip is None and str(tmp_path) in beside_none.clip_missing


def test_what_is_only_shown_does_not_decide() -> None:
    rows = [BASE, GateRow(10, 4.0, 20.0, diversity=0.1, distance=0.9)]
    assert choose(rows, 0.05, 1.0).chosen_step == 10


def test_a_taste_says_what_quality_is(tmp_path: Path) -> None:
    colourful = Taste(
        ("colourfulness_score", "clip_score"), (20.0, 0.0), (10.0, 1.0), (1.0, 9.0), 0.0, 1.0, 0.0, 9, 9
    )
    save(colourful, tmp_path / "taste.json")
    gate = Gate(GateConfig(taste=tmp_path / "taste.json"), tmp_path, 0)
    grey = np.full((64, 64, 3), 128, np.uint8)
    bright = np.random.default_rng(0).integers(0, 2, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1) * 255
    assert quality_of(grey, gate.taste) == pytest.approx(1 / (1 + np.exp(2)))  # colourfulness 0, z = -2
    assert quality_of(bright, gate.taste) > 0.99
    assert quality_of(bright, None) == appeal_score(measure(Picture(bright, 64, 64, "drawn")))


def test_a_taste_that_is_not_there_stops_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no taste"):
        Gate(GateConfig(taste=tmp_path / "none.json"), tmp_path, 0)
