"""A small web room with one kind of queue, and people who are signed in."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select, update

from photogenic.web.app import create_app
from photogenic.web.database import Database
from photogenic.web.guard import cookie_name
from photogenic.web.migrate import WEB, migrate
from photogenic.web.people import invite
from photogenic.web.queues import NewItem, NewPicture, add_items, add_pictures, create_queue
from photogenic.web.registration import Item, Judgment, Outcome, QueueKind, Registration
from photogenic.web.settings import Settings
from photogenic.web.tables import items, leases

ORIGIN = "http://testserver"


def picture_bytes(number: int, **save: Any) -> bytes:
    memory = io.BytesIO()
    image = Image.new("RGB", (64, 48), (number % 256, 100, 50))
    image.save(memory, "JPEG", **save)
    return memory.getvalue()


def read(_kind: str, body: Mapping[str, Any]) -> str:
    if body.get("verdict") not in ("keep", "drop"):
        raise ValueError("verdict: keep or drop.")
    return str(body["verdict"])


def decide(judgments: Sequence[Judgment], item: Item) -> Outcome:
    """Two that agree settle an overlap of two; else a third; then the lead."""
    answers = [one.answer for one in judgments]
    enough = item.overlap // 2 + 1
    for answer in ("keep", "drop"):
        if answers.count(answer) >= enough:
            return Outcome("done", len(answers), answer)
    if len(answers) <= item.overlap and item.overlap + 1 < 4 and len(answers) < 3:
        return Outcome("pending", item.overlap + (len(answers) == item.overlap))
    return Outcome("adjudicate", len(answers))


TOY = QueueKind(
    name="toy",
    screen="loupe",
    roles=frozenset(("generalist", "specialist")),
    judging=frozenset(("decide",)),
    read=read,
    decide=decide,
    show=lambda _connection, found, _person: [{} for _ in found],
    picture_size="thumb",
)


@dataclass
class Office:
    """The application, its people, and shortcuts."""

    settings: Settings
    registration: Registration
    pictures: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = create_app(self.settings, self.registration)
        self.room = self.app.state.room

    def client(self, token: str | None = None) -> TestClient:
        return TestClient(
            self.app,
            base_url=ORIGIN,
            headers={"Origin": ORIGIN},
            cookies={cookie_name(self.settings): token} if token else None,
            raise_server_exceptions=False,
        )

    def link_for(self, name: str, role: str, lifetime_s: float = 100.0) -> str:
        with self.room.database.writing() as connection:
            return invite(connection, name=name, role=role, lifetime_s=lifetime_s).token

    def person(self, name: str, role: str) -> TestClient:
        """A client that is signed in; its cookie came from a real sign-in."""
        client = self.client()
        answer = client.post("/api/sign-in", json={"invite": self.link_for(name, role)})
        assert answer.status_code == 204, answer.text
        return client

    def queue(self, num: int, *, overlap: int = 1, kind: str = "toy", **item: Any) -> str:
        with self.room.database.writing() as connection:
            queue_id = create_queue(connection, kind=kind, title="Toys")
            new = []
            for number in range(num):
                data = picture_bytes(number)
                digest = sha256(data).hexdigest()[:32]
                self.pictures[digest] = data
                new.append(
                    NewItem({"images": [digest], "number": number, "secret": "score"}, overlap, **item)
                )
            add_pictures(
                connection,
                queue_id,
                [NewPicture(digest, "toys", {"digest": digest}, 64, 48) for digest in self.pictures],
            )
            add_items(connection, queue_id, new)
        return queue_id

    def expire_leases(self) -> None:
        """Let everybody's time run out."""
        with self.room.database.writing() as connection:
            connection.execute(update(leases).values(expires_at=1.0))

    def items(self, queue_id: str) -> list[Any]:
        with self.room.database.reading() as connection:
            return list(
                connection.execute(
                    select(items).where(items.c.queue_id == queue_id).order_by(items.c.position)
                )
            )


@cache
def _fresh_database() -> Path:
    """A file with all tables and nothing in them: making them for every test would take most of its time."""
    folder = Path(tempfile.mkdtemp(prefix="photogenic-tests-"))
    atexit.register(shutil.rmtree, folder)
    database = Database(f"sqlite:///{folder / 'fresh.db'}")
    migrate(database, {"web": WEB})
    database.close()
    return folder / "fresh.db"


def office_at(folder: Path, database_url: str | None = None, **settings: Any) -> Office:
    if database_url is None:
        shutil.copy(_fresh_database(), folder / "room.db")
    pictures: dict[str, bytes] = {}
    registration = Registration(
        name="toys", kinds=(TOY,), read_picture=lambda locator: pictures[locator["digest"]]
    )
    chosen = Settings(
        database_url=database_url or f"sqlite:///{folder / 'room.db'}",
        folder=folder,
        origins=(ORIGIN,),
        sign_ins_per_minute=settings.pop("sign_ins_per_minute", 1000),
        **settings,
    )
    return Office(chosen, registration, pictures)


def claim(client: TestClient, queue_id: str, count: int, held: Sequence[str] = ()) -> dict[str, Any]:
    answer = client.post(f"/api/queues/{queue_id}/claim", json={"count": count, "held": list(held)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def event(queue_id: str, item_id: str, kind: str = "decide", **body: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "kind": kind,
        "queue_id": queue_id,
        "item_id": item_id,
        "client_at": "2026-11-22T12:00:00Z",
        "body": body,
    }


def send(client: TestClient, *events: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/events", json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def work(client: TestClient, queue_id: str, verdict: Callable[[dict[str, Any]], str], most: int = 60) -> int:
    """Judge all that can be claimed; how many."""
    count = 0
    while got := claim(client, queue_id, most)["items"]:
        answer = send(client, *(event(queue_id, item["id"], verdict=verdict(item)) for item in got))
        assert answer["refused"] == []
        count += len(got)
    return count
