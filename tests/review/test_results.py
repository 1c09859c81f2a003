"""What the lead is told of each annotator."""

from __future__ import annotations

import pytest

from photogenic.review.results import agreement_of_each


def test_agreement_of_each_with_the_others() -> None:
    said = [
        {"ada": "keep", "bo": "keep", "cy": "drop"},  # ada: 1 of 2, bo: 1 of 2, cy: 0 of 2
        {"ada": "drop", "bo": "drop"},  # both 1 of 1
        {"cy": "keep", "ada": "unsure"},  # both 0 of 1
        {"di": "keep"},  # nobody to agree with
    ]
    assert agreement_of_each(said) == pytest.approx({"ada": 2 / 4, "bo": 2 / 3, "cy": 0 / 3})
