"""The caption desk: one person writes, another reads."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from .test_look import serious
from .watching import current, next_picture, saved

pytestmark = pytest.mark.browser
ROUNDS = [{"name": "Pick", "screen": "loupe"}, {"name": "Captions", "screen": "captions"}]
TEXT = "Three layered ridges stand dark beneath a low, hazy sun; seen from far away, in soft evening light."


@pytest.fixture
def desk(serve: Callable[..., Any]) -> Any:
    return caption_desk(serve, "captions")


def caption_desk(serve: Callable[..., Any], name: str) -> Any:
    """The caption round over three pictures that the lead has kept."""
    served = serve(name, ROUNDS)
    queues = {one["title"]: one for one in served.get(served.lead, "/api/queues")["queues"]}
    if "Captions" not in queues:
        page = served.lead.new_page()
        page.goto(f"/review/loupe?queue={queues['Pick']['id']}")
        before = next_picture(page, None)
        for _ in range(3):
            page.keyboard.press("p")
            before = next_picture(page, before)
        saved(page)
        page.goto(f"/review/lead?queue={queues['Pick']['id']}")
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
        page.get_by_role("button", name="Close it and open the next").click()
        page.get_by_role("heading", name="Captions", exact=True).wait_for()
        assert [words.split(" of ")[0] for words in asked] == ["21 pictures"], "what is open is left out"
        page.close()
    return served


def test_a_caption_is_written_and_approved(desk: Any, person: Callable[..., Any]) -> None:
    queue = desk.queue("captions")
    page = person(desk, "Wu", "writer").new_page()
    page.goto(f"/review/captions?queue={queue}")
    first = next_picture(page, None)
    assert serious(page) == []
    text = page.get_by_label("Caption", exact=True)
    text.fill("Half a sentence about")
    page.reload()
    assert next_picture(page, None) == first
    assert text.input_value() == "Half a sentence about", "words that were not saved outlive a reload"
    text.fill("IMG_2231.jpg")
    page.get_by_text("A file name is in the caption.").wait_for()
    text.fill("")
    assert page.get_by_role("button", name="Save, next").is_disabled()
    text.fill(TEXT)
    page.get_by_text("Nothing to object to.").wait_for()
    assert (
        "ridges" in page.locator(".diff ins").all_inner_texts().__str__()
        or page.locator(".diff").count() == 0
    )
    page.locator(".tokens b").first.wait_for()
    page.get_by_label("Subject", exact=True).check()
    page.get_by_label("Light", exact=True).check()
    text.press("Control+Enter")
    next_picture(page, first)
    saved(page)

    reader = person(desk, "Xenia", "writer").new_page()
    reader.goto(f"/review/captions?queue={queue}")
    next_picture(reader, None)
    while not reader.get_by_role("heading", name="Second reader").count():
        before = current(reader)
        reader.get_by_label("Caption", exact=True).fill(f"{TEXT} Number {before}.")
        reader.keyboard.press("Control+Enter")
        next_picture(reader, before)
    assert current(reader) == first
    assert serious(reader) == []
    assert reader.locator(".read-text").inner_text() == TEXT
    reader.keyboard.press("Control+Enter")
    saved(reader)
    events = desk.get(reader.context, f"/api/queues/{queue}/mine?limit=50")["events"]
    assert [(one["item_id"], one["kind"]) for one in events if one["kind"] == "approve"] == [
        (first, "approve")
    ]
    written = desk.get(page.context, f"/api/queues/{queue}/mine?limit=50")["events"][0]["body"]
    assert written["text"] == TEXT
    assert {name for name, said in written["checklist"].items() if said} == {"subject", "light"}


def test_the_lead_is_asked_about_captions_that_nobody_has_read(serve: Callable[..., Any]) -> None:
    served = caption_desk(serve, "unread")
    queue = served.queue("captions")
    [item] = served.post(served.lead, f"/api/queues/{queue}/claim", {"count": 1})["items"]
    said = {"event_id": str(uuid.uuid4()), "kind": "caption", "queue_id": queue, "item_id": item["id"]}
    event = said | {"client_at": "2026-11-29T12:00:00Z", "body": {"text": TEXT}}
    assert served.post(served.lead, "/api/events", {"events": [event]})["refused"] == []
    needles = served.run / "review" / "needles.parquet"
    page = served.lead.new_page()
    page.goto(f"/review/lead?queue={queue}")
    page.get_by_text("1waits for a second reader").wait_for()
    page.get_by_text("2have no caption yet").wait_for()
    page.get_by_role("button", name="Write needles.parquet").click()
    words = "1 caption waits for a second reader; 2 pictures have no caption yet."
    page.get_by_text(f"Nothing was written, for captions are not settled: {words}").wait_for()
    assert serious(page) == []
    assert not needles.exists()
    page.get_by_role("button", name="Write them with the unread captions too").click()
    page.get_by_text("3 needles written; captions that no second reader has read").wait_for()
    assert page.get_by_role("button", name="Write them with").count() == 0, "the question is answered"
    assert sorted(pq.read_table(needles)["caption_source"].to_pylist()) == ["alt_text", "alt_text", "writer"]
    page.close()
