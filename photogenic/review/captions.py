"""The caption of a needle: a writer's or a model's, or else the alt text, cleaned."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

TAG = re.compile(r"<[a-zA-Z/!][^>]*>")
URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
FILE_NAME = re.compile(r"\S+\.(?:jpe?g|png|gif|webp|avif|tiff?|bmp|hei[cf])", re.IGNORECASE)


class Caption(NamedTuple):
    text: str
    source: str  # alt_text | writer | model


def caption_for(alt_text: str | None, written: str | None = None, source: str = "writer") -> Caption:
    """What was written, word for word, and by whom; where nobody wrote, the cleaned alt text."""
    if written and written.strip():
        return Caption(written.strip(), source)
    return Caption(clean_alt_text(alt_text or ""), "alt_text")


def clean_alt_text(text: str) -> str:
    """`text` without markup, addresses and control characters; "" when nothing but a file's name is left.

    Words are never changed: a caption that is wrong stays wrong, for only a person could tell.
    """
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = URL.sub(" ", TAG.sub(" ", text))
    text = "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Co") else letter for letter in text)
    text = " ".join(text.split())
    return "" if FILE_NAME.fullmatch(text) else text
