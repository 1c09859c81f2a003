"""An aesthetic default that needs no model: how appealing a picture is by its pixel measures alone.

It asks what photographers ask: is it sharp, rightly exposed, clean and whole, and are its colours and
contrast vivid? Each question is a term between 0 and 1. The score is their product times ten, each term
leaving the share that TERMS says when it fails: one grave fault is not made up for by other merits.

The terms come from the literature. Their thresholds were searched for, in round numbers, on photographs
and spoiled copies of them, and tried on others: docs/measures.md has the table. The score sees no content:
a vivid, sharp picture of nothing scores well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import overload

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Number = float | Values  # of one picture, or of many: [N]
Columns = Mapping[str, Number]

MAX_SCORE = 10.0


def rising(values: Number, nothing: Number, full: Number) -> Number:
    """0 up to `nothing`, 1 from `full` on, smooth between; falling when `nothing` > `full`. NaN stays NaN."""
    share = _within_0_and_1((values - nothing) / (full - nothing))
    return share * share * (3 - 2 * share)


def _within_0_and_1(share: Number) -> Number:
    if isinstance(share, float):  # Python's own are ten times as fast as NumPy's, and give the same bits
        return min(max(share, 0.0), 1.0)
    within: Values = np.minimum(np.maximum(share, 0), 1)
    return within


def asked(columns: Columns, of_scenes: float, of_drawings: Number) -> Number:
    """A threshold: one for what fills its frame, as most photographs do, and a milder one for what stands on
    a plain ground, as most drawings do: their edges are softer, their colours louder, their whites paint.
    """
    share = columns["foreground_ratio"]
    if isinstance(share, float):
        return of_scenes if share >= 1 else of_drawings
    return np.where(share >= 1, of_scenes, of_drawings)


# ---- faults


def sharp(columns: Columns) -> Number:
    """Edges are crisp: what separates professional pictures best (Ke, Tang & Jing, The design of high-level
    features for photo quality assessment, 2006). From sigma = 0.5 px, about all that this size holds, to a
    blur of 1 px, which is plain to see.
    """
    return rising(columns["sharpness_score"], asked(columns, 1.0, 0.9), asked(columns, 2.0, 1.6))


def well_exposed(columns: Columns) -> Number:
    """The content is neither murky nor glaring (Datta et al., Studying aesthetics in photographic images,
    2006, f1), and the picture as a whole has some light.
    """
    content, picture = columns["content_luma_mean"], columns["luma_mean"]
    glaring, bright = asked(columns, 0.92, 0.99), asked(columns, 0.6, 0.65)
    return rising(content, 0.03, 0.2) * rising(content, glaring, bright) * rising(picture, 0.05, 0.2)


def unclipped(columns: Columns) -> Number:
    """Little of the content is burnt out or drowned in black. Black outlines and small highlights are no
    fault; lost shadows are forgiven sooner than lost lights, as photographers expose for the lights.
    """
    burnt = rising(columns["bright_clip_ratio"], asked(columns, 0.2, 0.4), asked(columns, 0.01, 0.03))
    return burnt * rising(columns["dark_clip_ratio"], 0.8, 0.3)


def clean(columns: Columns) -> Number:
    """No noise: 2 levels show in even areas, 10 everywhere."""
    return rising(columns["noise_score"], 10, 2)


def lightly_compressed(columns: Columns) -> Number:
    """No JPEG damage. Quality 75 is libjpeg's default and 10 ruins any picture; blocks that outlive a
    second save are seen in the pixels.
    """
    return rising(columns["jpeg_quality"], 10, 70) * rising(columns["blockiness_score"], 1.0, 0.2)


def whole(columns: Columns) -> Number:
    """A subject on a plain ground is not cut by the frame, and there are no bars around the picture."""
    return rising(columns["edge_touch_ratio"], 0.3, 0.02) * rising(columns["border_ratio"], 0.1, 0.02)


def white_lit(columns: Columns) -> Number:
    """No colour cast. A mild fault: evening light has one too."""
    return rising(columns["cast_score"], 16, 0)


def natural(columns: Columns) -> Number:
    """Colours are not forced. Beyond "extremely colourful" on the scale of Hasler & Suesstrunk (109) hardly
    any photograph goes by itself; drawings do.
    """
    return rising(columns["colourfulness_score"], asked(columns, 180, 300), asked(columns, 110, 200))


# ---- merits


def contrasty(columns: Columns) -> Number:
    """Blacks are black and whites are white: the middle 98 % of the histogram is wide (Ke, Tang & Jing,
    2006).
    """
    return rising(columns["contrast"], 0.1, 0.65)


def colourful(columns: Columns) -> Number:
    """Vivid, on the verbal scale of Hasler & Suesstrunk (2003): from not at all (0) to quite (59)."""
    return rising(columns["colourfulness_score"], 0, 60)


def composed(columns: Columns) -> Number:
    """A subject stands out from a plain ground and is no speck on it (Luo & Tang, Photo and video quality
    evaluation: focusing on the subject, 2008). Without a plain ground, half: the measures cannot say.
    """
    return asked(columns, 0.5, rising(columns["foreground_ratio"], 0.0, 0.2))


Term = Callable[[Columns], Number]

TERMS: tuple[tuple[Term, float], ...] = (  # and what is left of the score where the term is 0
    (sharp, 0.01),
    (well_exposed, 0.03),
    (unclipped, 0.3),  # white may be paint or paper
    (clean, 0.02),
    (lightly_compressed, 0.02),
    (whole, 0.05),
    (white_lit, 0.7),
    (natural, 0.1),
    (contrasty, 0.03),
    (colourful, 0.4),  # black and white has its place
    (composed, 0.85),
)


NEEDED_COLUMNS = (
    "sharpness_score",
    "content_luma_mean",
    "luma_mean",
    "bright_clip_ratio",
    "dark_clip_ratio",
    "noise_score",
    "jpeg_quality",
    "blockiness_score",
    "edge_touch_ratio",
    "border_ratio",
    "contrast",
    "colourfulness_score",
    "cast_score",
    "foreground_ratio",
)


@overload
def appeal_score(measures: Mapping[str, float]) -> float: ...
@overload
def appeal_score(measures: Mapping[str, Values]) -> Values: ...
def appeal_score(measures: Mapping[str, float] | Mapping[str, Values]) -> Number:
    """0-10 from the NEEDED_COLUMNS of `pixel.measure`: numbers for one picture, or arrays [N] for many.

    A missing column raises KeyError and NaN gives NaN: a score without its measures would be a guess.
    """
    columns = {name: _as_numbers(measures[name]) for name in NEEDED_COLUMNS}
    factors = [least + (1 - least) * term(columns) for term, least in TERMS]
    return MAX_SCORE * math.prod(factors)


def _as_numbers(values: Number) -> Number:
    return values if isinstance(values, float) else np.asarray(values, np.float64)
