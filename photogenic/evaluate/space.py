"""The CLIP that gives the CLIP score, and whose image embeddings are the space of the distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError
from photogenic.core.weights import weights_folder

if TYPE_CHECKING:
    from photogenic.measures.clip_score import ClipScorer

Embeds = NDArray[np.float32]

MIN_PAIRS = 20
NEEDED_RATIO = 0.6  # of 256 pairs by chance: 0.5 with a standard deviation of 0.03
LEFT_OUT = "CLIP score, Frechet distance, CMMD and diversity are left out"


@dataclass(frozen=True)
class Space:
    """A CLIP under the name that numbers measured in it must carry."""

    name: str
    clip: ClipScorer

    def agreement(self, images: Embeds, texts: Sequence[str]) -> NDArray[np.float64]:
        """[n] CLIP score of image embeddings [n, D] with their texts, -100 to 100; NaN without a text.

        100 x cosine, as the funnel's column `clip_score`. Each text is embedded once.
        """
        unique = sorted({text for text in texts if text.strip()})
        scores = np.full(len(texts), np.nan)
        embeds = self.clip.embed_texts(unique).astype(np.float64)
        numbers = {text: number for number, text in enumerate(unique)}
        rows = [row for row, text in enumerate(texts) if text in numbers]
        wanted = embeds[[numbers[texts[row]] for row in rows]]
        scores[rows] = 100 * np.sum(images[rows].astype(np.float64) * wanted, axis=1)
        return scores


def open_space(name: str | None) -> tuple[Space | None, str]:
    """The CLIP's space, or None and the sentence that says why not."""
    if name is None:
        return None, f"{LEFT_OUT}: the recipe names no CLIP (evaluate.clip)."
    from photogenic.measures.clip_score import ClipScorer

    try:
        folder = weights_folder(name)
        clip = ClipScorer(folder)
    except MissingModelError as error:
        return None, f"{LEFT_OUT}: {error.what}"
    return Space(f"{folder.name} CLIP, {clip.config.size_px} px", clip), ""


def fits(space: Space, images: Embeds, captions: Sequence[str]) -> tuple[bool, str]:
    """(whether the CLIP fits, what to remark), judged by needles, whose captions are known.

    A CLIP that knows what such pictures show prefers a picture's own caption to another one's.

    Args:
        images: [n, D] embeddings of the needles.
        captions: [n].
    """
    others = np.array([_another(captions, row) for row in range(len(captions))], np.int64)
    rows = np.flatnonzero(others >= 0)
    if len(rows) < MIN_PAIRS:
        return True, f"Only {len(rows)} needles have captions: whether {space.name} fits was not checked."
    own = space.agreement(images, captions)[rows]
    other = space.agreement(images[rows], [captions[row] for row in others[rows]])
    ratio = float(np.mean((own > other) + 0.5 * (own == other)))
    if ratio >= NEEDED_RATIO:
        return True, ""
    return False, (
        f"{LEFT_OUT}: {space.name} does not know what the needles show. It prefers a needle's own caption"
        f" to another one for {100 * ratio:.0f} % of them; chance is 50 %, needed {100 * NEEDED_RATIO:.0f} %."
    )


def _another(captions: Sequence[str], row: int) -> int:
    """The next row that has another caption; -1 where this one has none or there is no other."""
    if not captions[row].strip():
        return -1
    for step in range(1, len(captions)):
        other = (row + step) % len(captions)
        if captions[other].strip() and captions[other] != captions[row]:
            return other
    return -1
