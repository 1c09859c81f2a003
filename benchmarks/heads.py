"""Where the answers of a network's head begin: as linear models of what its layers say already.

Learnt step by step from nothing, whether a picture stands upright would take far more pictures than learning
the rest on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from learning_network import Network
from lessons import FREE, NUM_USUAL, Lesson, Pictures
from numpy.typing import NDArray

from photogenic.measures.darkroom import ANSWERS, NUM_ASPECTS, POSTURES

NUM_DONE, NUM_INTACT, NUM_FURTHER = 4000, 1200, 1500  # pictures they learn from
RIDGES = (300.0, 1000.0, 3000.0, 10000.0)
STRENGTH = 0.003  # of logistic regression: scikit-learn's C
AT_ONCE = 16
Values = NDArray[np.float64]


def begin(network: Network, lesson: Lesson, seed: int) -> None:
    """Posture, format, and each of the further aspects."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    rng = np.random.default_rng(seed)
    pictures, _, postures, formats = lesson.done(NUM_DONE, rng)
    seen = features_of(network, pictures)
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6

    def put(name: str, weights: Values, bias: float) -> None:
        row, weights = ANSWERS.index(name), weights / spread
        with torch.no_grad():
            network.head.weight[row] = torch.from_numpy(weights).float()
            network.head.bias[row] = float(bias - weights @ mean)

    values, is_upright = (seen - mean) / spread, postures == POSTURES.index("upright")
    posture = LogisticRegression(C=STRENGTH, max_iter=300).fit(values, postures)
    for name, weights, bias in zip(POSTURES, posture.coef_, posture.intercept_, strict=True):
        put(name, weights, bias)
    ridge = RidgeCV(alphas=RIDGES).fit(values[is_upright], formats[is_upright])
    put("format", ridge.coef_, ridge.intercept_)
    rows = lesson.rows({FREE: NUM_INTACT, NUM_USUAL: NUM_FURTHER}, rng)
    values, aspects = (features_of(network, lesson.crops[rows]) - mean) / spread, lesson.aspects[rows]
    for number in range(NUM_USUAL, NUM_ASPECTS):
        asked = (aspects == FREE) | (aspects == number)
        model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced")
        model.fit(values[asked], aspects[asked] == FREE)
        put(f"aspect_{number}", model.coef_[0], model.intercept_[0])


def features_of(network: Network, pictures: Pictures) -> Values:
    """[N, S, S, 3] => what the head is given [N, F]"""
    found: list[Any] = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(pictures), AT_ONCE):
            batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + AT_ONCE]))
            found.append(network.seen(batch).numpy())
    return np.concatenate(found).astype(np.float64)
