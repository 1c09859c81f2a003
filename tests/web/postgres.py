"""A PostgreSQL server of the tests' own, in a temporary folder, gone when they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import PATIENCE_S, free_port, wait_for_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def binaries() -> Path | None:
    """Where initdb and postgres are; None: not installed."""
    if BINARIES:
        return BINARIES[0]
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Yields postgresql://…/postgres; the server does not run as root, for it refuses to."""
    home = binaries()
    if home is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="photogenic-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    subprocess.run(
        [home / "initdb", "-D", data, "-U", "tester", "--auth=trust", "--encoding=UTF8", "--no-locale"],
        check=True,
        capture_output=True,
        user=user,
        cwd=folder,
    )
    server = subprocess.Popen(
        [home / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        cwd=folder,
    )
    try:
        wait_for_port(port, server)
        url = f"postgresql://tester@127.0.0.1:{port}/postgres"
        _wait_until_it_takes(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for clients to go
        server.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_takes(url: str) -> None:
    """Its port is open a moment before it takes connections: until then it says that it is starting up."""
    import psycopg  # here, for only the second tier has it

    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
