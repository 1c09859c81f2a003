"""The lead's desk: invitations, what has been done, guidelines, disagreements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import patient
from .test_look import serious
from .watching import next_picture, saved, until

pytestmark = pytest.mark.browser
ROUNDS = [{"name": "Two see each", "screen": "loupe", "keep": 6, "overlap": 2}]


@pytest.fixture
def served(serve: Callable[..., Any]) -> Any:
    return serve("lead", ROUNDS)


def test_a_person_who_is_invited_signs_in_and_works(served: Any, chromium: Any) -> None:
    desk = served.lead.new_page()
    desk.goto("/review/lead")
    desk.get_by_label("Name").fill("Zoë <b>Young</b>")
    desk.get_by_label("Role").select_option("specialist")
    desk.get_by_role("button", name="Make a link").click()
    link = desk.get_by_label("Link for Zoë <b>Young</b>").input_value()
    assert link.startswith(f"{served.url}/#invite=")

    context = patient(chromium.new_context(base_url=served.url))
    page = context.new_page()
    page.goto(link)
    page.get_by_role("heading", name="Hello, Zoë <b>Young</b>").wait_for()
    assert "invite" not in page.url
    page.get_by_role("link", name="Two see each").click()
    first = next_picture(page, None)
    page.keyboard.press("p")
    next_picture(page, first)
    saved(page)

    desk.reload()
    worker = desk.get_by_role("region", name="Who works on it").get_by_role("row", name="Zoë")
    assert worker.locator("td").nth(1).inner_text() == "1"
    again = context.new_page()
    again.context.clear_cookies()
    again.goto(link)
    again.get_by_role("alert").wait_for()
    context.close()
    desk.close()


def test_the_guidelines_have_versions_and_examples(served: Any, person: Callable[..., Any]) -> None:
    queue = served.queue("loupe")
    page = served.lead.new_page()
    page.goto(f"/review/guidelines?queue={queue}")
    page.get_by_label("Text, in markdown").fill(
        "# Stop at it\n\nWould **you** stop? <img src=x onerror=alert(1)>"
    )
    page.get_by_role("button", name="Lighting: choose the good example").click()
    page.locator("dialog .picker button").first.click()
    page.get_by_role("button", name="Save as a new version").click()
    page.get_by_text("Version 1 is in force.").wait_for()
    page.close()

    worker = person(served, "Vera", "specialist").new_page()
    worker.goto(f"/review/loupe?queue={queue}")
    first = next_picture(worker, None)
    worker.keyboard.press("b")
    worker.get_by_role("heading", name="Stop at it").wait_for()
    assert worker.get_by_role("heading", name="Lighting").is_visible()
    assert worker.locator("dialog .markdown img").count() == 0
    worker.keyboard.press("Escape")
    worker.keyboard.press("x")
    next_picture(worker, first)
    saved(worker)
    events = served.get(worker.context, f"/api/queues/{queue}/mine")["events"]
    assert events[0]["body"]["guidelines_version"] == 1


def disagree(served: Any, person: Callable[..., Any], num: int) -> str:
    """Three people judge `num` pictures, each in another way; the queue."""
    queue = served.queue("loupe")
    for name, key in (("Ola", "p"), ("Pia", "x"), ("Quentin", "u")):
        page = person(served, name, "specialist").new_page()
        page.goto(f"/review/loupe?queue={queue}")
        before = next_picture(page, None)
        for left in reversed(range(num)):
            page.keyboard.press(key)
            if left:
                before = next_picture(page, before)
        page.get_by_role("heading", name="All done").wait_for()
        saved(page)
    return str(queue)


def test_disagreements_are_settled_with_the_votes_in_sight(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    served = serve("settle", ROUNDS, 4)
    queue = disagree(served, person, 4)
    desk = served.lead.new_page()
    desk.goto(f"/review/adjudicate?queue={queue}")
    first = next_picture(desk, None)
    assert serious(desk) == []
    assert desk.locator(".votes .said").all_inner_texts() == ["Keep", "Drop", "Unsure"]
    desk.keyboard.press("n")
    desk.keyboard.type("The light decides.")
    desk.keyboard.press("Escape")
    desk.keyboard.press("p")
    next_picture(desk, first)
    saved(desk)
    remaining = served.get(served.lead, f"/api/queues/{queue}/adjudicate")["items"]
    assert len(remaining) == 3
    assert first not in [item["id"] for item in remaining]
    desk.close()


def test_who_has_set_a_passphrase_comes_back_with_it(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    served = serve("settle", ROUNDS, 4)
    page = person(served, "Ruth", "rater").new_page()
    page.goto("/")
    page.get_by_text("Set a passphrase").click()
    assert serious(page) == []
    page.get_by_label("Passphrase, 12 letters or more").fill("four plain words here")
    page.get_by_role("button", name="Set it").click()
    page.get_by_text("You can sign in with your name and it.").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("With name and passphrase").click()
    assert serious(page) == []
    page.get_by_label("Your name").fill("Ruth")
    page.get_by_label("Passphrase", exact=True).fill("four plain words there")
    page.get_by_role("button", name="Sign in with it").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("Your name").input_value() == "Ruth", "what was typed stays"
    page.get_by_label("Passphrase", exact=True).fill("four plain words here")
    page.get_by_role("button", name="Sign in with it").click()
    page.get_by_role("heading", name="Hello, Ruth").wait_for()


def test_the_desk_learns_a_taste_and_shows_what_it_proposes(serve: Callable[..., Any]) -> None:
    served = serve("taste", [{"name": "Finest", "screen": "loupe"}])
    desk = served.lead.new_page()
    desk.goto(f"/review/loupe?queue={served.queue('loupe')}")
    before = next_picture(desk, None)
    for i in range(24):
        desk.keyboard.press("p" if i % 2 else "x")
        before = next_picture(desk, before) if i < 23 else before
    saved(desk)
    desk.goto("/review/lead")
    desk.get_by_text("Nothing was learnt yet.").wait_for()
    desk.get_by_role("button", name="Learn from the decisions so far").click()
    desk.get_by_text("decisions find 95 % of the needles").wait_for()
    desk.get_by_text("Surprising decisions, worth another look (24 pictures)").click()
    pictures = desk.locator("details[open] .sheet img")
    assert pictures.count() == 24
    until(desk, "() => document.querySelector('details[open] .sheet img').naturalWidth > 0")
    assert serious(desk) == []
    desk.close()
