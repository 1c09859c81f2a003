"""Where the answers of a network's head begin: as linear models of what its layers say already.

Learnt step by step from nothing, whether a picture stands upright would take far more pictures than learning
the rest on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from examples import ALL_ASPECTS, BY_FORMAT, INTACT, Pictures, Rng
from learning_network import Network
from lessons import Lesson
from numpy.typing import NDArray

from photogenic.measures.darkroom import ANSWERS, POSTURES

NUM_DONE, NUM_CROPS = 4000, 800  # pictures they learn from; intact ones, and of each aspect spoiled ones
RIDGES = (300.0, 1000.0, 3000.0, 10000.0)
STRENGTH = 0.003  # of logistic regression: scikit-learn's C
AT_ONCE = 16
Values = NDArray[np.float64]


def begin(network: Network, lesson: Lesson, seed: int) -> None:
    """Posture, format, and each aspect: those of them that it has not learnt yet."""
    rng, new = np.random.default_rng(seed), network.unlearnt
    if POSTURES[0] in new or "format" in new:
        _begin_with_photographs(network, lesson, rng)
    intact = None
    for number, kinds in enumerate(ALL_ASPECTS.values()):
        if f"aspect_{number}" not in new:
            continue
        if intact is None:
            intact = features_of(network, lesson.made([INTACT] * NUM_CROPS, rng))
        seen = [kind for kind in kinds if kind not in BY_FORMAT]
        spoiled = features_of(network, lesson.made(rng.choice(seen, NUM_CROPS).tolist(), rng))
        _begin_aspect(network, f"aspect_{number}", intact, spoiled)


def _begin_with_photographs(network: Network, lesson: Lesson, rng: Rng) -> None:
    """Posture and format."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    pictures, _, postures, formats = lesson.done(NUM_DONE, rng)
    seen = features_of(network, pictures)
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    values, is_upright = (seen - mean) / spread, postures == POSTURES.index("upright")
    posture = LogisticRegression(C=STRENGTH, max_iter=300).fit(values, postures)
    for name, weights, bias in zip(POSTURES, posture.coef_, posture.intercept_, strict=True):
        _put(network, name, weights / spread, bias, mean)
    ridge = RidgeCV(alphas=RIDGES).fit(values[is_upright], formats[is_upright])
    _put(network, "format", ridge.coef_ / spread, ridge.intercept_, mean)


def _begin_aspect(network: Network, name: str, intact: Values, spoiled: Values) -> None:
    from sklearn.linear_model import LogisticRegression

    seen, is_intact = np.concatenate([intact, spoiled]), np.arange(len(intact) + len(spoiled)) < len(intact)
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    model = LogisticRegression(C=STRENGTH, max_iter=300).fit((seen - mean) / spread, is_intact)
    _put(network, name, model.coef_[0] / spread, model.intercept_[0], mean)


def _put(network: Network, name: str, weights: Values, bias: float, mean: Values) -> None:
    row = ANSWERS.index(name)
    with torch.no_grad():
        network.head.weight[row] = torch.from_numpy(weights).float()
        network.head.bias[row] = float(bias - weights @ mean)


def features_of(network: Network, pictures: Pictures) -> Values:
    """[N, S, S, 3] => what the head is given [N, F]"""
    found: list[Any] = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(pictures), AT_ONCE):
            batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + AT_ONCE]))
            found.append(network.seen(batch).numpy())
    return np.concatenate(found).astype(np.float64)
