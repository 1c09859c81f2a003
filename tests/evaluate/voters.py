"""Voters against a running server: claims and votes over HTTP, with retries, as the page's outbox does."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
import uuid
from http.cookiejar import CookieJar
from typing import Any


class Voter:
    """One person with a session."""

    def __init__(self, origin: str, invite: str) -> None:
        self.origin = origin
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.call("/api/sign-in", {"invite": invite})
        self.sent: list[str] = []

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.origin + path, data, {"Origin": self.origin, "Content-Type": "application/json"}
        )
        with self.opener.open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def patiently(self, path: str, body: Any, seconds: float = 300) -> Any:
        """Again and again while the server is away; on a busy machine it takes long to import."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call(path, body)
            except (OSError, http.client.HTTPException):  # killed before, or in the middle of, its answer
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def vote_all(self, queue: str) -> None:
        """Claim and vote until nothing is left; every batch is sent twice."""
        for _ in range(10_000):
            got = self.patiently(f"/api/queues/{queue}/claim", {"count": 5, "held": []})
            if not got["items"]:
                if got["reason"] == "done":
                    return
                time.sleep(0.05)
                continue
            events = [self.event(queue, item) for item in got["items"]]
            for _ in range(2):
                answer = self.patiently("/api/events", {"events": events})
            self.sent += answer["accepted"]

    def event(self, queue: str, item: dict[str, Any], **changes: Any) -> dict[str, Any]:
        body = {"question": item["body"]["question"], "choice": "left", "active_ms": 1500} | changes
        return {
            "event_id": str(uuid.uuid4()),
            "kind": "vote",
            "queue_id": queue,
            "item_id": item["id"],
            "client_at": "2026-01-01T00:00:00.000Z",
            "body": body,
        }
