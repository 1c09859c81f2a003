"""The step `finish`: whether a photograph is a good, finished one, by forests over what its pixels say, and a
network of what they show.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from photogenic.core.records import Sample
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.curate.scorers import Scorer, Values, pixel_scorer


@cache
def finish_scorer() -> Scorer:
    """P(finished), the score, the weakest aspect. Pixels are measured again: scorers see no columns."""
    from photogenic.measures.darkroom import DARKROOM_FILE
    from photogenic.measures.finish import FILE

    columns = {"finish_prob": "float64", "finish_score": "float64", "finish_weakest": "string"}
    packages = [version(name) for name in ("numpy", "opencv-python-headless", "onnxruntime", "pillow")]
    learnt = [file_fingerprint(path) for path in (FILE, DARKROOM_FILE)]
    revision = fingerprint("finish 8", learnt, pixel_scorer().revision, packages)
    return Scorer("finish", measure_finish, columns, revision)


def measure_finish(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `finish_scorer`; null of a picture that is too small."""
    from photogenic.measures.finish import finish

    found = finish(data)
    if found is None:
        return dict.fromkeys(finish_scorer().columns)
    return {
        "finish_prob": found.probability,
        "finish_score": found.score,
        "finish_weakest": found.weakest,
    }
