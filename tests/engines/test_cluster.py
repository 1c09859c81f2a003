"""The engine on Ray, on a Ray of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from photogenic.core.errors import RunError
from photogenic.engines.cluster import RayEngine
from photogenic.engines.local import engine_for
from photogenic.engines.tasks import Failure

from .test_local import DIES, HANGS, RAISES, run, square, tasks_of

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    pytest.importorskip("ray")
    found = engine_for(2, "ray")
    assert isinstance(found, RayEngine)
    with found:
        yield found


def actors() -> list[int]:
    """The processes of this module's actors."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (folder / "cmdline").exists():
            name = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if name.startswith(b"ray::Holder") and _is_below_us(int(parent)):
                found.append(int(folder.name))
    return found


def _is_below_us(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def test_a_dying_a_hanging_and_a_raising_item_are_set_apart_and_all_others_done(engine: RayEngine) -> None:
    squares, failures = run(engine, range(22), size=11, timeout_s=5.0)
    assert "SIGKILL" in failures.pop(DIES)
    assert failures.pop(HANGS) == "no sign of life for 5 s"
    assert failures.pop(RAISES) == "ValueError: nineteen"
    assert not failures
    assert squares == {n: n * n for n in range(22) if n not in (DIES, HANGS, RAISES)}


def test_an_error_for_the_user_ends_the_call_and_the_engine_goes_on(engine: RayEngine) -> None:
    with pytest.raises(RunError, match="Twenty-three") as caught:
        run(engine, range(20, 26), size=3)
    assert caught.value.fix == "Give another."
    assert run(engine, range(6), size=2)[0] == {n: n * n for n in range(6)}


def test_a_killed_actor_costs_nothing(engine: RayEngine) -> None:
    before = actors()
    assert len(before) == 2
    results = engine.map(square, tasks_of(range(12), 2), timeout_s=30.0)
    task, first = next(results)
    assert not isinstance(first, Failure)
    squares = dict(zip(task.values, first, strict=True))
    os.kill(before[0], signal.SIGKILL)
    for task, result in results:
        assert not isinstance(result, Failure)
        squares |= dict(zip(task.values, result, strict=True))
    assert squares == {n: n * n for n in range(12)}


def test_no_more_tasks_are_drawn_than_there_are_actors(engine: RayEngine) -> None:
    drawn = []
    tasks = (drawn.append(task) or task for task in tasks_of(range(40), 1))  # type: ignore[func-returns-value]
    results = engine.map(square, tasks, timeout_s=30.0)
    next(results)
    assert len(drawn) <= 3
    results.close()  # type: ignore[attr-defined]
