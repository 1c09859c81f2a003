"""The page on which people vote, in a real Chromium: one person answers by keys."""

from __future__ import annotations

import time
from typing import Any

import pytest
from review.browser.watching import until
from slow_line import Held, intercepted

from evaluate.test_poll import NUM_PAIRS, Server, begin, poll
from photogenic.core.records import Vote
from photogenic.evaluate.poll import Poll

pytestmark = pytest.mark.browser
__all__ = ["poll"]  # a fixture
SHOWN = """() => {
  const canvases = [...document.querySelectorAll(".pair:not(.next) canvas")];
  return canvases.length === 2 && canvases.every((canvas) => canvas.bitmap && canvas.width > 1);
}"""


def serious(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] != "minor"]


def shown(page: Any, done: int) -> None:
    """Wait until so many are answered and the next pair is painted."""
    end = time.monotonic() + 60
    while not (page.evaluate(SHOWN) and page.locator(".topbar .count").inner_text().startswith(f"{done} of")):
        assert time.monotonic() < end, f"pair {done + 1} did not come"
        page.wait_for_timeout(40)


def saved(page: Any) -> None:
    page.locator(".saved[data-state=saved]", has_text="Saved").wait_for(timeout=60_000)


def test_a_person_votes_by_keys(poll: Poll, chromium: Any) -> None:
    room, [appeal, faithfulness], [invite] = begin(poll, 1)
    server = Server(poll)
    try:
        context = chromium.new_context(base_url=server.origin, viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.set_default_timeout(60_000)
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"/#invite={invite}")
        page.get_by_role("heading", name="Hello").wait_for()

        page.goto("/evaluate/vote?queue=none")
        assert page.locator(".empty p").first.inner_text() == "This queue is closed, or it is not yours."
        assert page.title() == "Vote · photogenic"

        page.goto(f"/evaluate/vote?queue={appeal}")
        shown(page, 0)
        assert "prompt" not in page.locator(".question").inner_text()
        for done, key in enumerate(("1", "2", "0", "1"), 1):
            page.keyboard.press(key)
            shown(page, done)
        page.keyboard.press("Backspace")
        shown(page, 3)
        page.keyboard.press("2")
        shown(page, 4)
        saved(page)
        assert serious(page) == []

        page.set_viewport_size({"width": 360, "height": 720})
        page.emulate_media(color_scheme="dark")
        page.goto(f"/evaluate/vote?queue={faithfulness}")
        shown(page, 0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator(".question .caption").inner_text() != ""
        assert page.locator(".answers button").all_inner_texts()[0].startswith("Upper")
        assert serious(page) == []
        page.keyboard.press("3")
        shown(page, 1)
        page.get_by_role("button", name="Both").click()
        shown(page, 2)
        saved(page)
        assert troubles == []
    finally:
        server.kill()
    votes, _ = poll.conclude(room)
    room.database.close()
    assert answers(votes, "visual_appeal") == ["left", "right", "tie", "right"]
    assert answers(votes, "text_faithfulness") == ["neither", "both"]
    assert {vote.rater for vote in votes} == {"Rater 0"} and all(vote.seconds > 0 for vote in votes)


def test_a_server_that_was_away_for_long_stops_nobody(poll: Poll, chromium: Any) -> None:
    """The page says so, keeps what was answered, and goes on by itself with the pictures that it lacks."""
    room, [appeal, _], [invite] = begin(poll, 1)
    server = Server(poll)
    try:
        page = chromium.new_context(base_url=server.origin).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/#invite={invite}")
        page.get_by_role("heading", name="Hello").wait_for()
        page.route("**/images/**", lambda route: route.abort())
        page.goto(f"/evaluate/vote?queue={appeal}")
        page.locator(".saved", has_text="No server").wait_for()  # nothing is unsaved; pictures wait
        page.unroute("**/images/**")
        shown(page, 0)
        saved(page)
        server.kill()
        for key in "12":  # what was painted before can be answered; what was not waits for the server
            page.keyboard.press(key)
        page.wait_for_timeout(20_000)
        assert page.locator(".saved").get_attribute("data-state") != "saved"
        server.start()
        total = int(page.locator(".topbar .count").inner_text().split(" of ")[1])
        for _ in range(3 * total):  # repeats and checks come on top
            until(
                page, f"() => document.querySelector('.empty') !== null || Boolean(({SHOWN})())", limit_s=120
            )
            if page.locator(".empty").count():
                break
            page.keyboard.press("1")
            page.wait_for_timeout(60)
        page.get_by_role("heading", name="All done").wait_for()
        saved(page)
    finally:
        server.kill()
    votes, _ = poll.conclude(room)
    room.database.close()
    counted = [vote for vote in votes if not (vote.is_repeat or vote.is_attention_check)]
    assert len({vote.pair_id for vote in counted}) == len(counted) == NUM_PAIRS


def test_nothing_stands_there_to_be_answered_while_the_next_pairs_are_fetched(
    poll: Poll, chromium: Any
) -> None:
    room, [appeal, _], [invite] = begin(poll, 1)
    room.database.close()
    server = Server(poll)
    try:
        page = intercepted(chromium.new_context(base_url=server.origin).new_page())
        page.set_default_timeout(60_000)
        page.goto(f"/#invite={invite}")
        page.get_by_role("heading", name="Hello").wait_for()
        page.goto(f"/evaluate/vote?queue={appeal}")
        shown(page, 0)
        claims = Held(page, "**/claim")
        for done in range(1, 12):
            page.keyboard.press("1")
            shown(page, done)
        page.keyboard.press("1")
        assert page.locator(".pair:not(.next)").count() == 0, "the pair that was answered is still there"
        claims.wait()
        claims.end()
        shown(page, 12)
    finally:
        server.kill()


def answers(votes: list[Vote], question: str) -> list[str]:
    return [vote.answer for vote in votes if vote.question == question]
