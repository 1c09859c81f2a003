"""What the server refuses, as a status and two sentences: what happened, and what to do."""

from __future__ import annotations

from photogenic.core.errors import PhotogenicError


class Refusal(PhotogenicError):
    """Answered as {"error": what, "fix": fix} with `status`."""

    def __init__(self, status: int, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, self.what, self.fix)


def not_found(what: str) -> Refusal:
    """404: it is not there, or not for this person; nobody is told which."""
    return Refusal(404, f"There is no such {what}.")
