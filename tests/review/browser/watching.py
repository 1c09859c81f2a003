"""Waiting for what a page shows. Playwright's own `wait_for_function` needs eval, which the pages forbid."""

from __future__ import annotations

import time
from typing import Any

LONGEST_S = 120.0  # nothing takes so long, but a machine that is busy with much else

PAINTED = """() => {
  const canvases = [...document.querySelectorAll(".cell canvas")];
  return canvases.length > 0 && canvases.every((canvas) => canvas.width > 1);
}"""
STAGE = "document.querySelector('.half:last-of-type photo-stage, .picture photo-stage')"


def until(page: Any, script: str, expected: Any = None, *, limit_s: float = LONGEST_S) -> Any:
    """The script's value, as soon as it is `expected` (or anything true)."""
    end = time.monotonic() + limit_s
    while True:
        value = page.evaluate(script)
        if value == expected if expected is not None else value:
            return value
        assert time.monotonic() < end, f"{script} is still {value!r}, not {expected!r}"
        page.wait_for_timeout(40)


def current(page: Any) -> str | None:
    """The item whose picture stands on the large stage."""
    return page.evaluate(f"() => {STAGE}?.picture?.id ?? null")


def next_picture(page: Any, before: str | None) -> str:
    """The item on the stage once it is another one."""
    end = time.monotonic() + LONGEST_S
    while (now := current(page)) in (None, before):
        assert time.monotonic() < end, "no other picture came"
        page.wait_for_timeout(20)
    assert now is not None
    return now


def saved(page: Any) -> None:
    """Wait until the line in the bar says so."""
    page.locator(".saved[data-state=saved]", has_text="Saved").wait_for(timeout=1000 * LONGEST_S)
