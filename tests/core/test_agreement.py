"""Agreement against the worked examples of those who proposed the measures."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogenic.core.agreement import Ratings, gwet_ac1, krippendorff_alpha, percent_agreement


def units(*observers: str) -> Ratings:
    """Observers' lines as printed in the papers ("." is missing) turned into one row per unit."""
    return [
        [None if label == "." else label for label in unit]
        for unit in zip(*map(str.split, observers), strict=True)
    ]


# Krippendorff (2011), section C: four observers, twelve units, missing data; also Gwet's cac.raw4raters.
FOUR_OBSERVERS = units(
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
TWO_OBSERVERS_BINARY = units("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")  # section A
TWO_OBSERVERS_NOMINAL = units("a a b b d c c c e d d a", "b a b b b c c c e d d d")  # section B


def test_krippendorff_2011_section_a() -> None:
    assert krippendorff_alpha(TWO_OBSERVERS_BINARY) == pytest.approx(0.095, abs=5e-4)


def test_krippendorff_2011_section_b() -> None:
    assert krippendorff_alpha(TWO_OBSERVERS_NOMINAL) == pytest.approx(0.692, abs=5e-4)


def test_krippendorff_2011_section_c() -> None:
    assert krippendorff_alpha(FOUR_OBSERVERS) == pytest.approx(0.743, abs=5e-4)


def test_krippendorff_alpha_by_coincidence_matrix() -> None:
    """The book's other road: o_ck = sum over units of pairs (c, k) / (m_u - 1)."""
    labels = sorted({str(label) for unit in FOUR_OBSERVERS for label in unit if label is not None})
    coincidence = np.zeros((len(labels), len(labels)))
    for unit in FOUR_OBSERVERS:
        given = [labels.index(str(label)) for label in unit if label is not None]
        for i, c in enumerate(given):
            for j, k in enumerate(given):
                if i != j:
                    coincidence[c, k] += 1 / (len(given) - 1)
    n_c = coincidence.sum(0)
    n = n_c.sum()
    agreed = np.trace(coincidence)
    expected = ((n - 1) * agreed - np.sum(n_c * (n_c - 1))) / (n * (n - 1) - np.sum(n_c * (n_c - 1)))
    assert krippendorff_alpha(FOUR_OBSERVERS) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("seed", "num", "raters", "alpha", "ac1", "percent"),
    [
        (1, 60, 3, -0.1084393063583815, 0.390891436900499, 0.523809523809524),
        (2, 200, 2, 0.08668426545521513, 0.440745775577942, 0.564885496183206),
        (3, 40, 5, -0.02837659480862298, 0.321657676037682, 0.488333333333333),
    ],
)
def test_figures_of_independent_implementations(
    seed: int, num: int, raters: int, alpha: float, ac1: float, percent: float
) -> None:
    """What krippendorff 0.9.0 (alpha) and irrCAC 0.4.4 (AC1, percent), of PyPI, gave for the same tables.

    Written down and not installed: irrCAC asks for an old SciPy that nothing else here works with.
    """
    rng = random.Random(seed)
    answers = (None, "keep", "drop", "unsure")
    table = [[rng.choices(answers, (20, 15, 55, 10))[0] for _ in range(raters)] for _ in range(num)]
    assert krippendorff_alpha(table) == pytest.approx(alpha, abs=1e-9)
    assert gwet_ac1(table) == pytest.approx(ac1, abs=1e-9)
    assert percent_agreement(table) == pytest.approx(percent, abs=1e-9)


def test_krippendorff_alpha_without_variation_is_undefined() -> None:
    assert math.isnan(krippendorff_alpha([["keep", "keep"], ["keep", "keep"]]))
    assert math.isnan(krippendorff_alpha([["keep", None]]))


def test_gwet_handbook_four_raters() -> None:
    # Published output of Gwet's R package irrCAC for cac.raw4raters: pa 0.8181818, pe 0.1903212, AC1 0.77544.
    assert percent_agreement(FOUR_OBSERVERS) == pytest.approx(0.8181818, abs=5e-8)
    assert gwet_ac1(FOUR_OBSERVERS) == pytest.approx(0.77544, abs=5e-6)


def test_gwet_2002_high_agreement_where_kappa_fails() -> None:
    # Gwet (2002), Statistical Methods for Inter-Rater Reliability Assessment 1: cells 118, 5, 2, 0.
    ratings = [["+", "+"]] * 118 + [["+", "-"]] * 5 + [["-", "+"]] * 2
    assert percent_agreement(ratings) == pytest.approx(0.944)
    chance = 2 * (243 / 250) * (7 / 250)
    assert gwet_ac1(ratings) == pytest.approx((0.944 - chance) / (1 - chance))
    assert gwet_ac1(ratings) == pytest.approx(0.941, abs=5e-4)
    assert krippendorff_alpha(ratings) < 0


def test_gwet_counts_the_categories_nobody_used() -> None:
    ratings = [["keep", "keep"], ["keep", "keep"]]
    assert math.isnan(gwet_ac1(ratings))
    assert gwet_ac1(ratings, categories=["keep", "reject"]) == 1.0


def test_gwet_refuses_an_unknown_category() -> None:
    with pytest.raises(ValueError, match="none of the categories"):
        gwet_ac1([["keep", "perhaps"]], categories=["keep", "reject"])


@given(st.lists(st.lists(st.sampled_from(["a", "b", None]), min_size=3, max_size=3), min_size=1, max_size=20))
def test_agreement_does_not_depend_on_the_order_of_raters_or_units(ratings: list[list[str | None]]) -> None:
    turned = [row[::-1] for row in ratings[::-1]]
    for statistic in (percent_agreement, krippendorff_alpha, gwet_ac1):
        assert statistic(turned) == pytest.approx(statistic(ratings), nan_ok=True)
