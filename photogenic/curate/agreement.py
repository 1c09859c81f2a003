"""Whether a CLIP has anything to say about this pool. One that has not is left out with a sentence."""

from __future__ import annotations

import numpy as np

from photogenic.curate.config import AestheticStep, ClipScoreStep, ConceptStep, DuplicatesStep
from photogenic.curate.filters import Floats
from photogenic.curate.judging import Rows, take_vectors
from photogenic.curate.ledger import Ledger
from photogenic.curate.neural import (
    Vectors,
    clip_model,
    embedding_model,
    image_scorer,
    text_scorer,
)
from photogenic.curate.scorers import Scorer
from photogenic.curate.scores import Scores
from photogenic.measures.clip_score import read_clip_config
from photogenic.measures.hub import ModelFolder

MIN_PAIRS = 20
MAX_PAIRS = 256
NEEDED_RATIO = 0.6  # of 256 pairs by chance: 0.5 with a standard deviation of 0.03

NeuralStep = ClipScoreStep | AestheticStep | ConceptStep | DuplicatesStep


def reason_to_skip(step: NeuralStep, domain: str | None, ledger: Ledger, scores: Scores) -> str:
    """A sentence where the step's CLIP does not fit the pool, "" where it does.

    Where the recipe names the pool's domain and the model its own, they must agree. Otherwise up to 256
    samples are scored with their own text and with another sample's: a CLIP that fits prefers the own text. A
    step that reads no text takes a model that names no domain as the recipe's choice.
    """
    reads_text = isinstance(step, ClipScoreStep)
    model = clip_model(step.model) if isinstance(step, ClipScoreStep) else embedding_model(step)
    if model is None:
        return ""
    known = read_clip_config(model.path).domain
    if known and domain is not None:
        if domain in known:
            return ""
        knows = f"The CLIP of {_name(model)} knows {', '.join(known)}"
        return f"{knows}; the recipe says that these are {domain}."
    if not known and not reads_text:
        return ""
    return _reason_by_texts(model, ledger, scores)


def _reason_by_texts(model: ModelFolder, ledger: Ledger, scores: Scores) -> str:
    rows = ledger.some_with_text(MAX_PAIRS)
    if len(rows) < MIN_PAIRS:
        too_few = f"Only {len(rows)} samples have a text: too few to tell whether the CLIP of"
        return f"{too_few} {_name(model)} fits."
    ratio = preference(model, ledger, scores, rows)
    if ratio >= NEEDED_RATIO:
        return ""
    percent = f"{100 * ratio:.0f} % of {len(rows)} samples"
    return (
        f"The CLIP of {_name(model)} does not know what this pool shows: it prefers a picture's own text to"
        f" another one for {percent} (by chance 50 %, needed {100 * NEEDED_RATIO:.0f} %)."
    )


def preference(model: ModelFolder, ledger: Ledger, scores: Scores, rows: Rows) -> float:
    """Share of the samples whose own text scores higher than the next one's, 0-1; equal scores count half."""
    (of_images, images), (of_texts, texts) = (
        _vectors(scorer(model), ledger, scores, rows) for scorer in (image_scorer, text_scorer)
    )
    both, with_image, with_text = np.intersect1d(of_images, of_texts, return_indices=True)
    if not both.size:
        return 0.0
    images, texts = images[with_image], texts[with_text]
    difference = _products(images, texts) - _products(images, np.roll(texts, 1, axis=0))
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def _vectors(scorer: Scorer, ledger: Ledger, scores: Scores, rows: Rows) -> tuple[Rows, Vectors]:
    who = ledger.among(rows)
    scores.attach(scorer, ledger, who)
    return take_vectors(scorer, ledger, who)


def _products(images: Vectors, texts: Vectors) -> Floats:
    return np.asarray((images.astype(np.float64) * texts).sum(axis=1), dtype=np.float64)


def _name(model: ModelFolder) -> str:
    return model.path.name if model.path.is_dir() and model.path.name in model.name else model.name
