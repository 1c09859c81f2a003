"""The studio's page in a real Chromium, over a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slow_line import Held, cut_off, cut_once, intercepted

from generate.test_studio import LIMITS, easel, settings
from photogenic.generate.studio.app import create_studio
from photogenic.generate.studio.easel import Easel

pytestmark = pytest.mark.browser
__all__ = ["easel"]  # a fixture


@pytest.fixture
def address(easel: Easel, tmp_path: Path) -> Iterator[str]:
    """Where a studio is served."""
    import uvicorn

    from photogenic.web.serve import listen

    listening = listen("127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_studio(easel, settings(tmp_path, origin), LIMITS)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield origin
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture
def troubles() -> list[str]:
    """What the page complains of; a test takes out what it provokes."""
    return []


@pytest.fixture
def page(chromium: Any, troubles: list[str]) -> Iterator[Any]:
    page = intercepted(chromium.new_page())
    page.set_default_timeout(120_000)
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    page.close()
    assert troubles == []


def test_a_prompt_is_drawn_and_drawn_again(address: str, page: Any) -> None:
    page.goto(address)
    page.fill("#prompt", "a cat")
    page.keyboard.press("Enter")
    page.locator(".save").nth(1).wait_for()
    seed = page.input_value("#seed")
    page.click("#lock")
    page.fill("#prompt", "a dog")
    page.fill("#size", "16")
    page.keyboard.press("Enter")
    page.locator("#history li").nth(1).wait_for()
    assert page.input_value("#seed") == seed
    dog = page.locator('.picture img[alt^="a dog"]').first
    assert dog.evaluate("(image) => image.naturalWidth") == 16
    page.locator("#history button").nth(1).click()
    page.locator('.picture img[alt^="a cat"]').nth(1).wait_for()
    assert page.input_value("#size") == "" and page.get_attribute("#size", "step") == "4"
    with page.expect_download() as download:
        page.locator(".save").first.click()
    assert download.value.suggested_filename == f"base-{seed}.png"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- slow lines ------------------------------------------------------------------------------------------

ASK: dict[str, Callable[[Any], None]] = {
    "by Enter": lambda page: page.keyboard.press("Enter"),
    "by the button": lambda page: page.click("#draw"),
}


@pytest.mark.parametrize("how", ASK)
@pytest.mark.parametrize("late", ["**/api/models", "**/studio/studio.js"])
def test_who_is_faster_than_the_page_is_heard(
    address: str, page: Any, troubles: list[str], late: str, how: str
) -> None:
    """The prompt is there to type in before the server has told of its models, or sent the page's script."""
    held = Held(page, late)
    page.goto(address, wait_until="commit")
    page.fill("#prompt", "a cat")
    ASK[how](page)
    held.wait()
    held.end()
    page.locator(".save").nth(1).wait_for()
    assert page.input_value("#prompt") == "a cat"
    assert page.url == f"{address}/"
    # Who types before the browser comes to the field's `autofocus` keeps the focus, and it notes that.
    troubles[:] = [words for words in troubles if not words.startswith("Autofocus processing was blocked")]


def test_pressed_twice_it_is_drawn_once_and_the_next_seed_stays(address: str, page: Any) -> None:
    page.goto(address)
    page.fill("#prompt", "a cat")
    jobs = Held(page, "**/api/jobs", "POST")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    jobs.wait()
    page.fill("#seed", "123")
    jobs.end()
    page.locator(".save").nth(1).wait_for()
    assert len(jobs.routes) == 1
    assert page.input_value("#seed") == "123"


def test_models_whose_answer_was_cut_off_are_asked_for_again(
    address: str, page: Any, troubles: list[str]
) -> None:
    with cut_off() as origin:
        cut_once(page, "**/api/models", origin)
        page.goto(address)
        page.get_by_role("alert").filter(has_text="The server cannot be reached.").wait_for()
    page.fill("#prompt", "a cat")
    page.keyboard.press("Enter")
    page.locator(".save").nth(1).wait_for()
    assert page.locator("#trouble").is_hidden()
    troubles[:] = [words for words in troubles if "net::ERR_" not in words]


def test_a_stream_that_is_refused_is_found_again_or_given_up(
    address: str, page: Any, troubles: list[str]
) -> None:
    """A browser that is refused does not try again; a studio that was started anew knows no jobs."""
    refusals = [502]
    page.route(
        "**/api/jobs/*/events",
        lambda route: route.fulfill(status=refusals.pop()) if refusals else route.continue_(),
    )
    page.goto(address)
    page.fill("#prompt", "a cat")
    page.keyboard.press("Enter")
    page.locator(".save").nth(1).wait_for()
    assert refusals == []

    refusals.append(502)
    page.route(
        "**/api/jobs/*",
        lambda route: route.fulfill(status=404, json={"error": "There is no such job.", "fix": ""}),
    )
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="this drawing is lost").wait_for()
    assert page.locator("#draw").is_visible()
    troubles[:] = [words for words in troubles if "Failed to load resource" not in words]
