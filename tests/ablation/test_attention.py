"""Which signals are listened to, on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from photogenic.ablation.attention import Listener, listen
from photogenic.core.errors import RunError

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
