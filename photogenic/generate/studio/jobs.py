"""Jobs of the studio: one after the other, first come first served, each told of as it goes."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from photogenic.web.refusals import Refusal, not_found

Told = dict[str, Any]  # {"event": name, ...}: what a browser hears
FINAL = frozenset(("done", "cancelled", "failed"))
PATIENCE_S = 15.0  # a line is sent at least so often, or proxies and browsers hang up


@dataclass(frozen=True)
class Limits:
    """What one server gives to one visitor, and to all."""

    max_prompt_chars: int = 600
    max_count: int = 8
    max_steps: int = 100
    max_size_px: int = 1024
    max_waiting: int = 20  # jobs in line, of all visitors
    max_waiting_each: int = 4  # of one visitor
    jobs_per_minute: int = 30  # of one visitor
    num_remembered: int = 60  # finished jobs that history and downloads still know


class Cancelled(Exception):
    """Somebody pressed cancel; raised in the middle of a drawing to leave it."""


@dataclass
class Job:
    """What was asked for, what became of it, and everything that was told on the way."""

    job_id: str
    request: dict[str, Any]
    visitor: str
    state: str = "waiting"  # waiting | drawing | done | cancelled | failed
    pictures: dict[tuple[str, int], bytes] = field(default_factory=dict)  # (model, number) -> PNG
    withheld: set[tuple[str, int]] = field(default_factory=set)
    error: str = ""
    created_at: float = field(default_factory=time.time)
    told: list[Told] = field(default_factory=list)
    last: int = 0  # the number of what was told last
    news: threading.Condition = field(default_factory=threading.Condition)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def tell(self, event: str, **words: Any) -> None:
        """Let everybody who listens know. Of the steps of a picture only the last is kept."""
        with self.news:
            if event == "step":
                self.told = [
                    one for one in self.told if not _is_step_of(one, words["model"], words["number"])
                ]
            self.last += 1
            self.told.append({"event": event, "at": self.last, **words})
            self.news.notify_all()

    def check(self) -> None:
        """Leave the drawing if somebody wants that.

        Raises:
            Cancelled: somebody does.
        """
        if self.cancelled.is_set():
            raise Cancelled

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    def listen(self) -> Iterator[Told | None]:
        """Everything told so far and from now on, to the end; None when nothing was for a while."""
        heard = 0
        while True:
            with self.news:
                if heard == self.last:
                    self.news.wait(PATIENCE_S)
                fresh = [one for one in self.told if one["at"] > heard]
            if not fresh:
                yield None
            for one in fresh:
                yield one
                heard = one["at"]
                if one["event"] in FINAL:
                    return


def _is_step_of(told: Told, model: str, number: int) -> bool:
    return told["event"] == "step" and (told["model"], told["number"]) == (model, number)


class Line:
    """The line of jobs, and the one thread that works it off."""

    def __init__(self, draw: Callable[[Job], None], limits: Limits) -> None:
        self.limits = limits
        self._draw = draw
        self._line: queue.Queue[Job | None] = queue.Queue()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Cancel what is left and end."""
        with self._lock:
            left = [job for job in self._jobs.values() if not job.is_over]
        for job in left:
            job.cancelled.set()
        self._line.put(None)
        self._thread.join(timeout=30)

    def add(self, request: dict[str, Any], visitor: str) -> Job:
        """A job at the end of the line.

        Raises:
            Refusal: the line is full, or this visitor has enough in it.
        """
        with self._lock:
            waiting = [job for job in self._jobs.values() if not job.is_over]
            if len(waiting) >= self.limits.max_waiting:
                raise Refusal(429, f"{len(waiting)} jobs are in line already.", "Try again in a minute.")
            mine = sum(job.visitor == visitor for job in waiting)
            if mine >= self.limits.max_waiting_each:
                raise Refusal(
                    429, f"{mine} of your jobs are in line already.", "Wait for one, or cancel one."
                )
            job = Job(secrets.token_hex(8), request, visitor)
            self._jobs[job.job_id] = job
            self._forget_old()
        job.tell("waiting", before=len(waiting))
        self._line.put(job)
        return job

    def job(self, job_id: str) -> Job:
        """The job of that id.

        Raises:
            Refusal: 404, there is none, or it has been forgotten.
        """
        with self._lock:
            if job_id not in self._jobs:
                raise not_found("job")
            return self._jobs[job_id]

    def jobs(self) -> list[Job]:
        """All that are remembered, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def cancel(self, job_id: str) -> None:
        """End a job: at once if it waits, else after the step it is at."""
        job = self.job(job_id)
        job.cancelled.set()
        if job.state == "waiting":
            self._end(job, "cancelled")

    def _forget_old(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.is_over]
        for job_id in over[: max(0, len(self._jobs) - self.limits.num_remembered)]:
            del self._jobs[job_id]

    def _work(self) -> None:
        while (job := self._line.get()) is not None:
            if job.cancelled.is_set():
                self._end(job, "cancelled")
                continue
            job.state = "drawing"
            self._tell_places()
            try:
                self._draw(job)
                self._end(job, "done")
            except Cancelled:
                self._end(job, "cancelled")
            except Exception as error:
                job.error = str(error).split("\n")[0] or type(error).__name__
                self._end(job, "failed", error=job.error)

    def _end(self, job: Job, state: str, **words: Any) -> None:
        with self._lock:
            if job.is_over:
                return
            job.state = state
        job.tell(state, **words)

    def _tell_places(self) -> None:
        with self._lock:
            waiting = [job for job in self._jobs.values() if job.state == "waiting"]
        for before, job in enumerate(waiting, 1):
            job.tell("waiting", before=before)
