"""What an engine runs, what it answers, and what it does with a task that broke."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, Self, TypeVar

EngineName = Literal["local", "ray"]
Beat = Callable[[], None]  # a function calls it after each item: "alive, one more done"


class Task(Protocol):
    """A picklable run of items that can be cut into shorter runs."""

    def __len__(self) -> int:
        """Number of items."""

    def part(self, start: int, stop: int) -> Self:
        """The items from `start` to before `stop`, as a task."""


T = TypeVar("T", bound=Task)
R = TypeVar("R")


@dataclass(frozen=True)
class Failure:
    """A task of one item that broke its worker twice, or raised; `reason` is a sentence."""

    reason: str


class Engine(Protocol):
    """Runs `function(task, beat)` for each task; yields results as they come, in no promised order.

    A task that breaks is cut into pieces until what broke stands alone; that item's result is a Failure. A
    PhotogenicError raised by the function is meant for the user and ends the whole call.
    """

    def map(
        self, function: Callable[[T, Beat], R], tasks: Iterable[T], *, timeout_s: float
    ) -> Iterator[tuple[T, R | Failure]]:
        """`timeout_s`: the longest silence between two beats."""


@dataclass(frozen=True)
class Try(Generic[T]):
    """A task, and whether it is being tried for the second time."""

    task: T
    again: bool = False


class Queue(Generic[T]):
    """Tasks still to be tried: those that broke first, then new ones, drawn only when asked for."""

    def __init__(self, tasks: Iterable[T]) -> None:
        self._new = (Try(task) for task in tasks if len(task))
        self._broken: deque[Try[T]] = deque()

    def next(self) -> Try[T] | None:
        """The next task to try; None when there is none at present."""
        return self._broken.popleft() if self._broken else next(self._new, None)

    def give_back(self, untouched: Try[T]) -> None:
        """Queue a task that its worker never began."""
        self._broken.append(untouched)

    def put_back(self, broken: Try[T], num_done: int) -> bool:
        """Queue the pieces of a task that broke after `num_done` items; False when nothing is left to try."""
        task = broken.task
        if len(task) == 1:
            if not broken.again:
                self._broken.append(Try(task, again=True))
            return not broken.again
        # The item in hand when it broke is the suspect: alone it gets its second try, and the others go on
        # without it. Where all items were done it was their batch that broke: halving it finds the culprit.
        culprit = num_done if num_done < len(task) else None
        cuts = (0, len(task) // 2, len(task)) if culprit is None else (0, culprit, culprit + 1, len(task))
        for start, stop in itertools.pairwise(cuts):
            if start < stop:
                self._broken.append(Try(task.part(start, stop), again=start == culprit))
        return True
