"""Which signals are listened to, on signals whose answer is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photogenic.ablation.attention import Listener, attention_scores, listen
from photogenic.ablation.choose import Haystack, choose
from photogenic.ablation.config import Attention, Chosen
from photogenic.core.errors import RunError
from photogenic.core.manifest import NEEDLES_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import write_table

RNG = np.random.default_rng(0)


def signals(num: int, shift: float) -> np.ndarray:
    """[num, 6]: the third rises with quality, the fifth falls, the last is padding, the rest is noise."""
    found = RNG.normal(size=(num, 6))
    found[:, 2] += shift
    found[:, 4] -= 2.0 * shift
    found[:, 5] = 0.0
    return found


def test_it_listens_to_what_tells_and_turns_it_the_right_way() -> None:
    listener = listen(signals(60, 2.0), signals(60, 0.0), num_signals=2)
    assert listener.signals == (4, 2)  # the one that tells more comes first
    assert listener.signs == (-1.0, 1.0)
    good, bad = (
        listener.score(signals(200, 2.0)),
        listener.score(signals(200, 0.0)),
    )  # others than it learnt from
    assert (good[:, None] > bad[None, :]).mean() > 0.95


def test_the_score_is_the_mean_of_standardised_signals() -> None:
    listener = Listener((0, 2), (1.0, -1.0), (1.0, 10.0), (2.0, 5.0))
    assert listener.score(np.array([[3.0, 99.0, 20.0], [1.0, 99.0, 10.0]])).tolist() == [
        pytest.approx((1.0 - 2.0) / 2),
        0.0,
    ]


def test_padding_is_never_listened_to() -> None:
    assert 5 not in listen(signals(60, 2.0), signals(60, 0.0), num_signals=6).signals


def test_where_nothing_tells_it_says_so() -> None:
    same = np.ones((10, 3))
    with pytest.raises(RunError, match="No word"):
        listen(same, same, 3)


def test_too_few_measured_pictures_have_no_two_ends(tmp_path: Path) -> None:
    few: Any = SimpleNamespace(worst_first=lambda: ["a", "b", "c"], by="appeal_score")
    with pytest.raises(RunError, match="3 pictures with `appeal_score` have no two ends"):
        attention_scores(Attention(), few, tmp_path, tmp_path)


def test_a_review_that_chose_nothing_is_said(tmp_path: Path) -> None:
    write_table(tmp_path / "review" / "needles.parquet", NEEDLES_SCHEMA.empty_table())
    with pytest.raises(RunError, match="Review chose no needles"):
        choose(Chosen(), Haystack(Run(tmp_path), None, "appeal_score", 0))
