"""The step `taste`: how likely reviewers would keep a picture, by what a review has learnt from them."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photogenic.core.records import Sample
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.curate.scorers import Scorer, Values, pixel_scorer

if TYPE_CHECKING:
    from photogenic.measures.taste import Taste


def taste_scorer(path: Path) -> Scorer:
    """P(keep) by the artefact at `path`, from pixel measures; what else it listens to counts as average.

    Raises:
        RunError: there is no taste at `path`, or it listens to no pixel measure.
    """
    from photogenic.measures.taste import load

    path = path.expanduser().resolve()
    taste = load(path)
    heard = taste.listens_to(pixel_scorer().columns)
    told = f"{path.name}, learnt from {taste.num_kept + taste.num_dropped} decisions"
    if others := sorted(set(taste.columns) - set(heard)):
        told += f"; of average: {', '.join(others)}"
    revision = fingerprint("taste 1", file_fingerprint(path), pixel_scorer().revision, version("numpy"))
    return Scorer("taste", measure_taste, {"taste_prob": "float64"}, revision, model=str(path), told=told)


def measure_taste(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `taste_scorer`. Pixels are measured again: scorers see no columns."""
    from photogenic.measures.appeal import appeal_score
    from photogenic.measures.decode import decode
    from photogenic.measures.pixel import measure

    measures = measure(decode(data, exact=False), data)
    return {"taste_prob": _taste(model).of_one(measures | {"appeal_score": appeal_score(measures)})}


@lru_cache(maxsize=4)
def _taste(path: str) -> Taste:
    from photogenic.measures.taste import load

    return load(Path(path))
