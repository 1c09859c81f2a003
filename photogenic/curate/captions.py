"""Whether the text that came with a picture is a caption: how long it is, and what no caption says."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from photogenic.core.records import Sample
from photogenic.core.shards import fingerprint
from photogenic.curate.scorers import Scorer, Values

WORD = re.compile(
    r"[^\W_]+(?:['\u2019-][^\W_]+)*"
)  # letters and digits, also with an apostrophe or hyphen inside

# Things that stand where a caption should: each counts once, however often it is there.
BOILERPLATE = {
    "agency": r"\b(?:stock (?:photo|image|picture|vector|illustration|footage)s?|royalty[- ]free"
    r"|shutterstock|istock(?:photo)?|getty images|alamy|dreamstime|adobe stock|depositphotos)\b",
    "file name": r"\b[\w-]+\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|heic)\b",
    "camera's name": r"^\W*(?:img|dsc[fn]?|pict?|p|dcim|screenshot|photo|image|picture)[\W_]*\d[\W\d_]*$",
    "address": r"\bhttps?://|\bwww\.|\b[\w.-]+@[\w-]+\.\w+",
    "markup": r"&(?:nbsp|amp|quot|lt|gt|#\d+);|</?(?:a|b|br|div|em|i|img|p|span|strong)\b[^>]*>",
    "advertisement": r"\b(?:click (?:here|to)|buy now|free shipping|add to cart|for sale"
    r"|download (?:free|now)|all rights reserved|image not available|no image)\b|©",
}
_PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in BOILERPLATE.values()]

COLUMNS = {
    "num_caption_words": "int32",
    "num_boilerplate": "int32",
    "caption_capitals_ratio": "float64",
    "caption_repeated_ratio": "float64",
}


def measure_text(text: str) -> Values:
    """Number of words, of kinds of boilerplate, share of capitals among letters, share of repeated words.

    The shares are None where there are fewer than four letters, or words: `UFO` does not shout.
    """
    words = [word.lower() for word in WORD.findall(text)]
    cased = [letter for letter in text if letter.isupper() or letter.islower()]
    capitals = sum(letter.isupper() for letter in cased)
    return {
        "num_caption_words": len(words),
        "num_boilerplate": sum(pattern.search(text) is not None for pattern in _PATTERNS),
        "caption_capitals_ratio": capitals / len(cased) if len(cased) > 3 else None,
        "caption_repeated_ratio": 1 - len(set(words)) / len(words) if len(words) > 3 else None,
    }


@cache
def caption_scorer() -> Scorer:
    """`measure_text` of the sample's own text; no picture is read."""
    revision = fingerprint("caption 1", BOILERPLATE, WORD.pattern)
    return Scorer(
        "caption",
        measure_caption,
        dict(COLUMNS),
        revision,
        basis="text",
        samples_per_task=512,
        reads_bytes=False,
    )


def measure_caption(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `caption_scorer`."""
    return measure_text(sample.alt_text)
