import numpy as np
import pytest

from photogenic.curate.config import (
    ClipScoreStep,
    ColumnStep,
    DuplicatesStep,
    ExposureStep,
    OcrStep,
    PopularityStep,
    Range,
    SizeStep,
    StepsConfig,
)
from photogenic.curate.filters import RANGES, Rule, rules_for


def test_a_value_on_the_bound_is_kept_and_so_is_one_that_was_not_measured() -> None:
    step = OcrStep(max_words=2, max_text_area_ratio=0.1, max_date_stamps=0)
    words, area, stamps = rules_for("ocr", step)
    assert words.sentence == "too many words in the picture (num_words above 2)"
    assert words.breaks(np.array([2, 3, np.nan])).tolist() == [False, True, False]
    assert (area.column, area.threshold) == ("text_area_ratio", 0.1)
    assert stamps.sentence == "a date is printed into it (num_date_stamps above 0)"
    assert area.breaks(np.array([0.1, 0.5, np.nan])).tolist() == [False, True, False]
    rule = Rule("contrast", "min", "flat", 0.3)
    assert rule.breaks(np.array([0.1, 0.3, np.nan, 0.9])).tolist() == [True, False, False, False]


def test_a_quantile_drops_its_share_of_what_was_measured() -> None:
    values = np.concatenate([np.arange(100.0), [np.nan] * 50])
    low, high = rules_for("sharpness", Range(min_quantile=0.1, max_quantile=0.8))
    low, high = low.resolved(values), high.resolved(values)
    assert low.breaks(values).sum() == 10
    assert high.breaks(values).sum() == 20
    assert low.threshold == pytest.approx(np.quantile(np.arange(100.0), 0.1))
    assert "the 10 % quantile" in low.sentence


def test_a_quantile_of_nothing_breaks_nobody() -> None:
    (rule,) = rules_for("clip_score", ClipScoreStep(min_quantile=0.5))
    nothing = np.array([np.nan, np.nan])
    assert not rule.resolved(nothing).breaks(nothing).any()


def test_unknown_popularity_is_kept_unless_the_recipe_says_otherwise() -> None:
    values = np.array([5.0, np.nan, 1.0])
    (kept,) = rules_for("popularity", PopularityStep(field="likes", min=2))
    (dropped,) = rules_for("popularity", PopularityStep(field="likes", min=2, keep_unknown=False))
    assert kept.column == "fields.likes"
    assert kept.breaks(values).tolist() == [False, False, True]
    assert dropped.breaks(values).tolist() == [False, True, True]


def test_null_is_no_bound() -> None:
    assert rules_for("size", SizeStep(min_side_px=None)) == []
    assert rules_for("exposure", ExposureStep(max_luma=None, max_dark_clip_ratio=None)) != []
    assert rules_for("duplicates", DuplicatesStep()) == []


def test_every_step_of_one_column_has_one() -> None:
    for name, field in StepsConfig.model_fields.items():
        kind = field.annotation.__args__[0]
        if issubclass(kind, Range) and kind not in (PopularityStep, ColumnStep):
            assert name in RANGES
