import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from photogenic.core.errors import MissingExtraError, RunError, WorkerError
from photogenic.engines.here import InProcess
from photogenic.engines.local import LocalPool, engine_for
from photogenic.engines.tasks import Beat, Engine, Failure


@dataclass(frozen=True)
class Items:
    values: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.values[start:stop])


DIES, HANGS, RAISES, REFUSES, KILLS_THE_BATCH = 13, 17, 19, 23, 29


def square(task: Items, beat: Beat) -> list[int]:
    squares = []
    for value in task.values:
        match value:
            case 13:
                os.kill(os.getpid(), signal.SIGKILL)
            case 17:
                time.sleep(3600)
            case 19:
                raise ValueError("nineteen")
            case 23:
                raise RunError("Twenty-three is refused.", "Give another.")
        squares.append(value * value)
        beat()
    if KILLS_THE_BATCH in task.values:
        os.abort()
    return squares


def tasks_of(values: range, size: int) -> list[Items]:
    return [Items(tuple(values[start : start + size])) for start in range(0, len(values), size)]


def run(engine: Engine, values: range, size: int, timeout_s: float = 30.0) -> tuple[dict, dict]:
    squares, failures = {}, {}
    for task, result in engine.map(square, tasks_of(values, size), timeout_s=timeout_s):
        if isinstance(result, Failure):
            assert len(task) == 1
            failures[task.values[0]] = result.reason
        else:
            squares |= dict(zip(task.values, result, strict=True))
    return squares, failures


def test_a_dying_a_hanging_and_a_raising_item_are_set_apart_and_all_others_done() -> None:
    with LocalPool(2) as pool:
        squares, failures = run(pool, range(22), size=11, timeout_s=5.0)
        assert "SIGKILL" in failures.pop(DIES)
        assert failures.pop(HANGS) == "no sign of life for 5 s"
        assert failures.pop(RAISES) == "ValueError: nineteen"
        assert not failures
        assert squares == {n: n * n for n in range(22) if n not in (DIES, HANGS, RAISES)}
        # the same pool goes on
        assert run(pool, range(6), size=2)[0] == {n: n * n for n in range(6)}


def test_where_the_whole_batch_dies_halving_finds_the_culprit() -> None:
    with LocalPool(2) as pool:
        squares, failures = run(pool, range(24, 32), size=8)
    assert "SIGABRT" in failures[KILLS_THE_BATCH]
    assert sorted(squares) == [24, 25, 26, 27, 28, 30, 31]


def test_engines_agree() -> None:
    with LocalPool(3) as pool:
        whole = [run(pool, range(12, 19), size=size, timeout_s=4.0) for size in (1, 4)]
    assert whole[0] == whole[1]
    assert sorted(whole[0][1]) == [DIES, HANGS]
    here = run(InProcess(), range(18, 22), size=4)
    assert here == ({18: 324, 20: 400, 21: 441}, {19: "ValueError: nineteen"})


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_for_the_user_ends_the_call(workers: int) -> None:
    engine = engine_for(workers)
    with pytest.raises(RunError, match="Twenty-three") as caught:
        run(engine, range(20, 26), size=3)
    assert caught.value.fix == "Give another."
    engine.close()


@dataclass(frozen=True)
class NotThere(Items):
    """Items that a worker cannot load."""

    def __reduce__(self) -> tuple[object, ...]:
        return importlib.import_module, ("no_such_module_anywhere",)


def test_a_module_that_workers_do_not_have_ends_the_call() -> None:
    with LocalPool(1) as pool:
        with pytest.raises(WorkerError, match=r"ModuleNotFoundError: .*no_such_module_anywhere"):
            list(pool.map(square, [NotThere((1, 2))], timeout_s=30.0))
        assert run(pool, range(3), size=1)[0] == {0: 0, 1: 1, 2: 4}


def test_a_worker_killed_from_outside_costs_nothing() -> None:
    with LocalPool(2) as pool:
        results = pool.map(square, tasks_of(range(12), 1), timeout_s=30.0)
        values = [next(results)[0].values[0]]
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        values += [task.values[0] for task, result in results if not isinstance(result, Failure)]
    assert sorted(values) == list(range(12))


def test_who_stops_listening_gets_no_stale_answers() -> None:
    with LocalPool(2) as pool:
        for _ in pool.map(square, tasks_of(range(10), 1), timeout_s=30.0):
            break
        assert run(pool, range(3), size=1)[0] == {0: 0, 1: 1, 2: 4}
    assert not multiprocessing.active_children()


def fall_asleep(task: Items, beat: Beat) -> None:
    print("asleep", flush=True)
    time.sleep(3600)


ORPHANS = """
import sys
sys.path.insert(0, {folder!r})
from engines.test_local import Items, fall_asleep
from photogenic.engines.local import LocalPool
import multiprocessing
if __name__ == "__main__":
    pool = LocalPool(2)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    list(pool.map(fall_asleep, [Items((1,)), Items((2,))], timeout_s=600.0))
"""


def test_workers_die_with_their_parent_even_in_the_middle_of_a_task(tmp_path: Path) -> None:
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS.format(folder=str(Path(__file__).parent.parent)))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert [parent.stdout.readline() for _ in workers] == 2 * ["asleep\n"]
        parent.kill()
    for _ in range(600):
        if not any(alive(pid) for pid in workers):
            return
        time.sleep(0.1)
    pytest.fail("workers outlived their parent")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_ray_the_engine_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"extra \[ray\]"):
        engine_for(2, "ray")


def test_a_worker_killed_before_it_is_there_is_replaced() -> None:
    with LocalPool(2) as pool:
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)
        assert run(pool, range(6), size=2) == ({n: n * n for n in range(6)}, {})
