from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from photogenic.review.config import ReviewConfig


def test_the_default_decides_by_score() -> None:
    assert ReviewConfig().decisions == "auto"
    assert ReviewConfig().by == "appeal_score"


def test_anything_but_auto_is_a_path() -> None:
    assert ReviewConfig.model_validate({"decisions": "my/needles"}).decisions == Path("my/needles")


@pytest.mark.parametrize(
    "values",
    [{"num_needles": 0}, {"by": {}}, {"by": {"clip_score": 0}}, {"by": {"clip_score": -1}}, {"keep": 5}],
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ReviewConfig.model_validate(values)


def test_the_dumped_configuration_reads_back() -> None:
    config = ReviewConfig(decisions=Path("a.csv"), by={"appeal_score": 2, "clip_score": 1}, balance="group")
    assert ReviewConfig.model_validate(config.model_dump(mode="json")) == config
