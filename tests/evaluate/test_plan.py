from __future__ import annotations

import pytest

from photogenic.core.errors import PhotogenicError
from photogenic.evaluate.plan import plan


def test_a_plan() -> None:
    told = plan(0.6, tie_ratio=0.3)
    assert "194 prompts that do not tie" in told
    assert "278 prompts, if 30% of them tie" in told
    assert "visual_appeal: 5 raters a pair, 1,390 votes" in told
    assert "text_faithfulness: 3 raters a pair, 834 votes" in told
    assert "60.0% becomes 68.3%" in told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"win_rate": 0.5}, "no difference"),
        ({"win_rate": 1.0}, "0 and 1"),
        ({"win_rate": 0.6, "tie_ratio": 1.0}, "ties"),
    ],
)
def test_nothing_to_plan(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(PhotogenicError, match=said):
        plan(**wrong)
