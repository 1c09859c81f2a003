"""People who are faster than their line: answers that come late, in another order, or not to their end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slow_line import Held, cut_off, cut_once, intercepted

from .conftest import patient
from .test_captions import TEXT, caption_desk
from .test_grid import ROUNDS as GRID
from .test_grid import decisions, marks
from .test_lead import ROUNDS as LEAD
from .test_lead import disagree
from .test_loupe import ROUNDS as LOUPE
from .test_loupe import press, told
from .watching import PAINTED, STAGE, current, next_picture, saved, until

pytestmark = pytest.mark.browser
COUNT = "() => document.querySelector('.topbar .count').textContent"
# Before anything is painted a browser may drop keys.
SEEN = "() => performance.getEntriesByName('first-contentful-paint').length"
CELLS = "() => document.querySelectorAll('.cell').length"
Given = tuple[Any, Any]
NUMBERS = itertools.count()


def fresh(name: str) -> str:
    """A review that no other test has worked in: what is counted here must not hang on who came before."""
    return f"slow-{name}-{next(NUMBERS)}"


@pytest.fixture
def watched(
    serve: Callable[..., Any], person: Callable[..., Any], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Given]]:
    """`watched("loupe", name, rounds)`: a review and a page of its first person, which must meet no error."""
    errors: list[str] = []

    def open_page(screen: str, name: str, rounds: Any, num: int = 24) -> Given:
        served = serve(fresh(name), rounds, num)
        role = {"grid": "generalist", "loupe": "specialist"}[screen]
        page = intercepted(person(served, request.node.name.replace("_", " ")[:70], role).new_page())
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script("localStorage.setItem('photogenic.density', '20')")
        page.goto(f"/review/{screen}?queue={served.queue(screen)}")
        if screen == "grid":
            until(page, PAINTED)
            page.wait_for_load_state("networkidle")  # it asks once more when it has what it wants
            page.wait_for_timeout(400)  # a screen cannot be submitted before it could be seen
        else:
            next_picture(page, None)
        return served, page

    yield open_page
    assert errors == []


# --- the grid --------------------------------------------------------------------------------------------


def reloaded(watched: Callable[..., Given]) -> tuple[Any, Any, Held]:
    """A page that was loaded again after its first screen was submitted; what it asks of its past is held."""
    served, page = watched("grid", "cull", GRID)
    page.keyboard.press("Enter")
    saved(page)
    page.reload()
    until(page, PAINTED)
    until(page, SEEN)
    return served, page, Held(page, "**/mine?**")


def test_undo_pressed_twice_after_a_reload_is_one(watched: Callable[..., Given]) -> None:
    served, page, mine = reloaded(watched)
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    mine.wait()
    mine.end()
    until(page, CELLS, 20)
    until(page, COUNT, "0 of 24")
    assert len(mine.routes) == 1
    saved(page)
    assert decisions(served, page) == []


def test_undo_that_is_late_takes_nothing_from_who_went_on(watched: Callable[..., Given]) -> None:
    served, page, mine = reloaded(watched)
    page.keyboard.press("Backspace")
    mine.wait()
    page.keyboard.press("p")
    with page.expect_response("**/mine?**"):
        mine.let_go()
    page.wait_for_timeout(300)
    assert marks(page) == ["keep", "", "", ""]
    assert len(decisions(served, page)) == 20


def test_marks_made_while_a_larger_screen_is_fetched_stay(watched: Callable[..., Given]) -> None:
    _, page = watched("grid", "cull", GRID)
    claim = Held(page, "**/claim")
    page.get_by_role("button", name="30 per screen").click()
    claim.wait()
    page.keyboard.press("p")
    page.keyboard.press("x")
    claim.end()
    until(page, CELLS, 24)
    assert marks(page)[:3] == ["keep", "drop", ""]
    page.keyboard.press("Backspace")
    assert marks(page)[:3] == ["keep", "", ""]


def test_undo_finds_the_picture_though_another_went_to_somebody_else(watched: Callable[..., Given]) -> None:
    _, page = watched("grid", "cull", GRID)
    claim = Held(page, "**/claim")
    page.keyboard.press("Enter")
    until(page, CELLS, 4)
    claim.wait()
    for key in ("ArrowRight", "ArrowRight", "p"):
        page.keyboard.press(key)
    first = json.loads(claim.routes[0].request.post_data)["held"][0]
    claim.routes[0].fulfill(json={"items": [], "lost": [first], "left": 3, "reason": None})
    until(page, CELLS, 3)
    assert marks(page) == ["", "keep", ""]
    page.keyboard.press("Backspace")
    assert marks(page) == ["", "", ""]


# --- the loupe -------------------------------------------------------------------------------------------


def test_one_decision_is_taken_back_though_undo_is_pressed_twice(watched: Callable[..., Given]) -> None:
    served, page = watched("loupe", "finest", LOUPE)
    first = current(page)
    second = press(page, "p")
    press(page, "p")
    saved(page)
    page.reload()
    next_picture(page, None)
    mine = Held(page, "**/mine?**")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    mine.wait()
    mine.end()
    until(page, f"() => {STAGE}.picture?.id", second)
    until(page, COUNT, "1 of 24")
    assert len(mine.routes) == 1
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == [first]


def test_what_is_decided_while_undo_looks_stays_decided(watched: Callable[..., Given]) -> None:
    served, page = watched("loupe", "finest", LOUPE)
    items = [current(page)]
    items.append(press(page, "p"))
    saved(page)
    page.reload()
    next_picture(page, None)
    mine = Held(page, "**/mine?**")
    page.keyboard.press("Backspace")
    mine.wait()
    items.append(press(page, "x"))
    with page.expect_response("**/mine?**"):
        mine.let_go()
    page.wait_for_timeout(300)
    assert current(page) == items[2]
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == items[:2]


def test_undo_without_a_server_says_so(watched: Callable[..., Given]) -> None:
    _, page = watched("loupe", "finest", LOUPE)
    page.route("**/mine?**", lambda route: route.abort())
    page.keyboard.press("Backspace")
    page.get_by_role("alert").filter(has_text="The server cannot be reached.").wait_for()


def taught(route: Any, words: str) -> None:
    """The server's answer, as if what was saved were of the calibration set."""
    answer = route.fetch()
    lessons = [
        {"event_id": event["event_id"], "right": True, "expected": "keep", "words": words}
        for event in route.request.post_data_json["events"]
    ]
    route.fulfill(json={**answer.json(), "feedback": lessons})


def test_a_lesson_that_comes_while_another_is_read_is_read_too(watched: Callable[..., Given]) -> None:
    _, page = watched("loupe", "finest", LOUPE)
    saves = Held(page, "**/api/events")
    press(page, "p")
    saves.wait()
    press(page, "p")
    taught(saves.routes[0], "Because of its light.")
    page.get_by_text("Because of its light.").wait_for()
    saves.wait(2)
    with page.expect_response("**/api/events"):
        taught(saves.routes[1], "Because of its story.")
    page.keyboard.press("Enter")
    page.get_by_text("Because of its story.").wait_for()
    page.keyboard.press("Enter")
    assert page.locator(".feedback").count() == 0


def test_who_looks_back_is_not_thrown_to_the_end(watched: Callable[..., Given]) -> None:
    _, page = watched("loupe", "last", LOUPE, 2)
    claim = Held(page, "**/claim")
    last = press(page, "p")
    page.keyboard.press("p")
    assert press(page, "ArrowLeft") == last
    saved(page)
    with page.expect_response("**/claim"):
        claim.end()
    page.wait_for_timeout(300)
    assert current(page) == last
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="All done").wait_for()


def test_zoom_again_after_the_original_was_let_go(watched: Callable[..., Given]) -> None:
    _, page = watched("loupe", "finest", LOUPE)
    full = f"() => {STAGE}.picture?.full?.width > 0"
    for _ in range(2):
        page.keyboard.press("z")
        until(page, full)
        page.keyboard.press("z")
        until(page, f"() => {STAGE}.view.zoomed", False)


def test_pictures_come_though_their_decoder_did_not_come_at_first(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    served = serve(fresh("finest"), LOUPE)
    page = person(served, "Dora", "specialist").new_page()
    asked: list[str] = []

    def once(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    page.context.route("**/decode-worker.js", once)
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    next_picture(page, None)
    assert len(asked) == 2


# --- captions and disagreements --------------------------------------------------------------------------


def test_a_caption_is_not_finished_before_its_picture_has_come(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    desk = caption_desk(serve, "slow-captions")
    page = person(desk, "Yann", "writer").new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    pictures = Held(page, "**/images/**")
    page.goto(f"/review/captions?queue={desk.queue('captions')}")
    text = page.get_by_label("Caption", exact=True)
    text.fill(TEXT)
    pictures.wait()
    text.press("Control+Enter")
    page.get_by_text("The picture is still coming").wait_for()
    assert text.input_value() == TEXT
    claim = Held(page, "**/claim")
    pictures.end()
    before = next_picture(page, None)
    for left in (2, 1, 0):
        text.fill(f"{TEXT} Number {left}.")
        page.keyboard.press("Control+Enter")
        before = next_picture(page, before) if left else before
    page.get_by_text("Fetching the next ones").wait_for()
    assert text.count() == 0, "nothing is there to be typed into what is done"
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    claim.end()
    page.locator(".writing .empty h2").wait_for()
    saved(page)
    assert errors == []


def test_a_reason_that_is_being_written_outlives_a_late_answer(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    served = serve("slow-settle", LEAD, 2)
    queue = disagree(served, person, 2)
    desk = served.lead.new_page()
    open_ones = Held(desk, "**/api/queues/*/adjudicate*")
    desk.goto(f"/review/adjudicate?queue={queue}")
    open_ones.wait()
    answer = open_ones.routes[0].fetch().json()
    pictures = Held(desk, "**/images/**")
    open_ones.routes[0].fulfill(json={**answer, "items": answer["items"][:1]})
    pictures.wait()
    desk.keyboard.press("p")
    desk.get_by_text("The picture is still coming").wait_for()
    pictures.end()
    first = next_picture(desk, None)
    desk.keyboard.press("p")
    open_ones.wait(2)
    desk.get_by_role("button", name="Back").click()
    desk.get_by_label("Your reason").fill("Its light.")
    with desk.expect_response("**/adjudicate*"):
        open_ones.let_go(1)
    desk.get_by_role("heading", name="2 to settle").wait_for()
    assert desk.get_by_label("Your reason").input_value() == "Its light."
    desk.keyboard.press("Escape")
    desk.keyboard.press("x")
    next_picture(desk, first)
    saved(desk)
    desk.close()


# --- the lead --------------------------------------------------------------------------------------------


def test_the_round_that_was_chosen_last_is_shown_whatever_comes_last(serve: Callable[..., Any]) -> None:
    desk = intercepted(caption_desk(serve, "slow-captions").lead.new_page())
    desk.goto("/review/lead")
    desk.get_by_role("heading", name="Captions", exact=True).wait_for()
    progress = Held(desk, "**/progress")
    for number, name in enumerate(("Pick", "Captions"), 1):
        desk.get_by_role("button", name=name).click()
        progress.wait(number)
    progress.let_go(1)
    desk.get_by_text("captions finished").wait_for()
    with desk.expect_response("**/progress"):
        progress.let_go(0)
    desk.wait_for_timeout(300)
    assert desk.locator("#rounds ~ div .figures b").first.inner_text() == "0"
    assert desk.locator(".round[aria-pressed=true] .name").inner_text() == "Captions"
    assert desk.evaluate("() => document.activeElement.textContent").startswith("Captions")
    desk.close()


def test_a_link_is_made_once_and_takes_no_focus_from_the_next_name(serve: Callable[..., Any]) -> None:
    desk = intercepted(serve("lead", LEAD).lead.new_page())
    desk.goto("/review/lead")
    desk.get_by_role("heading", name="Audit").wait_for()
    links = Held(desk, "**/api/invites", "POST")
    name = desk.get_by_label("Name")
    name.fill("Twice")
    name.press("Enter")
    name.press("Enter")
    links.wait()
    name.fill("The next")
    links.let_go()
    desk.get_by_label("Link for Twice").wait_for()
    assert len(links.routes) == 1
    assert name.input_value() == "The next"
    assert name.evaluate("node => node === document.activeElement")
    desk.get_by_role("region", name="Links not used yet").get_by_role("row", name="Twice").wait_for()
    desk.close()


def test_guidelines_are_saved_once_and_never_left_unsaved_by_mistake(serve: Callable[..., Any]) -> None:
    served = caption_desk(serve, "slow-captions")
    page = intercepted(served.lead.new_page())
    page.goto(f"/review/guidelines?queue={served.queue('captions')}")
    versions = Held(page, "**/guidelines", "PUT")
    text = page.get_by_label("Text, in markdown")
    text.press_sequentially("Say what is there.")
    save = page.get_by_role("button", name="Save as a new version")
    save.dblclick()
    versions.wait()
    text.press_sequentially(" And where.")
    versions.end()
    page.get_by_text("Saved as version 1").wait_for()
    page.get_by_text("Not saved yet.").wait_for()
    assert len(versions.routes) == 1
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="The lead's desk").click()
    while not asked:
        page.wait_for_timeout(20)
    assert asked == ["beforeunload"]
    save.click()
    page.get_by_text("Version 2 is in force.").wait_for()
    page.get_by_role("link", name="The lead's desk").click()
    page.get_by_role("heading", name="Audit").wait_for()
    page.close()


# --- signing in, and whatever else a line does -----------------------------------------------------------


def test_a_link_that_did_not_reach_the_server_is_not_lost(serve: Callable[..., Any], chromium: Any) -> None:
    served = serve(fresh("finest"), LOUPE)
    link = served.invite("Nora", "specialist")
    context = patient(chromium.new_context(base_url=served.url))
    page = context.new_page()
    page.route("**/api/sign-in", lambda route: route.abort())
    page.goto(link)
    page.get_by_role("alert").filter(has_text="The server cannot be reached.").wait_for()
    page.unroute("**/api/sign-in")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Hello, Nora").wait_for()
    context.close()


def test_a_page_without_work_is_called_what_it_is(serve: Callable[..., Any]) -> None:
    page = serve(fresh("finest"), LOUPE).lead.new_page()
    page.goto("/review/loupe?queue=none")
    page.locator(".empty", has_text="This queue is closed, or it is not yours.").wait_for()
    assert page.title() == "Loupe · photogenic"
    assert page.locator(".topbar h1").inner_text() == "Loupe"
    page.close()


@pytest.mark.parametrize("is_told", [False, True])
def test_an_answer_that_is_cut_off_is_asked_for_again(
    serve: Callable[..., Any], person: Callable[..., Any], is_told: bool
) -> None:
    """Where the browser is told of it, and where a proxy ends it as if it were whole."""
    served = serve(fresh("finest"), LOUPE)
    page = intercepted(person(served, f"Cleo {is_told}", "specialist").new_page())
    with cut_off(is_told=is_told) as origin:
        claims = cut_once(page, "**/claim", origin)
        page.goto(f"/review/loupe?queue={served.queue('loupe')}")
        items = [next_picture(page, None)]
        saves = cut_once(page, "**/api/events", origin)
        items.append(press(page, "p"))
        saved(page)
        assert len(claims) == len(saves) == 1
    assert [one["item_id"] for one in told(served, page)] == items[:1]
