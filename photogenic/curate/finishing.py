"""The step `finish`: whether a photograph is a good, finished one, by forests over what its pixels say."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from photogenic.core.records import Sample
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.curate.scorers import Scorer, Values, pixel_scorer


@cache
def finish_scorer() -> Scorer:
    """P(finished), and the finish score. Pixels are measured again: scorers see no columns."""
    from photogenic.measures.finish import FILE

    columns = {"finish_prob": "float64", "finish_score": "float64"}
    packages = (version("numpy"), version("opencv-python-headless"))
    revision = fingerprint("finish 2", file_fingerprint(FILE), pixel_scorer().revision, packages)
    return Scorer("finish", measure_finish, columns, revision)


def measure_finish(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `finish_scorer`; null of a picture that is too small."""
    from photogenic.measures.finish import finish

    probability, score = finish(data)
    return {"finish_prob": probability, "finish_score": score}
