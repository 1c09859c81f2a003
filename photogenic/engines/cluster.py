"""The engine on Ray: a thin adapter. Each actor holds a local pool of one worker.

The worker is a process of its own, watched by the actor beside it, so whatever a picture does to it is
settled there as in the local pool: a second try, cut out, set apart. What ends the actor itself (its machine,
the memory monitor, a kill) comes back to the driver, which puts the task into the queue again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from photogenic.core.errors import MissingExtraError, PhotogenicError, WorkerError
from photogenic.engines.local import LocalPool
from photogenic.engines.tasks import Beat, Failure, Queue, R, T, Try

MAX_FALSE_STARTS = 3  # actors in a row that ended before they had begun
OBJECT_STORE_BYTES = 2**27  # of a Ray that is started here: pictures are in files


class Holder:
    """What an actor is: the keeper of one worker, which keeps its models between tasks."""

    def __init__(self, paths: list[str]) -> None:
        # Your own scorer is a module that the driver can import; let the worker find it in the same place.
        sys.path += [path for path in paths if path not in sys.path]
        self._pool = LocalPool(1)

    def begun(self) -> bool:
        """Answers once the actor is there."""
        return True

    def run(
        self, function: Callable[[T, Beat], R], task: T, timeout_s: float
    ) -> list[tuple[T, R | Failure]] | PhotogenicError:
        """The task's results, in pieces where it broke; an error that is meant for the user as a value."""
        try:
            return list(self._pool.map(function, [task], timeout_s=timeout_s))
        except PhotogenicError as error:
            return error


@dataclass
class _Hand:
    """An actor, and the task in its hands."""

    actor: Any
    begun: Any
    trying: Try[Any] | None = None
    answer: Any = field(default=None)


class RayEngine:
    """`workers` actors, or as many as the cluster has cores; one task in flight for each.

    RAY_ADDRESS says where the cluster is; without it a Ray is started on this machine. Sources and run folder
    must lie under the same paths on all its machines, and photogenic must be installed there.

    Raises:
        MissingExtraError: Ray is not installed.
        WorkerError: the cluster cannot be reached.
    """

    def __init__(self, workers: int) -> None:
        self._ray = _ray()
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _connect(self._ray, workers)
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self._false_starts = 0
        # An actor that waits for a core would sit on its task for ever: there are no more of them than cores.
        self._hands = [self._hand() for _ in range(max(1, min(workers, cores)))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all actors, and Ray if it was started or joined here."""
        for hand in self._hands:
            self._ray.kill(hand.actor)
        self._hands = []
        if self._is_ours:
            self._ray.shutdown()

    def map(
        self, function: Callable[[T, Beat], R], tasks: Iterable[T], *, timeout_s: float
    ) -> Iterator[tuple[T, R | Failure]]:
        """As Engine.map.

        Raises:
            WorkerError: actors end before they begin.
            PhotogenicError: whatever of it the function raised.
        """
        queue = Queue(tasks)
        shared = self._ray.put(function)
        try:
            self._hand_out(shared, queue, timeout_s)
            while busy := {hand.answer: hand for hand in self._hands if hand.trying}:
                answered, _ = self._ray.wait(list(busy), num_returns=1)
                for answer in answered:
                    yield from self._hear(busy[answer], queue)
                self._hand_out(shared, queue, timeout_s)
        finally:
            for hand in [hand for hand in self._hands if hand.trying]:
                self._replace(hand)

    def _hand_out(self, function: Any, queue: Queue[T], timeout_s: float) -> None:
        for hand in self._hands:
            if hand.trying is None and (trying := queue.next()) is not None:
                hand.trying = trying
                hand.answer = hand.actor.run.remote(function, trying.task, timeout_s)

    def _hear(self, hand: _Hand, queue: Queue[T]) -> Iterator[tuple[T, Any | Failure]]:
        trying, hand.trying = hand.trying, None
        if trying is None:
            return
        try:
            answer = self._ray.get(hand.answer)
        except self._ray.exceptions.RayTaskError:
            raise  # a bug in the adapter, no picture's doing
        except self._ray.exceptions.RayError as error:
            self._count_false_starts(hand, error)
            self._replace(hand)
            # Nobody knows how far it was, and it was hardly a picture: halves, and a single one once more.
            if not queue.put_back(trying, len(trying.task)):
                yield trying.task, Failure(f"its Ray actor ended twice ({type(error).__name__})")
            return
        self._false_starts = 0
        if isinstance(answer, PhotogenicError):
            raise answer
        yield from answer

    def _count_false_starts(self, hand: _Hand, error: Exception) -> None:
        try:
            self._ray.get(hand.begun, timeout=0)
            self._false_starts = 0
        except self._ray.exceptions.RayError:
            self._false_starts += 1
        if self._false_starts >= MAX_FALSE_STARTS:
            raise WorkerError(
                f"Ray actors cannot start: {str(error).strip().splitlines()[0]}",
                "photogenic must be installed, in the same version, on every machine of the cluster.",
            )

    def _hand(self) -> _Hand:
        actor = self._ray.remote(num_cpus=1, max_restarts=0)(Holder).remote(
            [path or str(Path.cwd()) for path in sys.path]
        )
        return _Hand(actor, actor.begun.remote())

    def _replace(self, hand: _Hand) -> None:
        self._ray.kill(hand.actor)
        self._hands[self._hands.index(hand)] = self._hand()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "The engine `ray`") from error
    return ray


def _connect(ray: Any, workers: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody asked to report anything
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            ray.init(address=address, log_to_driver=False)
        else:
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                log_to_driver=False,
                object_store_memory=OBJECT_STORE_BYTES,
            )
    except Exception as error:  # Ray raises bare ones when a node does not come up in time
        raise WorkerError(
            f"Ray cannot be reached ({address or 'a new one on this machine'}): {error}",
            "Set RAY_ADDRESS to a cluster that runs, or unset it to start one here.",
        ) from error
