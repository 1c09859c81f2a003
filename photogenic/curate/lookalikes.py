"""Near-duplicates by embedding: of each group of look-alikes the best stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.curate.select import Floats, Ids, Ints, keepers_by
from photogenic.measures.cosine import Vectors, cosine_groups

BLOCK_ROWS = 10_000


def look_alikes(vectors: Vectors, scores: Floats, ids: Ids, min_cosine: float) -> tuple[Ints, Floats]:
    """For each row the row that stands for it (itself, or a better look-alike), and their cosine. [N], [N]

    vectors: [N, D] unit vectors. As with hashes, the ends of a chain need not look alike: a row goes only for
    one that is itself within `min_cosine` of it.
    """
    labels = cosine_groups(vectors, min_cosine)

    def near(rows: Ints, best: int) -> NDArray[np.bool_]:
        return np.asarray(vectors[rows].astype(np.float64) @ vectors[best].astype(np.float64) >= min_cosine)

    keeper = keepers_by(labels, near, scores, ids)
    starts = range(0, len(vectors), BLOCK_ROWS)  # in blocks: vectors may take most of the memory there is
    cosines = [_cosines(vectors, keeper, slice(start, start + BLOCK_ROWS)) for start in starts]
    return keeper, np.concatenate(cosines) if cosines else np.zeros(0)


def _cosines(vectors: Vectors, keeper: Ints, rows: slice) -> Floats:
    own, kept = vectors[rows].astype(np.float64), vectors[keeper[rows]].astype(np.float64)
    return np.asarray(np.einsum("nd,nd->n", own, kept))
