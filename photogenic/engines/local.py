"""A supervised local pool: workers watched one by one.

A dead worker breaks a whole `ProcessPoolExecutor` and stalls `multiprocessing.Pool`. Here each worker has
its own process and pipe. One that dies or falls silent is replaced, and its task goes back to the queue in
pieces.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Self

from photogenic.core.errors import PhotogenicError, WorkerError
from photogenic.engines.here import InProcess
from photogenic.engines.tasks import Beat, EngineName, Failure, Queue, R, T, Try

if TYPE_CHECKING:
    from photogenic.engines.cluster import RayEngine

START_S = 300.0  # the longest that a fresh worker may import what it needs: a busy machine takes minutes
MAX_FALSE_STARTS = 3  # workers in a row that ended before they were there: one may have been killed


@dataclass(frozen=True)
class Done:
    """The worker's answer: the function returned."""

    result: Any


@dataclass(frozen=True)
class Raised:
    """The worker's answer: the function raised."""

    error: PhotogenicError | str


class _Worker:
    """One process, its pipe, and the task in its hands."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()  # so that the worker's death reads as the end of the pipe
        self.ready = False
        self.imported = False
        self.trying: Try[Any] | None = None
        self.num_beats = 0
        self.deadline = 0.0  # set with the task

    def give(self, function: Callable[..., Any], trying: Try[Any], timeout_s: float) -> None:
        self.trying, self.num_beats = trying, 0
        # Its first task makes a worker import what the function needs; that is not the sample's time.
        self.deadline = time.monotonic() + (timeout_s if self.imported else max(START_S, timeout_s))
        # A worker that died meanwhile is found by its sentinel.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((function, trying.task))

    def read(self) -> Any:
        """The next message, None where there is none; EOFError once process and pipe are both at an end."""
        dead = self.process.exitcode is not None  # asked first: what it said before it died counts
        if self.connection.poll():
            return self.connection.recv()
        if dead:
            raise EOFError
        return None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    @property
    def end(self) -> str:
        """How the process ended, in words."""
        self.process.join(1.0)
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"its worker was killed by {signal.Signals(-code).name}"
        return f"its worker ended with status {code}"


class LocalPool:
    """`workers` processes that live until the pool is closed, so that each loads its models once."""

    def __init__(self, workers: int) -> None:
        self._workers = [_Worker() for _ in range(workers)]
        self._false_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()
        self._workers = []

    def map(
        self, function: Callable[[T, Beat], R], tasks: Iterable[T], *, timeout_s: float
    ) -> Iterator[tuple[T, R | Failure]]:
        """As Engine.map.

        Raises:
            WorkerError: a worker cannot even start.
            PhotogenicError: whatever of it the function raised.
        """
        queue = Queue(tasks)
        try:
            self._hand_out(function, queue, timeout_s)
            while any(worker.trying for worker in self._workers):
                for worker in self._news(timeout_s):
                    yield from self._hear(worker, queue, timeout_s)
                self._hand_out(function, queue, timeout_s)
        finally:
            # Whoever stopped listening must not find stale answers in the pipes the next time.
            for worker in [worker for worker in self._workers if worker.trying]:
                self._replace(worker)

    def _hand_out(self, function: Callable[[T, Beat], R], queue: Queue[T], timeout_s: float) -> None:
        for worker in self._workers:
            if worker.trying is None and (trying := queue.next()) is not None:
                worker.give(function, trying, timeout_s)

    def _news(self, timeout_s: float) -> list[_Worker]:
        """Wait until some worker said something, died or overstayed its time; those workers."""
        busy = [worker for worker in self._workers if worker.trying]
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        awake = set(wait([item for w in busy for item in (w.connection, w.process.sentinel)], patience))
        now = time.monotonic()
        return [w for w in busy if {w.connection, w.process.sentinel} & awake or w.deadline <= now]

    def _hear(self, worker: _Worker, queue: Queue[T], timeout_s: float) -> Iterator[tuple[T, Any | Failure]]:
        """Read all that the worker said; settle its task if it answered, died or fell silent."""
        while worker.trying is not None:
            try:
                message = worker.read()
            except (EOFError, ConnectionResetError):
                yield from self._settle(worker, queue, worker.end)
                return
            if message is None:
                if worker.deadline <= time.monotonic():
                    yield from self._settle(worker, queue, f"no sign of life for {timeout_s:g} s")
                return
            worker.deadline = time.monotonic() + timeout_s
            match message:
                case Done(result):
                    trying, worker.trying = worker.trying, None
                    yield trying.task, result
                case Raised(PhotogenicError() as error):
                    worker.trying = None
                    raise error
                case Raised(error):
                    trying, worker.trying = worker.trying, None
                    if not queue.put_back(trying, worker.num_beats):
                        yield trying.task, Failure(str(error))
                case "ready":
                    worker.ready = True
                    self._false_starts = 0
                    worker.deadline = time.monotonic() + max(START_S, timeout_s)
                case "imported":
                    worker.imported = True
                case _:
                    worker.num_beats += 1

    def _settle(self, worker: _Worker, queue: Queue[T], reason: str) -> Iterator[tuple[T, Failure]]:
        """Replace a dead or silent worker; its task goes back in pieces, or is answered by a Failure."""
        self._false_starts += not worker.ready
        if self._false_starts >= MAX_FALSE_STARTS:
            raise WorkerError(
                f"A worker process cannot start: {reason}.",
                "Run with one worker to see the error; a script that curates needs"
                " `if __name__ == '__main__':` around its call.",
            )
        trying, was_ready = worker.trying, worker.ready
        self._replace(worker)
        if trying is not None and not was_ready:
            queue.give_back(trying)
        elif trying is not None and not queue.put_back(trying, worker.num_beats):
            yield trying.task, Failure(reason)

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._workers[self._workers.index(worker)] = _Worker()


def engine_for(workers: int, name: EngineName = "local") -> InProcess | LocalPool | RayEngine:
    """This process for one worker, a supervised pool for more; or Ray.

    Raises:
        MissingExtraError: Ray is not installed.
        WorkerError: the cluster cannot be reached.
    """
    if name == "ray":
        from photogenic.engines.cluster import RayEngine

        return RayEngine(workers)
    return InProcess() if workers <= 1 else LocalPool(workers)


def _serve(connection: Connection) -> None:
    """A worker's life: take (function, task), answer, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()
    connection.send("ready")
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        has_imported = False
        while True:
            try:
                function, task = connection.recv()
            except ImportError as error:  # no picture's doing: none could be scored here
                connection.send(Raised(_cannot_load(error)))
                continue
            if not has_imported:
                connection.send("imported")
                has_imported = True
            connection.send(_answer(function, task, lambda: connection.send("beat")))


def _cannot_load(error: ImportError) -> WorkerError:
    return WorkerError(
        f"A worker process cannot load its task: {type(error).__name__}: {error}.",
        "Install what is missing, or set PYTHONPATH to where it lies.",
    )


def _answer(function: Callable[[Any, Beat], Any], task: Any, beat: Beat) -> Done | Raised:
    try:
        return Done(function(task, beat))
    except PhotogenicError as error:
        return Raised(error)
    except (BrokenPipeError, ConnectionResetError):
        raise  # the parent is gone
    except Exception as error:  # whatever a picture provokes in a library is that picture's own failure
        return Raised(f"{type(error).__name__}: {error}")


def _die_with_parent() -> None:
    """A worker in the middle of a long task would not notice that nobody waits for its answer."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
