"""Drafts of captions: from a real server that speaks the protocol, and from a table."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.review import administration
from photogenic.review.config import ReviewConfig
from photogenic.review.desk import Review

from .test_desk import Desk, approve, keep_if, work
from .test_incoming import needles

ROUNDS = [{"name": "Finest", "screen": "loupe"}, {"name": "Captions", "screen": "captions"}]


class Endpoint(BaseHTTPRequestHandler):
    """Says how large the picture is that it was sent; every third request fails."""

    asked: ClassVar[list[dict[str, Any]]]
    keys: ClassVar[list[str | None]]
    fails: ClassVar[bool] = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        self.keys.append(self.headers["Authorization"])
        if self.path != "/v1/chat/completions" or (self.fails and len(self.asked) % 3 == 0):
            self.send_error(503)
            return
        url = body["messages"][0]["content"][1]["image_url"]["url"]
        image = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))))
        text = f"A disc on white,\n{image.width} by {image.height}, {image.format}"
        answer = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[tuple[str, type[Endpoint]]]:
    handler = type("Fresh", (Endpoint,), {"asked": [], "keys": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", handler
    server.shutdown()
    server.server_close()


def a_review(run: Run, haystack: Callable[..., list[str]], **more: Any) -> Review:
    haystack([(0.5, 0.5, None)] * 6)
    return Review(ReviewConfig.model_validate({"decisions": "people", "rounds": ROUNDS} | more), run, seed=7)


def test_an_endpoint_drafts_and_what_a_writer_leaves_as_it_was_is_the_models(
    run: Run, haystack: Callable[..., list[str]], endpoint: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = endpoint
    monkeypatch.setenv("A_KEY", "secret")
    review = a_review(run, haystack, drafting={"url": url, "model": "seer", "key_env": "A_KEY"})
    with pytest.raises(RunError, match="has not begun"):
        list(administration.draft(review))
    desk = Desk(review)
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i < 4))
    assert administration.advance(review) == "Captions: 4 pictures"
    server.fails = True
    told = list(administration.draft(review))
    assert len(told) == 2 and told[0].endswith("the endpoint answered 503")
    assert told[1].endswith("drafts.jsonl: 3 drafts by seer, 1 failed")
    server.fails = False
    [told_again] = administration.draft(review)
    assert told_again.endswith("1 drafts by seer"), "only what has none is asked for"
    assert len(server.asked) == 5 and set(server.keys) == {"Bearer secret"}

    def write(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        [draft] = item["body"]["caption_drafts"]
        assert draft == {"text": "A disc on white, 40 by 32, JPEG", "by": "seer"}
        own = item["body"]["metadata"]["key"] == "sticker-0"
        text = "A red disc" if own else draft["text"]
        return "caption", {"text": text, "draft": draft["text"], "draft_by": draft["by"]}

    work(desk.person("Wu", "writer"), "captions", write)
    work(desk.person("Xi", "writer"), "captions", approve)
    administration.finish(review)
    sources = {key: row["caption_source"] for key, row in needles(run).items()}
    assert sources == {"sticker-0": "writer"} | {f"sticker-{i}": "model" for i in (1, 2, 3)}


def test_drafts_of_a_table_are_shown_as_a_models(
    run: Run, haystack: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "drafts.csv"
    path.write_text("key,caption,by\nsticker-1,A disc at noon,seer\nsticker-2,,seer\n", encoding="utf-8")
    review = a_review(run, haystack, drafts=str(path))
    desk = Desk(review)
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i in (1, 2)))
    administration.advance(review)
    wu = desk.person("Wu", "writer")
    queue = next(one for one in wu.get("/api/me").json()["queues"] if one["kind"] == "captions")
    got = wu.post(f"/api/queues/{queue['id']}/claim", json={"count": 9}).json()["items"]
    drafts = {one["body"]["metadata"]["key"]: one["body"].get("caption_drafts") for one in got}
    assert drafts == {"sticker-1": [{"text": "A disc at noon", "by": "seer"}], "sticker-2": None}


def test_an_endpoint_that_is_not_there_is_a_sentence(run: Run, haystack: Callable[..., list[str]]) -> None:
    review = a_review(run, haystack, drafting={"url": "http://127.0.0.1:9/v1", "model": "seer"})
    desk = Desk(review)
    work(desk.person("Ada", "specialist"), "loupe", keep_if(lambda i: i == 1))
    administration.advance(review)
    with pytest.raises(RunError, match="gave no draft"):
        list(administration.draft(review))
    with pytest.raises(RunError, match="No endpoint"):
        list(administration.draft(Review(ReviewConfig(decisions="people"), run, seed=7)))
