"""What the user sees while something runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

console = Console(stderr=True, highlight=False)

LINE_EVERY_S = 10.0  # without a terminal (CI, a log file): one plain line this often


class Advance(Protocol):
    """Reports `n` more finished items."""

    def __call__(self, n: int = 1) -> None: ...


class RateColumn(ProgressColumn):
    """Finished items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


@contextlib.contextmanager
def progress(description: str, total: int) -> Iterator[Advance]:
    """A bar with rate and time left; yields `advance(n)`."""
    if not console.is_terminal:
        with _plain_progress(description, total) as advance:
            yield advance
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(description, total=total)

        def advance(n: int = 1) -> None:
            bar.advance(task, n)

        yield advance


@contextlib.contextmanager
def _plain_progress(description: str, total: int) -> Iterator[Advance]:
    begun = said = time.monotonic()
    done = 0

    def advance(n: int = 1) -> None:
        nonlocal done, said
        done += n
        now = time.monotonic()
        if now - said >= LINE_EVERY_S:
            said = now
            rate = done / (now - begun)
            console.print(
                f"{description}: {done}/{total}, {rate:.1f}/s, {(total - done) / max(rate, 1e-9):.0f} s left"
            )

    yield advance
    console.print(f"{description}: {done}/{total} in {time.monotonic() - begun:.1f} s")
