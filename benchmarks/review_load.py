"""Many people judge at once while the server is killed and started again.

    python benchmarks/review_load.py                                        20 people, SQLite
    python benchmarks/review_load.py --people 100 --every 2 --database postgresql+pg8000://user@host/name

Each person claims items and sends one judgment every `--every` seconds; a request that fails is sent again
with the same ids. At the end the database is asked whether every judgment that was answered is there once,
and whether any item has more judgments than it wanted. Printed: the 50th and 95th percentile of a write,
those within 3 s of a start of the server left out. Load and server share the machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import func, select

from photogenic.web.app import open_room
from photogenic.web.people import add_person, open_session
from photogenic.web.queues import NewItem, add_items, create_queue
from photogenic.web.registration import Item, Judgment, Outcome, QueueKind, Registration
from photogenic.web.serve import serve
from photogenic.web.settings import Settings
from photogenic.web.tables import events, items

QUIET_S = 3.0  # after a start


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


@dataclass
class Load:
    """What happened."""

    port: int
    every_s: float
    starts: list[float] = field(default_factory=list)
    writes: list[tuple[float, float]] = field(default_factory=list)  # (begun, seconds)
    claims: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def person(self, token: str, queue: str, delay_s: float) -> None:
        origin = f"http://127.0.0.1:{self.port}"
        cookies = {"photogenic_session": token}
        client = httpx.Client(base_url=origin, headers={"Origin": origin}, cookies=cookies, timeout=60)
        time.sleep(delay_s)
        waiting: list[str] = []
        due = time.monotonic()
        while not self.stop.is_set():
            if not waiting:
                answer, took = self.insist(client, f"/api/queues/{queue}/claim", {"count": 20})
                self.claims.append(took)
                waiting = [item["id"] for item in answer["items"]]
                if not waiting:
                    return
            time.sleep(max(0.0, due - time.monotonic()))
            due += self.every_s
            self.judge(client, queue, waiting.pop(0))

    def judge(self, client: httpx.Client, queue: str, item: str) -> None:
        one = {
            "event_id": str(uuid.uuid4()),
            "kind": "decide",
            "queue_id": queue,
            "item_id": item,
            "client_at": "2026-01-01T00:00:00Z",
            "body": {"verdict": "keep", "active_ms": 900},
        }
        begun = time.monotonic()
        answer, took = self.insist(client, "/api/events", {"events": [one]})
        self.writes.append((begun, took))
        self.accepted.extend(answer["accepted"])

    def insist(self, client: httpx.Client, path: str, body: dict[str, Any]) -> tuple[Any, float]:
        """The answer, and how long the call took that brought it."""
        while True:
            begun = time.monotonic()
            try:
                answer = client.post(path, json=body)
                if answer.status_code == 200:
                    return answer.json(), time.monotonic() - begun
            except httpx.TransportError:
                pass
            time.sleep(0.1)

    def quiet(self) -> list[float]:
        """Seconds of the writes, without those near a start or while the server was away."""
        return [
            took
            for begun, took in self.writes
            if not any(start - 1.0 <= begun + took and begun < start + QUIET_S for start in self.starts)
        ]


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
        folder,
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/me", timeout=30)
            return server
        except httpx.TransportError:
            time.sleep(0.1)


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    url = arguments.database or f"sqlite:///{folder / 'load.db'}"
    queue, tokens = prepare(url, folder, arguments.items, arguments.people)
    load = Load(arguments.port, arguments.every)
    server = start(url, folder, arguments.port)
    load.starts.append(time.monotonic())
    threads = [
        threading.Thread(target=load.person, args=(token, queue, arguments.every * number / len(tokens)))
        for number, token in enumerate(tokens)
    ]
    for thread in threads:
        thread.start()
    for _ in range(arguments.kills):
        time.sleep(arguments.seconds / (arguments.kills + 1))
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = start(url, folder, arguments.port)
        load.starts.append(time.monotonic())
    time.sleep(arguments.seconds / (arguments.kills + 1))
    load.stop.set()
    for thread in threads:
        thread.join()
    server.terminate()
    server.wait()
    return told(load, url, folder)


def told(load: Load, url: str, folder: Path) -> dict[str, Any]:
    room = open_room(settings_of(url, folder), LOAD)
    with room.database.reading() as connection:
        kept = list(connection.execute(select(events.c.event_id)).scalars())
        over = connection.execute(select(func.count()).where(items.c.given > items.c.wanted)).scalar_one()
    room.database.close()
    quiet = np.array(load.quiet()) * 1000
    return {
        "judgments": len(load.accepted),
        "lost": len(set(load.accepted) - set(kept)),
        "doubled": len(kept) - len(set(kept)),
        "over_their_overlap": over,
        "writes_measured": len(quiet),
        "write_ms_p50": round(float(np.percentile(quiet, 50)), 1),
        "write_ms_p95": round(float(np.percentile(quiet, 95)), 1),
        "claim_ms_p50": round(float(np.percentile(np.array(load.claims) * 1000, 50)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument(
        "--every", type=float, default=1.0, help="seconds between two judgments of one person"
    )
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--database", default="")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        folder = Path(arguments.folder)
        serve(settings_of(arguments.database, folder), LOAD, host="127.0.0.1", port=arguments.port)
        return
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(run(arguments, Path(name)), indent=2))


if __name__ == "__main__":
    main()
