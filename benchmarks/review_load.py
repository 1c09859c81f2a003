"""Many people judge at once while the server is killed and started again.

    python benchmarks/review_load.py                20 people, one judgment a second each, SQLite: a minute
    python benchmarks/review_load.py --postgres     100 people, one each two seconds, a PostgreSQL of its own
    python benchmarks/review_load.py --people 100 --every 2 --database postgresql://user@host/name

Each person claims items and sends one judgment every `--every` seconds; a request that fails is sent again
with the same ids. At the end the database is asked whether every judgment that was answered is there once,
and whether any item has more judgments than it wanted. Printed: the 50th and 95th percentile of a write,
without those within 3 s of a start of the server, and the latter's share of what is allowed; the server's
processor time for each request, which a busy machine changes little; then a verdict, and how calm the machine
was. Load and server share it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from calm import calmness, pin_server, verdict
from numpy.typing import NDArray
from sqlalchemy import func, select

from photogenic.web.app import open_room
from photogenic.web.people import add_person, open_session
from photogenic.web.queues import NewItem, add_items, create_queue
from photogenic.web.registration import Item, Judgment, Outcome, QueueKind, Registration
from photogenic.web.serve import serve
from photogenic.web.settings import Settings
from photogenic.web.tables import events, items

QUIET_S = 3.0  # after a start
WRITE_MS = {"sqlite": 50, "postgresql": 150}  # allowed at the 95th percentile


def decide(judgments: list[Judgment], item: Item) -> Outcome:
    done = len(judgments) >= item.overlap
    return Outcome("done" if done else "pending", item.overlap, "keep" if done else None)


LOAD = Registration(
    name="load",
    kinds=(
        QueueKind(
            name="load",
            screen="loupe",
            roles=frozenset(("generalist",)),
            judging=frozenset(("decide",)),
            read=lambda _kind, body: str(body["verdict"]),
            decide=decide,  # type: ignore[arg-type]
            show=lambda _connection, found, _person: [{} for _ in found],
        ),
    ),
)


def settings_of(url: str, folder: Path) -> Settings:
    return Settings(database_url=url, folder=folder, develops_ahead=False, lease_s=60.0)


class Caller:
    """One person's connection. Of the standard library: the load shares its machine with the server."""

    def __init__(self, port: int, token: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {
            "Origin": f"http://127.0.0.1:{port}",
            "Cookie": f"photogenic_session_{port}={token}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body; OSError or HTTPException while the server is away."""
        try:
            self.connection.request(method, path, body, self.headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()  # the next call opens it anew
            raise

    def insist(self, path: str, body: dict[str, Any]) -> tuple[Any, tuple[float, float]]:
        """The answer; when the call began that brought it, and how long it took."""
        sent = json.dumps(body).encode()
        while True:
            begun = time.monotonic()
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.call("POST", path, sent)
                if status == 200:
                    return json.loads(answer), (begun, time.monotonic() - begun)
            time.sleep(0.1)


@dataclass
class Load:
    """What happened."""

    port: int
    every_s: float
    starts: list[float] = field(default_factory=list)
    writes: list[tuple[float, float]] = field(default_factory=list)  # (begun, seconds)
    claims: list[tuple[float, float]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    cpu_s: float = 0.0  # of the servers, once they had started
    stop: threading.Event = field(default_factory=threading.Event)

    def person(self, token: str, queue: str, delay_s: float) -> None:
        caller = Caller(self.port, token)
        time.sleep(delay_s)
        waiting: list[str] = []
        due = time.monotonic()
        while not self.stop.is_set():
            if not waiting:
                answer, call = caller.insist(f"/api/queues/{queue}/claim", {"count": 20})
                self.claims.append(call)
                waiting = [item["id"] for item in answer["items"]]
                if not waiting:
                    return
            time.sleep(max(0.0, due - time.monotonic()))
            due += self.every_s
            self.judge(caller, queue, waiting.pop(0))

    def judge(self, caller: Caller, queue: str, item: str) -> None:
        one = {
            "event_id": str(uuid.uuid4()),
            "kind": "decide",
            "queue_id": queue,
            "item_id": item,
            "client_at": "2026-01-01T00:00:00Z",
            "body": {"verdict": "keep", "active_ms": 900},
        }
        answer, call = caller.insist("/api/events", {"events": [one]})
        self.writes.append(call)
        self.accepted.extend(answer["accepted"])

    def quiet_ms(self, calls: list[tuple[float, float]]) -> NDArray[np.float64]:
        """Milliseconds of the calls, without those that began near a start of the server."""
        near = [(start - 1.0, start + QUIET_S) for start in self.starts]
        quiet = [took for begun, took in calls if not any(low <= begun < high for low, high in near)]
        return 1000 * np.array(quiet)


def prepare(url: str, folder: Path, num_items: int, num_people: int) -> tuple[str, list[str]]:
    """A queue, and the tokens of people who are signed in."""
    room = open_room(settings_of(url, folder), LOAD)
    with room.database.writing() as connection:
        queue = create_queue(connection, kind="load", title="Load")
        add_items(connection, queue, [NewItem({"images": []}, overlap=2) for _ in range(num_items)])
        people = [add_person(connection, f"Person {number}", "generalist") for number in range(num_people)]
        tokens = [open_session(connection, person, 86_400, None) for person in people]
    room.database.close()
    return queue, tokens


def start(url: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        __file__,
        "--serve",
        "--database",
        url,
        "--port",
        str(port),
        "--folder",
        str(folder),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    pin_server(server.pid)
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            Caller(port).call("GET", "/api/me")
            return server
        time.sleep(0.1)


def run(arguments: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    queue, tokens = prepare(url, folder, arguments.items, arguments.people)
    load = Load(arguments.port, arguments.every)
    server = start(url, folder, arguments.port)
    load.starts.append(time.monotonic())
    started_s = cpu_of(server.pid)
    threads = [
        threading.Thread(target=load.person, args=(token, queue, arguments.every * number / len(tokens)))
        for number, token in enumerate(tokens)
    ]
    for thread in threads:
        thread.start()
    for _ in range(arguments.kills):
        time.sleep(arguments.seconds / (arguments.kills + 1))
        load.cpu_s += cpu_of(server.pid) - started_s
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = start(url, folder, arguments.port)
        load.starts.append(time.monotonic())
        started_s = cpu_of(server.pid)
    time.sleep(arguments.seconds / (arguments.kills + 1))
    load.stop.set()
    for thread in threads:
        thread.join()
    load.cpu_s += cpu_of(server.pid) - started_s
    server.terminate()
    server.wait()
    return told(load, url, folder)


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def told(load: Load, url: str, folder: Path) -> dict[str, Any]:
    room = open_room(settings_of(url, folder), LOAD)
    with room.database.reading() as connection:
        kept = list(connection.execute(select(events.c.event_id)).scalars())
        over = connection.execute(select(func.count()).where(items.c.given > items.c.wanted)).scalar_one()
    room.database.close()
    writes, claims = load.quiet_ms(load.writes), load.quiet_ms(load.claims)
    if not (writes.size and claims.size):
        raise SystemExit("Nothing was measured outside the seconds after a restart: raise --seconds.")
    return {
        "judgments": len(load.accepted),
        "lost": len(set(load.accepted) - set(kept)),
        "doubled": len(kept) - len(set(kept)),
        "over_their_overlap": over,
        "writes_measured": len(writes),
        "write_ms_p50": round(float(np.percentile(writes, 50)), 1),
        "write_ms_p95": round(float(np.percentile(writes, 95)), 1),
        "claim_ms_p50": round(float(np.percentile(claims, 50)), 1),
        "server_cpu_ms_per_request": round(1000 * load.cpu_s / (len(load.writes) + len(load.claims)), 2),
    }


def tell(found: dict[str, Any], url: str) -> list[str]:
    """Print it; which goals were missed."""
    allowed = WRITE_MS[url.split(":", 1)[0].split("+", 1)[0]]
    share = found["write_ms_p95"] / allowed
    print(json.dumps(found, indent=2))
    print(f"95th percentile of a write: {share:.2f} of the {allowed} ms allowed")
    bad = [name for name in ("lost", "doubled", "over_their_overlap") if found[name]]
    return bad + (["95th percentile of a write"] if share > 1 else [])


@contextlib.contextmanager
def database(arguments: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The address of the database: one that was named, a PostgreSQL server of our own, or a file."""
    if not arguments.postgres:
        yield arguments.database or f"sqlite:///{folder / 'load.db'}"
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from web.postgres import running_server

    with running_server() as url:
        yield url


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int)
    parser.add_argument("--every", type=float, help="seconds between two judgments of one person")
    parser.add_argument("--seconds", type=float, default=36.0)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--database", default="")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.people = arguments.people or (100 if arguments.postgres else 20)
    arguments.every = arguments.every or (2.0 if arguments.postgres else 1.0)
    return arguments


def main() -> int:
    arguments = options()
    if arguments.serve:
        folder = Path(arguments.folder)
        serve(settings_of(arguments.database, folder), LOAD, host="127.0.0.1", port=arguments.port)
        return 0
    before = calmness()
    with tempfile.TemporaryDirectory() as name, database(arguments, Path(name)) as url:
        missed = tell(run(arguments, url, Path(name)), url)
    return verdict(missed, before, calmness())


if __name__ == "__main__":
    sys.exit(main())
