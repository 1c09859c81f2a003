"""One picture, one key, the next picture."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from .watching import STAGE, current, next_picture, saved, until

pytestmark = pytest.mark.browser
ROUNDS = [{"name": "Finest", "screen": "loupe", "keep": 4, "overlap": 9}]


@pytest.fixture
def loupe(
    serve: Callable[..., Any], person: Callable[..., Any], request: pytest.FixtureRequest
) -> tuple[Any, Any]:
    """(server, page): the first picture on the stage, for somebody who is new."""
    served = serve("finest", ROUNDS)
    page = person(served, request.node.name.replace("_", " "), "specialist").new_page()
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    next_picture(page, None)
    return served, page


def told(served: Any, page: Any) -> list[dict[str, Any]]:
    """My decisions that hold, in the order I made them."""
    events = served.get(page.context, f"/api/queues/{served.queue('loupe')}/mine?limit=100")["events"]
    return [event for event in reversed(events) if event["kind"] == "decide" and not event["undone"]]


def press(page: Any, *keys: str) -> str:
    """The last of the keys moves on; the item that comes."""
    before = current(page)
    for key in keys:
        page.keyboard.press(key)
    return next_picture(page, before)


def look_ahead(page: Any, num: int) -> None:
    """Look at the next pictures and come back, so that they are in the browser."""
    for key in ["ArrowRight"] * num + ["ArrowLeft"] * num:
        press(page, key)


def test_one_key_is_verdict_and_advance(loupe: tuple[Any, Any]) -> None:
    served, page = loupe
    first = current(page)
    second = press(page, "4", "0", "5", "p")
    third = press(page, "Shift+Digit2")
    press(page, "u")
    saved(page)
    kept, dropped, unsure = told(served, page)
    assert [kept["item_id"], dropped["item_id"], unsure["item_id"]] == [first, second, third]
    assert kept["body"]["verdict"] == "keep"
    assert {name: value for name, value in kept["body"]["criteria"].items() if value} == {
        "composition": 4,
        "colour_contrast": 5,
    }
    assert dropped["body"]["reason"] == "Text or watermark"
    assert "criteria" not in dropped["body"]
    assert unsure["body"]["verdict"] == "unsure"
    assert kept["body"]["active_ms"] > 0


def test_zoom_survives_the_next_picture(loupe: tuple[Any, Any]) -> None:
    _, page = loupe
    view = f"() => {STAGE}.view"
    page.keyboard.press("z")
    page.mouse.move(700, 400)
    page.mouse.down()
    page.mouse.move(500, 300, steps=4)
    page.mouse.up()
    before = page.evaluate(view)
    assert before["zoomed"]
    assert before["y"] > 0.5
    press(page, "p")
    assert page.evaluate(view) == before


def test_compare_with_a_champion_moves_together(loupe: tuple[Any, Any]) -> None:
    _, page = loupe
    first = current(page)
    page.keyboard.press("c")
    press(page, "p")
    stages = (
        "() => [...document.querySelectorAll('photo-stage')]"
        ".map(({ picture, view }) => [picture?.id, view.zoomed, view.x, view.y])"
    )
    page.keyboard.press("z")
    champion, challenger = page.evaluate(stages)
    assert champion[0] == first
    assert challenger[0] == current(page)
    assert champion[1:] == challenger[1:]
    assert champion[1]


def test_undo_goes_back_far_and_across_a_reload(loupe: tuple[Any, Any]) -> None:
    served, page = loupe
    first = current(page)
    second = press(page, "p")
    third = press(page, "x")
    assert press(page, "Backspace") == second
    assert press(page, "x") == third
    saved(page)
    page.reload()
    assert next_picture(page, None) == third
    assert press(page, "Control+z") == second
    assert press(page, "Control+z") == first
    saved(page)
    assert told(served, page) == []


def test_histogram_clipping_and_thirds_are_computed_here(loupe: tuple[Any, Any]) -> None:
    _, page = loupe
    page.keyboard.press("i")
    page.get_by_text("Highlights blown").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("t")
    overlays = (
        f"() => {{ const {{ clipping, thirds }} = {STAGE}.overlays; return [clipping?.width > 0, thirds]; }}"
    )
    until(page, overlays, [True, True])


def test_decisions_without_a_network_are_kept_and_saved_once(loupe: tuple[Any, Any]) -> None:
    served, page = loupe
    items = [current(page)]
    look_ahead(page, 3)
    page.context.set_offline(True)
    for _ in range(3):
        items.append(press(page, "p"))
    page.get_by_text("3 unsaved").wait_for()
    page.context.set_offline(False)
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == items[:3]


def test_decisions_outlive_a_killed_server_and_a_reload(loupe: tuple[Any, Any]) -> None:
    served, page = loupe
    items = [current(page)]
    look_ahead(page, 3)
    items.append(press(page, "p"))
    saved(page)
    served.kill()
    items.append(press(page, "x"))
    items.append(press(page, "p"))
    page.get_by_text("2 unsaved").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    served.start()
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    assert next_picture(page, None) == items[3], "what is decided but not sent yet is not shown again"
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == items[:3]


def reopened_while_saving(served: Any, page: Any) -> tuple[list[str], Callable[[], None]]:
    """The page anew, with decisions that are not saved yet.

    What its first claim was answered, and a way to let the decisions be saved first and the answer come then.
    """
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    served.start()
    claims: list[Any] = []
    saves: list[Any] = []
    page.route("**/claim", lambda route: claims.append((route, route.fetch())))
    page.route("**/api/events", lambda route: saves.append(route))
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    while not (claims and saves):
        page.wait_for_timeout(20)
    route, answer = claims[0]

    def let_go() -> None:
        saves[0].continue_()
        saved(page)
        route.fulfill(response=answer)
        page.unroute_all()

    return [item["id"] for item in answer.json()["items"]], let_go


def test_a_claim_that_was_answered_before_the_save_shows_nothing_again(loupe: tuple[Any, Any]) -> None:
    """The server answers the claim while decisions are on their way; the answer comes later."""
    served, page = loupe
    items = [current(page)]
    look_ahead(page, 2)
    served.kill()
    items += [press(page, "p"), press(page, "x")]
    given, let_go = reopened_while_saving(served, page)
    assert not set(items[:2]) & set(given), "what waits to be saved is given again, in place of new items"
    let_go()
    assert next_picture(page, None) == items[2]
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == items[:2]


def test_the_end_is_told_when_the_last_claim_was_answered_before_the_save(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    """A claim that brings nothing, because the last decisions are on their way, is asked again."""
    served = serve("last", ROUNDS, 2)
    page = person(served, "Lara", "specialist").new_page()
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    next_picture(page, None)
    look_ahead(page, 1)
    served.kill()
    press(page, "p")
    page.keyboard.press("x")
    page.get_by_text("2 unsaved").wait_for()
    given, let_go = reopened_while_saving(served, page)
    assert given == []
    let_go()
    page.get_by_role("heading", name="All done").wait_for()


def test_what_others_held_is_shown_once_it_is_free(
    serve: Callable[..., Any], person: Callable[..., Any]
) -> None:
    served = serve("shared", [{"name": "Shared", "screen": "loupe", "overlap": 1}], 2)
    queue = served.queue("loupe")
    claim = {"count": 60, "held": []}
    held = served.post(person(served, "Ada", "specialist"), f"/api/queues/{queue}/claim", claim)["items"]
    page = person(served, "Grace", "specialist").new_page()
    page.goto(f"/review/loupe?queue={queue}")
    page.get_by_role("heading", name="Others hold the rest").wait_for()
    with closing(sqlite3.connect(served.run / "review" / "review.db", timeout=60)) as database, database:
        assert database.execute("UPDATE leases SET expires_at = 0").rowcount == len(held) == 2
    assert next_picture(page, None) in {item["id"] for item in held}
    press(page, "p")
    saved(page)


HASTE = """async () => {
  const { Outbox } = await import("/static/outbox.js");
  const outbox = await Outbox.open("haste");
  let calls = 0;
  const real = window.fetch;
  window.fetch = (...call) => {
    calls += String(call[0]).includes("/api/events");
    return real(...call);
  };
  for (let i = 0; i < 15; i += 1) {
    outbox.add("decide", "queue", `item-${i}`, { verdict: "keep" });
    await new Promise((done) => setTimeout(done, 100));
  }
  return calls;
}"""


def test_a_hand_that_never_rests_is_saved_all_the_same(loupe: tuple[Any, Any]) -> None:
    """Decisions that come faster than the outbox gathers them do not put off the saving of those before."""
    _, page = loupe
    assert page.evaluate(HASTE) >= 1


PLANT = """(event) => new Promise((done, fail) => {
  indexedDB.databases().then(([{ name }]) => {
    const opened = indexedDB.open(name);
    opened.onsuccess = () => {
      const transaction = opened.result.transaction("events", "readwrite");
      transaction.objectStore("events").put(event);
      transaction.oncomplete = () => { opened.result.close(); done(); };
      transaction.onabort = () => fail(transaction.error);
    };
  });
})"""


def test_what_the_server_cannot_read_is_named_and_holds_up_nothing_else(loupe: tuple[Any, Any]) -> None:
    """One event without a form that the server knows makes it refuse the whole batch."""
    served, page = loupe
    items = [current(page)]
    page.context.set_offline(True)
    page.evaluate(
        PLANT,
        {
            "event_id": "00000000-bad",
            "kind": "decide",
            "queue_id": served.queue("loupe"),
            "item_id": "none",
            "client_at": "0" * 50,  # the server takes 40; sorts before all others
            "body": {"verdict": "keep"},
        },
    )
    page.keyboard.press("p")
    page.get_by_text("1 unsaved").wait_for()
    page.close()
    page = page.context.new_page()
    page.context.set_offline(False)
    page.goto(f"/review/loupe?queue={served.queue('loupe')}")
    page.get_by_text("Not accepted:").wait_for()
    saved(page)
    assert [one["item_id"] for one in told(served, page)] == items
