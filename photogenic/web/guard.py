"""At the door of every request: host, origin, size, session and role; and the headers of every answer."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict, deque
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photogenic.web.people import who
from photogenic.web.refusals import Refusal
from photogenic.web.registration import ANYBODY
from photogenic.web.settings import Settings

SAFE_METHODS = ("GET", "HEAD")
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
# Of a page that holds its style and its pictures, and runs nothing (see page.html.j2).
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


def cookie_name(settings: Settings) -> str:
    """The name of the session's cookie.

    With https the name itself (`__Host-`) makes browsers refuse one that another site planted. Without it the
    name holds the port: browsers send cookies to all ports of a host, and signing in to the vote would else
    sign out of the review.
    """
    if settings.is_https:
        return "__Host-photogenic"
    return f"photogenic_session_{urlsplit(settings.origins[0]).port or 80}"


async def guard(request: Request) -> None:
    """Let in who may use this route, by the one table of permissions; it runs before every route."""
    roles = request.app.state.room.permissions[request.method, request.scope["route"].path]
    if roles is not ANYBODY:  # pages and their scripts need no thread and no database
        await run_in_threadpool(_let_in, request, roles)


def _let_in(request: Request, roles: frozenset[str]) -> None:
    room = request.app.state.room
    with room.database.reading() as connection:
        person = who(connection, request.cookies.get(cookie_name(room.settings)))
    if person is None:
        raise Refusal(401, "You are not signed in.", "Open the link that you were given, or ask for one.")
    if person.role not in roles:
        raise Refusal(403, f"A {person.role} may not do this.")
    request.state.person = person


class Door:
    """ASGI: refuses strange hosts, writes from other sites and large bodies; adds the headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.headers: tuple[tuple[bytes, bytes], ...] = HEADERS
        if settings.is_https:
            self.headers += ((b"strict-transport-security", b"max-age=31536000"),)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                usual = [header for header in self.headers if header[0] not in present]
                message["headers"] = [*message["headers"], *usual]
                if b"cache-control" not in present:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send_with_headers, refusal)
            return
        await self.app(scope, _Limited(receive, self.settings.max_body_bytes), send_with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Refusal | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self.settings.hosts:
            return Refusal(421, "This server has another name.", "Use the address that it printed.")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.settings.max_body_bytes:
            return _too_large(self.settings.max_body_bytes)
        if scope["method"] not in SAFE_METHODS:
            origin = headers.get(b"origin", b"").decode("latin-1")
            if origin not in self.settings.origins:
                return Refusal(403, "This request comes from another site.", "Send an Origin of this server.")
        return None


class _Limited:
    """Counts what comes in, for a body need not say its length."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.most, self.left = receive, most, most

    async def __call__(self) -> Message:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise HTTPException(413, _too_large(self.most).what)  # the only kind that FastAPI lets through
        return message


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"More than {most:,} bytes are not taken at once.", "Send less.")


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"error": refusal.what, "fix": refusal.fix}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class RateLimit:
    """So many tries a minute for one address, counted in this process."""

    MOST_ADDRESSES = 10_000

    def __init__(self, per_minute: int, what: str = "Too many tries to sign in.") -> None:
        self.per_minute = per_minute
        self.what = what
        self._lock = threading.Lock()
        self._tries: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, address: str) -> None:
        """Count a try.

        Raises:
            Refusal: 429, it was one too many.
        """
        now = time.monotonic()
        with self._lock:
            if len(self._tries) > self.MOST_ADDRESSES:
                self._tries.clear()
            tries = self._tries[address]
            while tries and tries[0] < now - 60:
                tries.popleft()
            if len(tries) >= self.per_minute:
                raise Refusal(429, self.what, "Wait a minute.")
            tries.append(now)


def address_of(request: Request) -> Any:
    return request.client.host if request.client else "unknown"
