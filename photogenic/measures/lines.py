"""Edges and slopes against the frame: what tells a tilt. `finish.py` judges them, none is a verdict.

Upright and level edges are many in what people build; of a tilted picture they lean, all by the same angle.
A horizon without an edge shows in the slopes of the blurred picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.families import Family, gathered
from photogenic.measures.vision import Rgb, opencv

Floats = NDArray[np.float64]

LEANING_DEGREES, MOST_DEGREES = 5, 22
COARSE_SIGMA_PX = 6.0
EDGE_SIGMA_PX, AROUND_SIGMA_PX = 1.0, 2.0  # before the slopes, and of the place in which they have to agree
STRAIGHT, LEAST_POWER = 0.8, 2.0  # agreement of the slopes, and their mean square, of what is an edge
BIN_DEGREES = 2

LINE_COLUMNS = (
    "coarse_level",
    "coarse_leaning",
    "coarse_one_sided",
    "coarse_along",
    "coarse_lean",
    "turns_2",
    "turns_2_off",
    "turns_4",
    "turns_4_off",
    "turns_8",
    "turns_8_off",
    "turns_12",
    "edges_exact",
    "edges_one_sided",
    "edges_lean",
    "edges_lean_share",
    "edges_lean_by_exact",
)


def lines(rgb: Rgb) -> dict[str, float]:
    """All LINE_COLUMNS of [H, W, 3] at the canonical size."""
    grey = opencv().cvtColor(rgb, opencv().COLOR_RGB2GRAY)
    return gathered(coarse(grey), fine(grey.astype(np.float32)))


def one_sided(lean: Floats, weights: Floats) -> float:
    """Perspective leans to both sides alike, a tilt to one."""
    leaning = (np.abs(lean) > 3) & (np.abs(lean) < MOST_DEGREES)
    return float(abs((np.sign(lean) * weights)[leaning].sum()))


def coarse(grey: NDArray[np.uint8]) -> Family:
    """Directions of the slopes of a picture without detail."""
    cv = opencv()
    smooth = cv.GaussianBlur(grey[::2, ::2].astype(np.float32), (0, 0), COARSE_SIGMA_PX / 2)
    across, down = cv.Sobel(smooth, cv.CV_32F, 1, 0), cv.Sobel(smooth, cv.CV_32F, 0, 1)
    strength = np.hypot(across, down).astype(np.float64)
    lean = np.degrees(np.arctan2(down, across)) % 180 - 90
    total = strength.sum() + 1
    yield "coarse_level", strength[np.abs(lean) < 3].sum() / total
    yield (
        "coarse_leaning",
        strength[(np.abs(lean) >= LEANING_DEGREES) & (np.abs(lean) < MOST_DEGREES)].sum() / total,
    )
    yield "coarse_one_sided", one_sided(lean, strength) / total
    power = np.square(strength)
    turned = (power * np.exp(2j * np.radians(lean))).sum() / (power.sum() + 1)
    yield "coarse_along", np.abs(turned)
    yield "coarse_lean", abs((np.degrees(np.angle(turned)) / 2 + 45) % 90 - 45)


def fine(grey: NDArray[np.float32]) -> Family:
    """Directions of all edges, short ones too, by the structure tensor: how often they come round.

    A term that turns 4, 8 or 12 times in a circle is positive where edges are upright and level, and has a
    part off that (its sign is the side) where they lean.
    """
    cv = opencv()
    smooth = cv.GaussianBlur(grey, (0, 0), EDGE_SIGMA_PX)
    across, down = (cv.Scharr(smooth, cv.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (
        cv.GaussianBlur(product, (0, 0), AROUND_SIGMA_PX)[::2, ::2]
        for product in (across * across, down * down, across * down)
    )
    power, twice = xx + yy, (xx - yy) + 2j * xy  # twice the angle
    along = np.abs(twice)
    agreement = along / (power + np.float32(0.05))
    weights = np.square(agreement) * np.sqrt(power)
    total, direction = weights.sum() + 1e-3, twice / (along + np.float32(1e-6))
    by_turns = {2: direction, 4: direction**2}
    by_turns[8] = by_turns[4] ** 2
    by_turns[12] = by_turns[8] * by_turns[4]
    for turns, values in by_turns.items():
        mean = (weights * values).sum() / total
        yield f"turns_{turns}", mean.real
        if turns < 12:
            yield f"turns_{turns}_off", abs(mean.imag)
    is_edge = (agreement > STRAIGHT) & (power > LEAST_POWER)
    yield from edge_lean(np.degrees(np.angle(twice[is_edge])) / 2, np.sqrt(power[is_edge]))


def edge_lean(degrees: NDArray[np.float32], weights: NDArray[np.float32]) -> Family:
    """Which lean most edges have, off upright or level, and how many have none."""
    lean = (degrees + 45) % 90 - 45
    counts = np.histogram(lean, bins=90 // BIN_DEGREES, range=(-45, 45), weights=weights)[0]
    counts = np.convolve(np.pad(counts, 1, mode="wrap"), (0.5, 1, 0.5), "valid")
    at = np.arange(-45 + BIN_DEGREES / 2, 45, BIN_DEGREES)
    total, leans = counts.sum() + 12, (np.abs(at) > LEANING_DEGREES) & (np.abs(at) < MOST_DEGREES)
    most = int(np.where(np.abs(at) < MOST_DEGREES, counts, -1).argmax())
    yield "edges_exact", counts[np.abs(at) < 3].sum() / total
    yield "edges_one_sided", abs((np.sign(at) * counts)[leans].sum()) / total
    yield "edges_lean", abs(at[most])
    yield "edges_lean_share", counts[most] / total
    yield "edges_lean_by_exact", np.log2((counts[most] + 5) / (counts[np.abs(at) < 2].sum() + 5))
