"""Every page, both themes, both widths: no serious finding of axe, no sideways scrolling, nothing foreign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import patient
from .watching import PAINTED, next_picture, until

pytestmark = pytest.mark.browser
ROUNDS = [{"name": "Look", "screen": "grid", "overlap": 9}, {"name": "Later", "screen": "loupe"}]
LOUPE = [{"name": "Finest", "screen": "loupe", "keep": 4, "overlap": 9}]
PAGES = (
    "/",
    "/review/grid",
    "/review/lead",
    "/review/guidelines",
    "/review/adjudicate",
    "/review/loupe",
    "/api/docs",
)


def serious(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_every_page_can_be_used_by_everybody(
    serve: Callable[..., Any], chromium: Any, scheme: str, width: int
) -> None:
    look, finest = serve("look", ROUNDS), serve("finest", LOUPE)
    foreign: list[str] = []
    for path in PAGES:
        served = finest if path == "/review/loupe" else look
        context = patient(
            chromium.new_context(
                base_url=served.url,
                storage_state=served.lead.storage_state(),
                color_scheme=scheme,
                viewport={"width": width, "height": 720},
                reduced_motion="reduce",
            )
        )
        page = context.new_page()
        page.on(
            "request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None
        )
        screen = "loupe" if path == "/review/loupe" else "grid"
        page.goto(path if path == "/" else f"{path}?queue={served.queue(screen)}")
        settle(page, path)
        assert serious(page) == [], (path, scheme, width)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, (path, scheme)
        if path in ("/review/grid", "/review/loupe"):
            page.keyboard.press("?")
            page.get_by_role("heading", name="Keys").wait_for()
            assert serious(page) == [], (path, "keys", scheme, width)
        context.close()
    assert [url for url in foreign if not url.startswith("blob:")] == []


def settle(page: Any, path: str) -> None:
    if path == "/review/grid":
        until(page, PAINTED)
    elif path == "/review/loupe":
        next_picture(page, None)
    else:
        page.locator("#work h1, #work h2, main h1").first.wait_for()
        page.wait_for_load_state("networkidle")


def test_the_sign_in_page_says_what_is_wrong_with_a_link(serve: Callable[..., Any], chromium: Any) -> None:
    served = serve("look", ROUNDS)
    context = patient(chromium.new_context(base_url=served.url))
    page = context.new_page()
    page.goto("/#invite=not-a-real-one")
    page.get_by_role("alert").wait_for()
    assert "not-a-real-one" not in page.url
    assert serious(page) == []
    context.close()
