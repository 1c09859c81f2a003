"""Culling by screens, with keys and with the mouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from .watching import PAINTED, saved, until

pytestmark = pytest.mark.browser
ROUNDS = [{"name": "Cull", "screen": "grid", "keep": 8, "overlap": 9, "relook_ratio": 0.0}]


@pytest.fixture
def grid(
    serve: Callable[..., Any], person: Callable[..., Any], request: pytest.FixtureRequest
) -> tuple[Any, Any]:
    """(server, page): the first screen of twenty, painted, for somebody who is new."""
    served = serve("cull", ROUNDS)
    page = person(served, request.node.name.replace("_", " "), "generalist").new_page()
    page.add_init_script("localStorage.setItem('photogenic.density', '20')")
    page.goto(f"/review/grid?queue={served.queue('grid')}")
    until(page, PAINTED)
    page.wait_for_timeout(400)  # a screen cannot be submitted before it could be seen
    return served, page


def marks(page: Any) -> list[str]:
    return page.evaluate(
        "() => [...document.querySelectorAll('.cell')].map((cell) => cell.dataset.mark ?? '')"
    )


def decisions(served: Any, page: Any) -> list[dict[str, Any]]:
    events = served.get(page.context, f"/api/queues/{served.queue('grid')}/mine?limit=100")["events"]
    return [event for event in events if event["kind"] == "decide" and not event["undone"]]


def waver(served: Any, page: Any) -> None:
    """Decide what is left and take it back, until the newest events of one answer hold nothing else."""
    queue = served.queue("grid")
    items = served.post(page.context, f"/api/queues/{queue}/claim", {"count": 4})["items"]
    told: list[dict[str, Any]] = []
    for item in 8 * items:
        where = {"queue_id": queue, "item_id": item["id"], "client_at": "2026-11-22T12:00:00Z"}
        decided, taken_back = str(uuid4()), str(uuid4())
        told += [
            {"event_id": decided, "kind": "decide", "body": {"verdict": "keep"}, **where},
            {"event_id": taken_back, "kind": "undo", "body": {"event_id": decided}, **where},
        ]
    assert len(told) > 60
    answer = served.post(page.context, "/api/events", {"events": told})
    assert answer["refused"] == []


def test_a_screen_is_culled_by_keys(grid: tuple[Any, Any]) -> None:
    served, page = grid
    for key in ("p", "ArrowRight", "p", "x", "u"):
        page.keyboard.press(key)
    assert marks(page)[:6] == ["keep", "", "keep", "drop", "unsure", ""]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("p")
    assert Counter(marks(page)) == {"": 13, "keep": 5, "drop": 1, "unsure": 1}
    assert "5 keep · 14 drop · 1 unsure" in page.locator(".tally").inner_text()
    first = page.locator("#cell-0").get_attribute("aria-label")
    page.keyboard.press("Enter")
    until(page, "() => document.querySelectorAll('.cell').length", 4)
    saved(page)
    told = decisions(served, page)
    assert Counter(one["body"]["verdict"] for one in told) == {"keep": 5, "drop": 14, "unsure": 1}
    assert sum(one["body"].get("bulk", False) for one in told) == 13
    assert first is not None
    assert first.startswith("1. Kept.")


def test_a_screen_is_culled_by_mouse(grid: tuple[Any, Any]) -> None:
    served, page = grid
    page.locator("#cell-2").click()
    page.locator("#cell-6").click(modifiers=["Shift"])
    page.locator("#cell-4").click()
    assert marks(page)[:8] == ["", "", "keep", "keep", "", "keep", "keep", ""]
    page.get_by_role("button", name="Mark rejects").click()
    page.locator("#cell-10").click()
    assert marks(page)[10] == "drop"
    page.get_by_role("button", name="Submit screen").click()
    until(page, "() => document.querySelectorAll('.cell').length", 4)
    saved(page)
    assert Counter(one["body"]["verdict"] for one in decisions(served, page)) == {"keep": 19, "drop": 1}


def test_undo_takes_back_marks_and_then_whole_screens(grid: tuple[Any, Any]) -> None:
    served, page = grid
    page.keyboard.press("p")
    page.keyboard.press("p")
    page.keyboard.press("Backspace")
    assert marks(page)[:2] == ["keep", ""]
    page.keyboard.press("Enter")
    until(page, "() => document.querySelectorAll('.cell').length", 4)
    saved(page)
    assert len(decisions(served, page)) == 20
    page.keyboard.press("Control+z")
    until(page, "() => document.querySelectorAll('.cell').length", 20)
    until(page, PAINTED)
    assert marks(page)[:2] == ["keep", ""]
    saved(page)
    assert decisions(served, page) == []


def test_after_a_reload_the_last_screen_can_still_be_taken_back(grid: tuple[Any, Any]) -> None:
    served, page = grid
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    saved(page)
    waver(served, page)
    page.reload()
    until(page, PAINTED)
    page.keyboard.press("Backspace")
    until(page, "() => document.querySelectorAll('.cell').length", 20)
    saved(page)
    assert decisions(served, page) == []


def test_the_bar_says_that_pictures_wait_for_the_server(grid: tuple[Any, Any]) -> None:
    _, page = grid
    no_server = page.locator(".saved", has_text="No server")
    page.route("**/images/**", lambda route: route.abort())
    page.reload()
    no_server.wait_for()
    page.keyboard.press("e")
    page.wait_for_timeout(1500)  # the large view asks in vain too
    page.keyboard.press("g")
    page.wait_for_timeout(2000)  # it wants nothing any more, but the cells still wait
    assert no_server.is_visible()
    page.unroute("**/images/**")
    until(page, PAINTED)
    saved(page)
    page.route("**/images/*/screen", lambda route: route.abort())
    page.keyboard.press("e")
    no_server.wait_for()
    page.unroute("**/images/*/screen")
    until(page, "() => document.querySelector('.large photo-stage').picture?.id")
    saved(page)


def test_a_picture_of_the_screen_is_looked_at_closely(grid: tuple[Any, Any]) -> None:
    _, page = grid
    page.keyboard.press("e")
    first = until(page, "() => document.querySelector('.large photo-stage').picture?.id")
    page.keyboard.press("p")
    until(page, f"() => document.querySelector('.large photo-stage').picture?.id !== {first!r}")
    page.keyboard.press("z")
    assert page.evaluate("() => document.querySelector('.large photo-stage').view.zoomed")
    page.keyboard.press("g")
    assert page.locator(".large").is_hidden()
    assert marks(page)[0] == "keep"
