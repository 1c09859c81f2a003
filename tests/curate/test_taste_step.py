"""The step `taste`: what a review has learnt sorts a haystack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter
from tastes import SHARP

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index
from photogenic.curate.tasting import taste_scorer
from photogenic.measures.taste import Taste, save


def test_what_reviewers_would_drop_is_dropped(tmp_path: Path) -> None:
    for name in ("coffee", "chelsea", "astronaut"):
        photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photograph.save(tmp_path / f"{name}.png")
        photograph.filter(ImageFilter.GaussianBlur(5)).save(tmp_path / f"{name}-blurred.png")
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    save(SHARP, run.folder / "review" / "taste.json")
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    step = {"path": str(run.folder / "review" / "taste.json"), "min": 0.5}
    curate(CurateConfig.model_validate({"steps": {"taste": step}}), run, workers=1)
    verdicts = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    dropped = {key for key, row in verdicts.items() if row["verdict"] == "dropped"}
    assert dropped == {"coffee-blurred", "chelsea-blurred", "astronaut-blurred"}
    said = verdicts["coffee-blurred"]["drop_reason"]
    assert said == "not to the reviewers' taste (taste_prob below 0.5)"
    candidates = read_table(run.folder / "curate" / "candidates.parquet")
    sharpness = candidates["sharpness_score"].to_numpy()
    assert candidates["taste_prob"].to_numpy() == pytest.approx(1 / (1 + np.exp(-(sharpness - 1) / 0.25 * 2)))


def test_another_taste_is_another_scorer(tmp_path: Path) -> None:
    save(SHARP, tmp_path / "taste.json")
    before = taste_scorer(tmp_path / "taste.json")
    assert before.told == "taste.json, learnt from 50 decisions; of average: num_words"
    save(Taste(**{**vars(SHARP), "bias": 0.5}), tmp_path / "taste.json")
    assert taste_scorer(tmp_path / "taste.json").folder_name != before.folder_name


def test_a_taste_that_hears_no_pixels_is_refused(tmp_path: Path) -> None:
    save(Taste(**{**vars(SHARP), "columns": ("num_words", "clip_score")}), tmp_path / "taste.json")
    with pytest.raises(RunError, match="listens to num_words, clip_score"):
        taste_scorer(tmp_path / "taste.json")
    with pytest.raises(RunError, match="There is no taste"):
        taste_scorer(tmp_path / "none.json")
