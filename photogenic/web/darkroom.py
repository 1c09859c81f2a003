"""Derivatives on disk by content: made once, ahead of the people by a thread, or when first asked for."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from photogenic.core.errors import PhotogenicError
from photogenic.core.shards import atomic_path
from photogenic.web.database import Database
from photogenic.web.derivatives import SIZES, VERSION, develop
from photogenic.web.refusals import not_found
from photogenic.web.tables import pictures

Reader = Callable[[Mapping[str, Any]], bytes]
LOCKS = 64
MOST_ORDERS = 2000
log = logging.getLogger("photogenic.web")


class Darkroom:
    """Makes and keeps derivatives below `folder`."""

    def __init__(self, folder: Path, database: Database, readers: Mapping[str, Reader]) -> None:
        self.folder = folder
        self.database = database
        self.readers = readers
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._orders: dict[tuple[str, str], None] = {}  # digest and size, the most wanted last
        self._ordered = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def path(self, digest: str, size: str) -> Path:
        """Where the derivative lies once it is made."""
        suffix = SIZES[size].format.lower()
        return self.folder / f"{size}-v{VERSION}" / digest[:2] / f"{digest}.{suffix}"

    def picture(self, digest: str, size: str) -> Path:
        """The derivative's file, made now if need be.

        Raises:
            Refusal: no such picture.
            PhotogenicError: its bytes cannot be read or decoded.
        """
        path = self.path(digest, size)
        if path.exists():
            return path
        with self._locks[int(digest[:2], 16) % LOCKS]:
            if not path.exists():
                data = develop(self._bytes(digest), SIZES[size])
                with atomic_path(path) as temporary:
                    temporary.write_bytes(data)
        return path

    def _bytes(self, digest: str) -> bytes:
        with self.database.reading() as connection:
            row = connection.execute(select(pictures).where(pictures.c.digest == digest)).first()
        if row is None or row.reader not in self.readers:
            raise not_found("picture")
        return self.readers[row.reader](json.loads(row.locator))

    def order(self, digests: Iterable[str], size: str) -> None:
        """Make these soon, in their order; what was ordered last comes first, for somebody waits for it."""
        if self._thread is None:
            return
        missing = [digest for digest in digests if not self.path(digest, size).exists()]
        with self._ordered:
            for digest in reversed(missing):
                self._orders.pop((digest, size), None)
                self._orders[digest, size] = None
            while len(self._orders) > MOST_ORDERS:  # whoever wants these has them made when asking
                del self._orders[next(iter(self._orders))]
            self._ordered.notify()

    def start(self) -> None:
        """Begin to work through orders in a thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="darkroom", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the picture at hand and end."""
        if self._thread is not None:
            with self._ordered:
                self._stopping = True
                self._ordered.notify()
            self._thread.join(timeout=10)
            self._thread = None

    def _work(self) -> None:
        while (order := self._next()) is not None:
            try:
                self.picture(*order)
            except (PhotogenicError, OSError) as error:
                # Whoever asks for it hears the same; the thread goes on with the next.
                log.warning("picture %s: %s", order[0], error)
            except Exception:  # such as a database that is restarted: the thread has to outlive it
                log.exception("picture %s", order[0])

    def _next(self) -> tuple[str, str] | None:
        """What to make now; waits for an order. None: it is time to end."""
        with self._ordered:
            self._ordered.wait_for(lambda: self._orders or self._stopping)
            return None if self._stopping else self._orders.popitem()[0]
