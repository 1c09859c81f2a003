from __future__ import annotations

import math

import pytest

from photogenic.evaluate.compare import Estimate
from photogenic.evaluate.marks import extent_of, interval, interval_track, number, p_value, percent, signed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (-3.14159, "-3.14"),
        (45.18, "45.2"),
        (999.6, "1000"),
        (12345.6, "12,346"),
        (0.00234, "0.00234"),
        (0.00001234, "1.2e-05"),
        (math.nan, "\N{EN DASH}"),
        (math.inf, "\N{EN DASH}"),
    ],
)
def test_three_digits_that_count(value: float, expected: str) -> None:
    assert number(value) == expected


def test_signs_are_always_told() -> None:
    assert signed(0.5) == "+0.500"
    assert signed(-0.5) == "\N{MINUS SIGN}0.500"
    assert signed(0.0) == "0"


def test_intervals_that_are_not_known_say_so() -> None:
    assert interval(Estimate(1.0, -math.inf, math.inf)) == "too few prompts for an interval"
    assert interval(Estimate(1.0, -1.0, 2.0)) == "\N{MINUS SIGN}1.00 to +2.00"


def test_shares_and_p_values() -> None:
    assert percent(0.675) == "68 %"
    assert percent(math.nan) == "\N{EN DASH}"
    assert p_value(0.0384) == "0.038"
    assert p_value(1e-9) == "< 0.001"


def test_a_track_has_zero_in_the_middle_and_stays_on_the_line() -> None:
    track = str(interval_track(Estimate(0.5, 0.25, 9.0), 1.0))
    assert "left: 61.75%; width: 35.25%" in track
    assert 'class="dot above" style="left: 73.50%"' in track
    assert "below" in str(interval_track(Estimate(-0.5, -0.7, -0.3), 1.0))
    assert "open" in str(interval_track(Estimate(0.1, -0.7, 0.9), 1.0))
    assert str(interval_track(Estimate(math.nan, math.nan, math.nan), 1.0)) == ""


def test_an_unbounded_interval_fills_the_line() -> None:
    estimate = Estimate(0.5, -math.inf, math.inf)
    assert extent_of([estimate]) == pytest.approx(0.55)
    assert "left: 3.00%; width: 94.00%" in str(interval_track(estimate, 0.55))
    assert extent_of([Estimate(0.0, 0.0, 0.0)]) == 1.0
