"""Processes without the price of their imports: one that has imported everything forks all others.

What it starts is a process of its own, with its own environment, folder and output, and can be killed. It has
in common with its siblings what imports have made, and nothing else. torch has one thread in all of them.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

TESTS = Path(__file__).parent
PATHS = [str(folder) for folder in (TESTS, TESTS / "train", TESTS / "models")]
IMPORTED = (
    "photogenic.cli",
    "photogenic.train.pretrain",
    "photogenic.train.tune",
    "photogenic.generate.batch",
    "photogenic.evaluate.automatic",
    "tiny",
)
PATIENCE_S = 600


class Process:
    """One that a nursery has forked."""

    def __init__(self, nursery: Nursery, pid: int, output: Path) -> None:
        self.pid = pid
        self._nursery = nursery
        self._output = output
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status; negative: the signal that ended it; None while it runs."""
        if self._status is None:
            self._status = self._nursery.ask({"status": self.pid})
        return self._status

    def wait(self) -> int:
        """As `poll`, when it has ended."""
        until = time.monotonic() + PATIENCE_S
        while (status := self.poll()) is None:
            assert time.monotonic() < until, self.said()
            time.sleep(0.01)
        return status

    def kill(self) -> int:
        """End it at once, unless it has ended; its exit status."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def said(self) -> str:
        """What it has written to stdout and stderr."""
        return self._output.read_text(encoding="utf-8", errors="replace")


class Nursery:
    """Forks processes on request; `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._num_started = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self, function: str, *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """A process that calls `module:function` with `arguments` as words, and ends."""
        self._num_started += 1
        output = self._folder / f"{self._num_started}.txt"
        order = {
            "function": function,
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd or self._folder),
            "env": dict(env or {}),
            "output": str(output),
        }
        return Process(self, self.ask({"start": order}), output)

    def together(
        self, size: int, function: str, *arguments: object, cwd: Path | None = None
    ) -> list[Process]:
        """`size` processes with the environment that torchrun gives its own; all must end well."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        processes = [
            self.start(
                function, *arguments, cwd=cwd, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            )
            for rank in range(size)
        ]
        try:
            for process in processes:
                assert process.wait() == 0, "\n\n".join(each.said()[-6000:] for each in processes)
        finally:
            for process in processes:
                process.kill()
        return processes

    def ask(self, request: dict[str, Any]) -> Any:
        """One line to the server, and its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()


def photogenic(*arguments: str) -> None:
    """The command line."""
    from photogenic.cli import main

    sys.argv[:] = ["photogenic", *arguments]
    main()


def serve() -> None:
    """Import everything, then fork for each order that comes in."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print is no answer
    sys.path[:0] = PATHS
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _fork(request["start"]) if "start" in request else _status(request["status"])
        print(json.dumps(answer), file=answers, flush=True)


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _live(order)
    return pid


def _live(order: dict[str, Any]) -> NoReturn:
    status = 1
    try:
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(output, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(order["cwd"])
        os.environ.update(order["env"])
        module, _, name = order["function"].partition(":")
        getattr(importlib.import_module(module), name)(*order["arguments"])
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
