"""Decide: pure predicates over columns. No picture is opened here, so deciding anew is instant."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photogenic.core.config import StrictModel
from photogenic.curate.config import (
    TARGET,
    AspectStep,
    BordersStep,
    CaptionStep,
    ColourfulnessStep,
    ColumnStep,
    ConceptStep,
    ExposureStep,
    OcrStep,
    PopularityStep,
    Range,
    ScorerStep,
    SizeStep,
    UnsafeStep,
)

FIELD = "fields."  # columns of this prefix come from the side-cars: "fields.likes"

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """A column on one side of a threshold, and what to say of a sample that is on the other.

    A value that was not measured (NaN: a picture without text has no CLIP score) breaks no rule, unless
    `keep_unknown` is false.
    """

    column: str
    side: Literal["min", "max"]
    reason: str
    threshold: float | None = None  # None: a quantile that is not resolved yet
    quantile: float | None = None  # where the threshold came from
    keep_unknown: bool = True
    within: str | None = None  # the quantile is of each value of this field by itself
    is_target: bool = False  # the quantile is still to be solved

    @property
    def sentence(self) -> str:
        """Why a sample that breaks the rule was dropped."""
        relation = "below" if self.side == "min" else "above"
        return f"{self.reason} ({self.column} {relation} {self._limit})"

    @property
    def bound(self) -> str:
        """What the rule asks for."""
        return f"at {'least' if self.side == 'min' else 'most'} {self._limit}"

    @property
    def _limit(self) -> str:
        if self.within is not None and self.quantile is not None:
            return f"the {100 * self.quantile:g} % quantile of its {self.within}"
        threshold = "what was measured" if self.threshold is None else f"{self.threshold:.4g}"
        return threshold if self.quantile is None else f"{threshold}, the {100 * self.quantile:g} % quantile"

    def breaks(self, values: Floats) -> Mask:
        """Which values are on the wrong side. [N] float64 -> [N] bool"""
        threshold = np.nan if self.threshold is None else self.threshold  # a NaN is neither above nor below
        wrong = values < threshold if self.side == "min" else values > threshold
        return wrong if self.keep_unknown else wrong | np.isnan(values)

    def resolved(self, values: Floats) -> Rule:
        """The rule with its quantile turned into a threshold, over the values that were measured."""
        measured = values[~np.isnan(values)]
        if self.quantile is None or self.within is not None or not measured.size:
            return self
        return dataclasses.replace(self, threshold=float(np.quantile(measured, self.quantile)))

    @property
    def is_relative(self) -> bool:
        """Whether the rule depends on the other samples."""
        return self.quantile is not None or self.is_target

    def solved(self, quantile: float) -> Rule:
        """The rule with the quantile that was solved: this share goes, on whichever side."""
        if not self.is_target:
            return self
        return dataclasses.replace(
            self, is_target=False, quantile=quantile if self.side == "min" else 1 - quantile
        )


# Steps of one column: the column, what is said below the lower bound, what is said above the upper one.
RANGES: dict[str, tuple[str, str, str]] = {
    "contrast": ("contrast", "flat", "harsh"),
    "colourfulness": ("colourfulness_score", "pale", "garish"),
    "saturation": ("saturation_ratio", "unsaturated", "over-saturated"),
    "sharpness": ("sharpness_score", "blurred", "over-sharpened"),
    "noise": ("noise_score", "lifeless", "noisy"),
    "watermark": ("watermark_score", "unmarked", "stamped all over"),
    "jpeg_quality": ("jpeg_quality", "heavily compressed", "lightly compressed"),
    "clip_score": ("clip_score", "text does not fit the picture", "text fits too well"),
    "aesthetic": ("aesthetic_score", "not aesthetic", "too aesthetic"),
    "taste": ("taste_prob", "not to the reviewers' taste", "too much to the reviewers' taste"),
    "appeal": ("appeal_score", "not appealing", "too appealing"),
    "finish": ("finish_score", "spoiled or unfinished", "too finished"),
}


def rules_for(name: str, step: StrictModel) -> list[Rule]:
    """The rules of a per-sample step; a step over the whole set (duplicates, select) has none."""
    return [rule for rule in _rules(name, step) if rule is not None]


def _rules(name: str, step: StrictModel) -> Iterator[Rule | None]:
    match step:
        case SizeStep():
            yield _at_least("min_side_px", step.min_side_px, "too small")
            yield _at_most("megapixels", step.max_megapixels, "too large")
        case AspectStep():
            yield _at_most("aspect_ratio", step.max_ratio, "too elongated")
        case ExposureStep():
            yield _at_least("content_luma_mean", step.min_luma, "too dark")
            yield _at_most("content_luma_mean", step.max_luma, "too bright")
            yield _at_most("dark_clip_ratio", step.max_dark_clip_ratio, "shadows are clipped")
            yield _at_most("bright_clip_ratio", step.max_bright_clip_ratio, "lights are burnt out")
        case BordersStep():
            yield _at_most("border_ratio", step.max_border_ratio, "framed or letterboxed")
            yield _at_most("edge_touch_ratio", step.max_edge_touch_ratio, "cut off by the frame")
        case OcrStep():
            yield _at_most("num_words", step.max_words, "too many words in the picture")
            yield _at_most("text_area_ratio", step.max_text_area_ratio, "too much of it is text")
            yield _at_most("num_date_stamps", step.max_date_stamps, "a date is printed into it")
        case UnsafeStep():
            yield _at_most("unsafe_prob", step.max_prob, "unsafe content")
        case ConceptStep():
            yield _at_least("concept_prob", step.min_prob, "shows no concept clearly")
        case PopularityStep():
            for rule in _range_rules(FIELD + step.field, "not popular", "too popular", step):
                yield dataclasses.replace(rule, keep_unknown=step.keep_unknown, within=step.within)
        case ColumnStep():
            for rule in _range_rules(step.name, "too low", "too high", step):
                yield dataclasses.replace(rule, keep_unknown=step.keep_unknown)
        case CaptionStep():
            yield _at_most("num_boilerplate", step.max_boilerplate, "its text is boilerplate")
            yield _at_least("num_caption_words", step.min_words, "its text says too little")
            yield _at_most("num_caption_words", step.max_words, "its text is too long")
            yield _at_most("caption_capitals_ratio", step.max_capitals_ratio, "its text shouts")
            yield _at_most("caption_repeated_ratio", step.max_repeated_ratio, "its text repeats itself")
        case ScorerStep():
            column = step.column or (step.columns[0] if step.columns else name)
            yield from _range_rules(column, "too low", "too high", step)
        case Range():
            yield from _range_rules(*RANGES[name], step)
            if isinstance(step, ColourfulnessStep):
                yield _at_most("grey_ratio", step.max_grey_ratio, "grey")
                yield _at_least("hue_spread_score", step.min_hue_spread, "monochrome or of a single tint")
                yield _at_most("cast_score", step.max_cast, "colour cast")
                yield _at_most("tint_ratio", step.max_tint_ratio, "one colour over all")


def _range_rules(column: str, below: str, above: str, step: Range) -> Iterator[Rule]:
    if step.min is not None:
        yield Rule(column, "min", below, step.min)
    if step.min_quantile is not None:
        yield _by_quantile(Rule(column, "min", below), step.min_quantile)
    if step.max is not None:
        yield Rule(column, "max", above, step.max)
    if step.max_quantile is not None:
        yield _by_quantile(Rule(column, "max", above), step.max_quantile)


def _by_quantile(rule: Rule, quantile: float | Literal["target"]) -> Rule:
    if quantile == TARGET:
        return dataclasses.replace(rule, is_target=True)
    return dataclasses.replace(rule, quantile=float(quantile))


def _at_least(column: str, threshold: float | None, reason: str) -> Rule | None:
    return None if threshold is None else Rule(column, "min", reason, float(threshold))


def _at_most(column: str, threshold: float | None, reason: str) -> Rule | None:
    return None if threshold is None else Rule(column, "max", reason, float(threshold))


def columns_of(rules: Sequence[Rule]) -> list[str]:
    """The columns that the rules read, each once."""
    return list(dict.fromkeys(rule.column for rule in rules))


def number(value: object) -> float:
    """A side-car value as a number; NaN for what is none, or none that a quantile could be taken of."""
    try:
        found = float(value) if isinstance(value, int | float | str) else np.nan
    except (ValueError, OverflowError):
        return np.nan
    return found if math.isfinite(found) else np.nan


def text_of(value: object) -> str | None:
    """A side-car value as a text; None for what says nothing. The class 0 and the answer False say something.

    A table that lacks some values makes floats of whole numbers: 3.0 is the class 3.
    """
    if value is None or value in ("", [], {}):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
