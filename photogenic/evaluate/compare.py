"""Models against models: estimates with intervals, paired by prompt and seed.

The pictures of one prompt resemble each other, so prompts, not pictures, are what is resampled, left out and
counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photogenic.core.statistics import (
    Interval,
    Tally,
    bootstrap_interval,
    holm,
    jackknife_interval,
    paired_bootstrap_interval,
    tally,
    wilson_interval,
)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
NUM_GROUPS = 20  # of the jackknife: enough for a steady spread, few enough for distances that take a second


@dataclass(frozen=True)
class Settings:
    """How intervals are made."""

    confidence: float
    num_resamples: int
    seed: int


@dataclass(frozen=True)
class Estimate:
    """A number with both ends of its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One measure of a model against the base, over pictures of the same prompt and seed."""

    difference: Estimate  # model - base
    prompts: Tally  # whose prompts' means are higher: wins for the model
    p_value: float  # exact sign test over prompts
    p_value_holm: float  # the same, adjusted for the other comparisons of its family
    num_pairs: int


def mean_estimate(values: Floats, prompt_ids: Sequence[str], settings: Settings) -> Estimate:
    """Mean of the known values; the interval resamples prompts."""
    values, prompt_ids = _known(values, prompt_ids)
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan)
    interval = bootstrap_interval(
        values,
        prompt_ids,
        seed=settings.seed,
        confidence=settings.confidence,
        num_resamples=settings.num_resamples,
    )
    return Estimate(float(values.mean()), *interval)


def share_estimate(
    hits: Floats | NDArray[np.bool_], prompt_ids: Sequence[str], settings: Settings
) -> Estimate:
    """Share of the known values [n] that are hits (1 or true); the interval resamples prompts.

    Where all are alike a bootstrap would be certain: there it is Wilson's over prompts.
    """
    values, prompt_ids = _known(hits.astype(np.float64), prompt_ids)
    found = mean_estimate(values, prompt_ids, settings)
    if found.mean not in (0.0, 1.0) or not math.isfinite(found.low):
        return found
    num = len(set(prompt_ids))
    return Estimate(found.mean, *wilson_interval(int(found.mean * num), num, settings.confidence))


def net_estimate(results: Floats, prompt_ids: Sequence[str], settings: Settings) -> Estimate:
    """(wins - losses) / n of results [n] that are 1, 0 or -1; the interval resamples prompts.

    Where all are alike, it is from Wilson's interval for the share of prompts that are not.
    """
    found = mean_estimate(results, prompt_ids, settings)
    if not math.isfinite(found.low) or np.ptp(results) > 0:
        return found
    unlike = wilson_interval(0, len(set(prompt_ids)), settings.confidence).high
    if found.mean == 0:
        return Estimate(0.0, -unlike, unlike)
    ends = (found.mean, found.mean * (1 - 2 * unlike))
    return Estimate(found.mean, min(ends), max(ends))


def compare(model: Floats, base: Floats, prompt_ids: Sequence[str], settings: Settings) -> Comparison:
    """Pair i is model[i], base[i]: the same prompt and seed. A pair that lacks a value is left out."""
    differences, prompt_ids = _known(model - base, prompt_ids)
    if not len(differences):
        return Comparison(Estimate(math.nan, math.nan, math.nan), Tally(0, 0, 0), 1.0, 1.0, 0)
    interval = paired_bootstrap_interval(
        differences,
        np.zeros(len(differences)),
        prompt_ids,
        seed=settings.seed,
        confidence=settings.confidence,
        num_resamples=settings.num_resamples,
    )
    prompts = tally(per_prompt(differences, prompt_ids))
    estimate = Estimate(float(differences.mean()), *interval)
    return Comparison(estimate, prompts, prompts.p_value, prompts.p_value, len(differences))


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons, with p-values for looking at all of them (Holm)."""
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [
        Comparison(old.difference, old.prompts, old.p_value, float(p), old.num_pairs)
        for old, p in zip(comparisons, adjusted, strict=True)
    ]


def per_prompt(values: Floats, prompt_ids: Sequence[str]) -> Floats:
    """Mean value of each prompt, prompts in order of first appearance."""
    numbers = _numbers(prompt_ids)
    return np.bincount(numbers, values) / np.bincount(numbers)


def set_estimate(
    statistic: Callable[[Rows], float], prompt_ids: Sequence[str], settings: Settings
) -> Estimate:
    """A statistic of a whole set of pictures, such as a distance; the interval leaves groups of prompts out.

    Args:
        statistic: from rows, sorted, to a number.
        prompt_ids: [n] prompt of each row.
    """
    numbers = _numbers(prompt_ids)
    rows = np.arange(len(prompt_ids), dtype=np.int64)
    mean = statistic(rows)
    num_groups = min(NUM_GROUPS, int(numbers.max(initial=-1)) + 1)
    if num_groups < 3 or not math.isfinite(mean):
        return Estimate(mean, -math.inf, math.inf)
    left_out = [statistic(rows[numbers % num_groups != group]) for group in range(num_groups)]
    if not np.all(np.isfinite(left_out)):
        return Estimate(mean, -math.inf, math.inf)
    interval: Interval = jackknife_interval(mean, left_out, confidence=settings.confidence)
    return Estimate(mean, *interval)


def _numbers(labels: Sequence[str]) -> Rows:
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], np.int64)


def _known(values: Floats, prompt_ids: Sequence[str]) -> tuple[Floats, list[str]]:
    known = np.isfinite(values)
    return values[known], [label for label, keep in zip(prompt_ids, known, strict=True) if keep]
