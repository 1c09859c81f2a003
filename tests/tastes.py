"""Tastes that several tests share."""

from __future__ import annotations

from photogenic.measures.taste import Taste

# Somebody who keeps what is sharp, and listens to words in a picture, which a scorer of pixels cannot read.
SHARP = Taste(
    columns=("sharpness_score", "num_words"),
    means=(1.0, 0.0),
    scales=(0.25, 1.0),
    weights=(2.0, -3.0),
    bias=0.0,
    slope=1.0,
    offset=0.0,
    num_kept=20,
    num_dropped=30,
)
