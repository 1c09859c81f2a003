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


@dataclass(frozen=True)
class Verdict:
    """What a filter answers for one sample. `value` and `threshold` are what decided, where numbers did."""

    kept: bool
    reason: str = ""
    value: float | None = None
    threshold: float | None = None


KEEP = Verdict(kept=True)
