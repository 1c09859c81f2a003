"""The nouns of photogenic as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Locator:
    """Where original bytes lie: `member` inside the named `source`, `size_bytes` bytes from `offset`."""

    source: str
    member: str
    offset: int = 0
    size_bytes: int = -1  # -1: to the end of the member


@dataclass(frozen=True)
class Sample:
    """One image-text pair of the pool.

    `sample_id` comes from (source, member, key) and exists before a byte is read; `uid` is the SHA-256 of the
    original bytes and is filled at the first full read, so that equal bytes share a uid.
    """

    sample_id: str
    source: str
    member: str
    key: str
    alt_text: str = ""
    uid: str | None = None
    offset: int = 0
    size_bytes: int = -1
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def locator(self) -> Locator:
        return Locator(self.source, self.member, self.offset, self.size_bytes)


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One rater's answer to one question about one pair of pictures, left and right as they were shown.

    `answer` is left, right, or, without a preference, tie (visual_appeal), both or neither
    (text_faithfulness). A repeat shows a pair to the same rater once more, an attention check has a known
    answer (`expected`); neither counts in a comparison of models.
    """

    vote_id: str
    pair_id: str
    prompt_id: str
    prompt: str = ""
    category: str = ""
    challenge: str = ""
    question: str  # visual_appeal | text_faithfulness
    left_model: str
    right_model: str
    answer: str  # left | right | tie | both | neither
    rater: str
    rater_kind: str  # person | model: a model that votes is never called a person
    seconds: float | None = None  # from the painted pair to the answer
    is_repeat: bool = False
    is_attention_check: bool = False
    expected: str | None = None  # the right answer of an attention check

    @property
    def preferred(self) -> str | None:
        """The model whose picture was preferred; None for tie, both and neither."""
        return {"left": self.left_model, "right": self.right_model}.get(self.answer)
