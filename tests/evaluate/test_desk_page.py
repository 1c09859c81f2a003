"""The lead's desk of a vote in a real Chromium: sign in, invite, a rater votes, the desk shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from review.browser.watching import until
from slow_line import Held, intercepted

from evaluate.test_poll import NUM_PAIRS, Server, begin, poll
from evaluate.test_vote_page import saved, serious, shown
from photogenic.evaluate.poll import Poll
from photogenic.web.people import invite

pytestmark = pytest.mark.browser
__all__ = ["poll"]  # a fixture


@pytest.fixture
def served(poll: Poll) -> Iterator[tuple[Server, str]]:
    """A server of the vote, and the lead's invite."""
    room, _, _ = begin(poll, 0)
    with room.database.writing() as connection:
        token = invite(connection, name="Lea", role="lead", lifetime_s=600).token
    room.database.close()
    server = Server(poll)
    yield server, token
    server.kill()


def watch(page: Any, troubles: list[str]) -> None:
    """Note what the page complains of, and whom it asks beside this server."""
    page.set_default_timeout(60_000)
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: None if here(request.url) else troubles.append(request.url))


def here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "blob:", "data:"))


def test_a_lead_invites_a_rater_and_sees_the_vote(served: tuple[Server, str], chromium: Any) -> None:
    server, token = served
    desk = chromium.new_context(
        base_url=server.origin, permissions=["clipboard-read", "clipboard-write"]
    ).new_page()
    troubles: list[str] = []
    watch(desk, troubles)
    desk.goto(f"/#invite={token}")
    desk.get_by_role("link", name="The lead's desk").click()
    desk.get_by_text("A pair is judged by 5 raters, each once: invite 5 more.").wait_for()

    desk.get_by_label("Name", exact=True).fill("Ann <i>Ash</i>")
    desk.keyboard.press("Enter")  # the proposed role is a rater's
    field = desk.get_by_label("Link for Ann <i>Ash</i>")
    link = field.input_value()
    assert link.startswith(f"{server.origin}/#invite=")
    assert "It works once, until " in desk.locator(".fresh-link").inner_text()
    assert field.evaluate("node => node === document.activeElement")
    desk.get_by_role("button", name="Copy").click()
    desk.get_by_text("Copied").wait_for()
    assert desk.evaluate("() => navigator.clipboard.readText()") == link
    desk.get_by_role("region", name="Links not used yet").get_by_role("row", name="Ann").wait_for()
    assert serious(desk) == []

    rater = chromium.new_context(base_url=server.origin).new_page()
    watch(rater, troubles)
    rater.goto(link)
    rater.get_by_role("heading", name="Hello, Ann <i>Ash</i>").wait_for()
    assert rater.get_by_role("link", name="The lead's desk").count() == 0
    rater.get_by_role("link", name="Visual appeal").click()
    shown(rater, 0)
    for done in (1, 2):
        rater.keyboard.press(str(done))
        shown(rater, done)
    saved(rater)

    desk.reload()
    row = desk.get_by_role("region", name="People").get_by_role("row", name="Ann")
    row.wait_for()
    # One of the two may have been an attention check, which is no pair that counts.
    assert row.locator("td").nth(1).inner_text() in (f"1 of {NUM_PAIRS}", f"2 of {NUM_PAIRS}")
    assert row.locator("td").nth(2).inner_text() == f"0 of {NUM_PAIRS}"
    assert desk.get_by_role("region", name="Links not used yet").get_by_role("row", name="Ann").count() == 0
    desk.get_by_text("invite 4 more").wait_for()

    desk.get_by_text("No votes have been counted yet.").wait_for()
    desk.get_by_role("button", name="Count the votes").click()
    desk.get_by_role("link", name="the verdict").click()
    desk.get_by_role("heading", name="What the raters say").wait_for()
    assert desk.evaluate("() => getComputedStyle(document.querySelector('main')).maxWidth") != "none"
    desk.go_back()
    desk.get_by_role("region", name="People").wait_for()
    assert serious(desk) == []

    desk.get_by_role("button", name="New link: Ann <i>Ash</i>").click()
    elsewhere = chromium.new_context(base_url=server.origin).new_page()
    watch(elsewhere, troubles)
    elsewhere.goto(desk.get_by_label("Link for Ann <i>Ash</i>").input_value())
    elsewhere.get_by_role("heading", name="Hello, Ann <i>Ash</i>").wait_for()
    elsewhere.get_by_text("2 decisions").wait_for()

    desk.get_by_role("button", name="Shut out: Ann <i>Ash</i>").click()
    desk.get_by_role("button", name="Let in again: Ann <i>Ash</i>").wait_for()
    assert desk.evaluate("() => document.activeElement.textContent") == "Let in again"
    rater.reload()
    rater.get_by_text("Open the link that the lead of your project sent you").wait_for()
    assert [line for line in troubles if "401" not in line] == []


def test_an_answer_that_is_out_of_date_is_not_shown(served: tuple[Server, str], chromium: Any) -> None:
    server, token = served
    desk = intercepted(chromium.new_context(base_url=server.origin).new_page())
    desk.set_default_timeout(60_000)
    desk.goto(f"/#invite={token}")
    desk.get_by_role("link", name="The lead's desk").click()
    desk.get_by_role("button", name="Close: Visual appeal").wait_for()
    standing = Held(desk, "**/standing")
    desk.get_by_role("button", name="Close: Visual appeal").click()
    standing.wait()
    older = standing.routes[0].fetch()
    desk.get_by_role("button", name="Close: Text faithfulness").click()
    standing.wait(2)
    standing.let_go(1)
    desk.get_by_role("button", name="Open again: Text faithfulness").wait_for()
    with desk.expect_response("**/standing"):
        standing.routes[0].fulfill(response=older)
    desk.wait_for_timeout(300)
    assert desk.get_by_role("button", name="Open again:").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_desk_can_be_used_by_everybody(
    served: tuple[Server, str], chromium: Any, scheme: str, width: int
) -> None:
    server, token = served
    context = chromium.new_context(
        base_url=server.origin, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    troubles: list[str] = []
    watch(page, troubles)
    page.goto(f"/#invite={token}")
    page.get_by_role("heading", name="Hello").wait_for()
    page.goto("/evaluate/lead")
    for name in ("Ann", "A rather long name of somebody"):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Make a link").click()
        page.get_by_label(f"Link for {name}").wait_for()
    until(page, "() => document.querySelectorAll('.questions .card').length", 2)
    assert serious(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Close: Visual appeal").click()
    page.get_by_role("button", name="Open again: Visual appeal").wait_for()
    assert serious(page) == []
    assert troubles == []
    context.close()
