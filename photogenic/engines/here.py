"""The engine without workers: everything runs in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from photogenic.core.errors import PhotogenicError
from photogenic.engines.tasks import Beat, Failure, Queue, R, T


class InProcess:
    """Runs tasks one after the other. An item that raises is set apart; one that hangs or dies is not."""

    def map(
        self, function: Callable[[T, Beat], R], tasks: Iterable[T], *, timeout_s: float
    ) -> Iterator[tuple[T, R | Failure]]:
        """As Engine.map; `timeout_s` has no effect, for there is nobody to keep time."""
        queue = Queue(tasks)
        while (trying := queue.next()) is not None:
            beats: list[None] = []
            try:
                yield trying.task, function(trying.task, lambda: beats.append(None))  # noqa: B023 - called at once
            except PhotogenicError:
                raise
            except Exception as error:
                if not queue.put_back(trying, len(beats)):
                    yield trying.task, Failure(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Nothing to close."""
