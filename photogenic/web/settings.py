"""What a server needs to know before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from photogenic.core.errors import RunError

DAY_S = 86_400.0
USUAL_PORTS = {"http": 80, "https": 443}


def origin_of(address: str) -> str:
    """The address as browsers name it in `Origin`: without a slash at its end, or the usual port.

    Raises:
        RunError: it is no address of a server.
    """
    try:
        parts = urlsplit(address.strip())
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in USUAL_PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise RunError(
            f"{address!r} is no address of a server.", "Write https://review.example.org or http://NAME:PORT."
        )
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, USUAL_PORTS[scheme]) else f"{scheme}://{host}:{port}"


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
        origins = tuple(origin_of(address) for address in self.origins)
        object.__setattr__(self, "origins", origins)
        object.__setattr__(self, "hosts", frozenset(urlsplit(origin).netloc for origin in origins))

    @property
    def is_https(self) -> bool:
        return any(origin.startswith("https://") for origin in self.origins)
