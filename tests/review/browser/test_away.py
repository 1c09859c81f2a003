"""The server is away for longer than pictures are asked for in vain; then it is back, and pages go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .watching import PAINTED, current, next_picture, saved, until

pytestmark = pytest.mark.browser
GRID = [{"name": "Away", "screen": "grid", "overlap": 9, "relook_ratio": 0.0}]
LOUPE = [{"name": "Finest", "screen": "loupe", "keep": 4, "overlap": 9}]
AWAY_MS = 13_000  # a picture that the server refuses is given up after 11.7 s
SETTLED_MS = 500  # also: a screen cannot be submitted before it could be seen


def test_pages_go_on_by_themselves_when_the_server_is_back(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    finest, away = serve("finest", LOUPE), serve("away", GRID, 60)
    loupe = person(finest, "Lou", "specialist").new_page()
    loupe.goto(f"/review/loupe?queue={finest.queue('loupe')}")
    judged = [next_picture(loupe, None)]
    grid = person(away, "Gil", "generalist").new_page()
    grid.add_init_script("localStorage.setItem('photogenic.density', '20')")
    grid.goto(f"/review/grid?queue={away.queue('grid')}")
    until(grid, PAINTED)
    for server in (finest, away):
        server.kill()

    judge_what_was_fetched(loupe, judged)
    submitted = submit_what_was_fetched(grid)
    loupe.get_by_role("heading", name="Waiting for the server").wait_for()
    grid.wait_for_timeout(AWAY_MS)
    loupe.keyboard.press("x")  # nobody judges what nobody sees
    assert grid.locator(".cell[data-mark], .cell .cannot").count() == 0, "a server that is away marks nothing"
    grid.keyboard.press("Enter")
    grid.get_by_text("Some pictures are still coming").wait_for()

    for server in (finest, away):
        server.start()
    judged.append(next_picture(loupe, judged[-1]))
    assert loupe.locator(".half .empty").count() == 0
    loupe.keyboard.press("p")
    until(grid, PAINTED)
    submitted += grid.locator(".cell").count()
    grid.keyboard.press("Enter")
    for page in (loupe, grid):
        saved(page)
    assert decided(finest, loupe, "loupe") == judged
    assert len(set(decided(away, grid, "grid"))) == submitted


def judge_what_was_fetched(loupe: Any, judged: list[str]) -> None:
    """Until a picture is missing; `judged` begins with the one on the stage, each that follows is added."""
    while True:
        loupe.keyboard.press("p")
        loupe.wait_for_timeout(SETTLED_MS)  # what was on its way may still be decoded
        if (now := current(loupe)) is None:
            return
        judged.append(now)
        assert len(judged) < 12, "all that were claimed had been fetched"


def submit_what_was_fetched(grid: Any) -> int:
    """Until a screen has pictures that are missing; how many pictures were submitted."""
    submitted = 0
    grid.wait_for_timeout(SETTLED_MS)
    while grid.evaluate(PAINTED):
        assert submitted < 50, "all that were claimed had been fetched"
        submitted += grid.locator(".cell").count()
        grid.keyboard.press("Enter")
        grid.wait_for_timeout(SETTLED_MS)
    return submitted


def decided(served: Any, page: Any, screen: str) -> list[str]:
    """The items that this person has decided, in the order of the decisions."""
    events = served.get(page.context, f"/api/queues/{served.queue(screen)}/mine?limit=200")["events"]
    return [one["item_id"] for one in reversed(events) if one["kind"] == "decide" and not one["undone"]]
