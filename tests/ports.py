"""Ports for servers of the tests, and waiting for who listens there."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time
from typing import Any

PATIENCE_S = 300.0  # a busy machine takes long to import


def free_port() -> int:
    """Below the ports that the system gives to clients: one that tries again and again to reach a server that
    was killed could otherwise be given the very port, connect to itself, and keep the server from it."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port was found")


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    """Until the process listens there; TimeoutError where it takes too long, or has ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}; the process's status is {process.poll()}")
