"""Whether a CLIP has anything to say about this pool. One that has not is left out with a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from photogenic.core.shards import read_json
from photogenic.curate.filters import Floats, Mask
from photogenic.curate.ledger import Ledger
from photogenic.curate.scorers import clip_scorer
from photogenic.curate.scores import Scores

MIN_PAIRS = 20
MAX_PAIRS = 256
NEEDED_RATIO = 0.6  # of 256 pairs by chance: 0.5 with a standard deviation of 0.03


def reason_to_skip(folder: Path, domain: str | None, ledger: Ledger, scores: Scores) -> str:
    """A sentence where the CLIP in `folder` does not fit the pool, "" where it does.

    Where the recipe names the pool's domain, it must be one of the CLIP's. Otherwise up to 256 samples are
    scored with their own text and with another sample's: a CLIP that fits prefers the own text.
    """
    name = folder.name
    if domain is not None:
        known = read_json(folder / "clip.json")["domain"]
        if domain in known:
            return ""
        return f"The CLIP of {name} knows {', '.join(known)}; the recipe says that these are {domain}."
    which = _pairs(ledger)
    if which.sum() < MIN_PAIRS:
        return f"Only {which.sum()} samples have a text: too few to tell whether the CLIP of {name} fits."
    ratio = preference(folder, ledger, scores, which)
    if ratio >= NEEDED_RATIO:
        return ""
    percent = f"{100 * ratio:.0f} % of {which.sum()} samples"
    return (
        f"The CLIP of {name} does not know what this pool shows: it prefers a picture's own text to another"
        f" one for {percent} (by chance 50 %, needed {100 * NEEDED_RATIO:.0f} %)."
    )


def preference(folder: Path, ledger: Ledger, scores: Scores, which: Mask) -> float:
    """Share of the samples whose own text scores higher than the next one's, 0-1; equal scores count half."""
    rows = np.flatnonzero(which)
    others = ledger.texts.copy()
    others[rows] = np.roll(ledger.texts[rows], 1)
    own = _scores(scores.fill(clip_scorer(folder), ledger, which).table)
    other = _scores(scores.fill(clip_scorer(folder, "clip_shuffled"), ledger, which, others).table)
    difference = (own - other)[rows]
    difference = difference[~np.isnan(difference)]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0))) if difference.size else 0.0


def _pairs(ledger: Ledger) -> Mask:
    """Up to 256 survivors with a text. Sample ids are hashes: their order is as good as random."""
    has_text = np.array([bool(text and text.strip()) for text in ledger.texts], dtype=bool)
    rows = np.flatnonzero(ledger.alive & has_text)
    which = np.zeros(len(ledger), dtype=bool)
    which[rows[np.argsort(ledger.ids[rows].astype(str))][:MAX_PAIRS]] = True
    return which


def _scores(table: pa.Table) -> Floats:
    return np.asarray(table["clip_score"].to_numpy(zero_copy_only=False), dtype=np.float64)
