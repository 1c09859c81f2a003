"""What a server needs to know before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DAY_S = 86_400.0


@dataclass(frozen=True)
class Settings:
    """Where the data lie, and how long things last."""

    database_url: str  # sqlite:///… or postgresql://…
    folder: Path  # derivatives of pictures go below it
    title: str = "photogenic"
    origins: tuple[str, ...] = ("http://127.0.0.1:8000",)  # scheme://host[:port]; a write must come from one
    session_s: float = 14 * DAY_S
    invite_s: float = 7 * DAY_S
    lease_s: float = 900.0
    max_body_bytes: int = 2**20
    sign_ins_per_minute: int = 10  # of one address
    develops_ahead: bool = True  # whether a thread makes the pictures before they are asked for
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        hosts = frozenset(urlsplit(origin).netloc.lower() for origin in self.origins)
        object.__setattr__(self, "hosts", hosts)

    @property
    def is_https(self) -> bool:
        return any(origin.startswith("https://") for origin in self.origins)
