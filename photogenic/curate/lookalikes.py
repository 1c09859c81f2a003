"""Near-duplicates by embedding: of each group of look-alikes the best stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.curate.select import Floats, Ids, Ints, keepers_by
from photogenic.measures.cosine import Vectors, cosine_groups


def look_alikes(vectors: Vectors, scores: Floats, ids: Ids, min_cosine: float) -> tuple[Ints, Floats]:
    """For each row the row that stands for it (itself, or a better look-alike), and their cosine. [N], [N]

    vectors: [N, D] unit vectors. As with hashes, the ends of a chain need not look alike: a row goes only for
    one that is itself within `min_cosine` of it.
    """
    labels = cosine_groups(vectors, min_cosine)

    def near(rows: Ints, best: int) -> NDArray[np.bool_]:
        return np.asarray(vectors[rows].astype(np.float64) @ vectors[best].astype(np.float64) >= min_cosine)

    keeper = keepers_by(labels, near, scores, ids)
    cosines = np.einsum("nd,nd->n", vectors.astype(np.float64), vectors[keeper].astype(np.float64))
    return keeper, cosines
