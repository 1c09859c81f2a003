"""Lines as bad as real ones: answers that come late, in another order, or not to their end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

LONGEST_S = 120.0  # as long as the pages of these tests wait


SHOWN = """() => [document.visibilityState, document.hasFocus() ? "has the focus" : "without focus",
  document.activeElement?.className, document.querySelector(".saved")?.textContent,
  document.querySelector(".toasts")?.textContent].join(" | ")"""


def intercepted(page: Any) -> Any:
    """The page, with each request told to the test from the first on.

    A page that is open already learns of it in another way than of the next key: on a busy machine the key's
    request can be the faster one, and then nobody holds it.
    """
    page.route("**/nothing-is-called-so", lambda route: route.fallback())
    return page


class Held:
    """Answers to a page that are held back until a test lets them go.

    `pattern` is as Playwright's `route` has it; with a `method`, other requests pass.
    """

    def __init__(self, page: Any, pattern: str, method: str | None = None) -> None:
        self.routes: list[Any] = []
        self._page, self._pattern, self._method = page, pattern, method
        self._is_over = False
        page.route(pattern, self._hold)

    def _hold(self, route: Any) -> None:
        if self._is_over or self._method not in (None, route.request.method):
            route.fallback()
        else:
            self.routes.append(route)

    def wait(self, number: int = 1) -> None:
        """Until the page has asked so often."""
        end = time.monotonic() + LONGEST_S
        while len(self.routes) < number:
            if time.monotonic() > end:
                asked = f"{self._pattern} was asked for only {len(self.routes)} times"
                raise AssertionError(f"{asked}; the page: {self._page.evaluate(SHOWN)}")
            self._page.wait_for_timeout(20)

    def let_go(self, *order: int) -> None:
        """The first that is held, or those in this order, each as the server answers it now."""
        for number in order or (0,):
            route = self.routes[number]
            route.fulfill(response=route.fetch())

    def end(self) -> None:
        """Hold nothing back any more, and let go what is held and was not let go."""
        self._is_over = True
        for route in self.routes:
            with contextlib.suppress(Exception):  # it was let go before
                route.fallback()


HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
BEGUN = '{"items": ['


@contextlib.contextmanager
def cut_off(*, is_told: bool = True) -> Iterator[str]:
    """The origin of a server that goes in the middle of every answer.

    `is_told`: the answer has said before how long it is to be, so that a browser knows that it is cut off.
    """
    length = "Content-Length: 1000\r\n" if is_told else ""
    answer = f"{HEAD}{length}\r\n{BEGUN}".encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_cut, args=(listening, answer), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _cut(listening: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):  # the end: it was closed
        while True:
            line, _ = listening.accept()
            with line:
                line.recv(65536)
                line.sendall(answer)


def cut_once(page: Any, pattern: str, origin: str) -> list[str]:
    """Lead the next request there that matches; its address is in the list once that has happened."""
    gone: list[str] = []

    def lead(route: Any) -> None:
        if gone:
            route.fallback()
            return
        gone.append(route.request.url)
        route.continue_(url=origin + "/cut")

    page.route(pattern, lead)
    return gone
