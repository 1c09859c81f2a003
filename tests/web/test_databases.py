"""What has to hold on SQLite and on a real PostgreSQL server alike: concurrency, kills, backups."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ports import free_port, wait_for_port
from sqlalchemy import create_engine, func, select, text

from photogenic.core.errors import RunError
from photogenic.web.backup import backup, restore
from photogenic.web.claims import open_items
from photogenic.web.database import Database
from photogenic.web.guard import cookie_name
from photogenic.web.migrate import WEB, migrate
from photogenic.web.people import hashed
from photogenic.web.tables import METADATA, events, items

from .office import Office, claim, event, office_at, send, work
from .postgres import running_server

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """`database_url(name)`: an empty database."""

    def make(name: str) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        url = request.getfixturevalue("server_url")
        unique = f"{name}_{time.monotonic_ns()}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {unique}"))
        engine.dispose()
        return str(url).rsplit("/", 1)[0] + f"/{unique}"

    return make


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic keeps its own table beside them."""
    return kind != "table" or name in METADATA.tables


def test_the_migrations_make_the_tables_that_the_code_names(database_url: Callable[[str], str]) -> None:
    database = Database(database_url("fresh"))
    migrate(database, {"web": WEB})
    migrate(database, {"web": WEB})  # nothing is left to do
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _is_ours}
        )
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_events_only_grow(database_url: Callable[[str], str], tmp_path: Path) -> None:
    office = office_at(tmp_path, database_url("grow"))
    ada, queue = office.person("Ada", "generalist"), office.queue(1)
    send(ada, event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="keep"))
    for statement in ("UPDATE events SET kind = 'x'", "DELETE FROM events"):
        with pytest.raises(Exception, match="only grows"), office.room.database.writing() as connection:
            connection.execute(text(statement))
    office.room.database.close()


def test_many_at_once_judge_everything_once(database_url: Callable[[str], str], tmp_path: Path) -> None:
    office = office_at(tmp_path, database_url("many"))
    queue = office.queue(30, overlap=2)
    clients = [office.person(f"Person {number}", "generalist") for number in range(6)]
    threads = [threading.Thread(target=work, args=(one, queue, lambda _: "keep", 5)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        work(client, queue, lambda _: "keep")
    assert {(row.state, row.given) for row in office.items(queue)} == {("done", 2)}
    assert _count(office) == 60
    office.room.database.close()


def test_claiming_from_a_long_new_queue_follows_an_index(
    database_url: Callable[[str], str], tmp_path: Path
) -> None:
    office = office_at(tmp_path, database_url("long"))
    database, queue = office.room.database, office.queue(20_000)
    query = open_items(queue, items.c.position, 0).limit(24).compile(database.engine)
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    values = tuple(query.params[name] for name in query.positiontup or ()) or query.params
    with database.reading() as connection:
        rows = connection.exec_driver_sql(f"{explain} {query}", values)
        plan = " ".join(str(row[-1]) for row in rows)
    database.close()
    assert "ix_items_open" in plan
    assert "sort" not in plan.lower()
    assert "b-tree" not in plan.lower()  # SQLite's word for a sort


def test_a_backup_is_whole_and_a_restore_goes_on_with_it(
    database_url: Callable[[str], str], tmp_path: Path
) -> None:
    office = office_at(tmp_path, database_url("from"))
    ada, queue = office.person("Ada", "generalist"), office.queue(4)
    for item in claim(ada, queue, 2)["items"]:
        send(ada, event(queue, item["id"], verdict="keep"))
    backup(office.room.database, tmp_path / "dump.jsonl")
    send(ada, event(queue, claim(ada, queue, 1)["items"][0]["id"], verdict="drop"))  # after the backup
    other = office_at(tmp_path, database_url("into"))
    restore(other.room.database, tmp_path / "dump.jsonl")
    assert _count(other) == 2
    assert [row.outcome for row in other.items(queue)].count("keep") == 2
    assert other.client().get("/api/me").status_code == 401
    bo = other.person("Bo", "generalist")
    assert work(bo, queue, lambda _: "drop", 1) == 2
    assert _count(other) == 4
    with pytest.raises(RunError, match="not empty"):
        restore(other.room.database, tmp_path / "dump.jsonl")
    office.room.database.close()
    other.room.database.close()


def test_a_backup_of_sqlite_is_a_database_itself(tmp_path: Path) -> None:
    office = office_at(tmp_path)
    ada, queue = office.person("Ada", "generalist"), office.queue(3)
    work(ada, queue, lambda _: "keep")
    backup(office.room.database, tmp_path / "copy.db")
    (tmp_path / "new").mkdir()
    other = office_at(tmp_path / "new")
    restore(other.room.database, tmp_path / "copy.db")
    assert [row.outcome for row in other.items(queue)] == ["keep"] * 3


def test_a_copy_is_one_file_in_which_nobody_is_signed_in(tmp_path: Path) -> None:
    office = office_at(tmp_path)
    token = office.person("Ada", "generalist").cookies[cookie_name(office.settings)]
    (tmp_path / "copies").mkdir()
    backup(office.room.database, tmp_path / "copies" / "copy.db")
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["copy.db"]
    assert hashed(token).encode() not in (tmp_path / "copies" / "copy.db").read_bytes()


def test_what_is_read_at_once_is_of_one_moment(database_url: Callable[[str], str], tmp_path: Path) -> None:
    office = office_at(tmp_path, database_url("moment"))
    office.queue(2)
    with office.room.database.reading() as connection:
        count = select(func.count()).select_from(items)
        before = connection.execute(count).scalar_one()
        office.queue(3)
        assert connection.execute(count).scalar_one() == before == 2
    office.room.database.close()


def test_a_file_that_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    office = office_at(tmp_path)
    (tmp_path / "odd.db").write_bytes(b"no database" * 100)
    (tmp_path / "empty.db").touch()
    (tmp_path / "odd.jsonl").write_text('{"format": "something else"}\n', encoding="utf-8")
    (tmp_path / "cut.jsonl").write_text('{"format": "photogenic backup 1"}\n{"tab', encoding="utf-8")
    for name in ("odd.jsonl", "cut.jsonl", "missing.jsonl", "odd.db", "empty.db"):
        with pytest.raises(RunError):
            restore(office.room.database, tmp_path / name)
    assert _count(office) == 0


def _count(office: Office) -> int:
    with office.room.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


# --- killed ----------------------------------------------------------------------------------------------


def test_a_server_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    database_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, port = database_url("killed"), free_port()
    office = office_at(tmp_path, url)
    queue = office.queue(400, overlap=2)
    tokens = []
    for name in ("Ada", "Bo", "Cy"):
        client = office.person(name, "generalist")
        tokens.append(next(iter(client.cookies.values())))
    office.room.database.close()
    server, stop = _start(url, tmp_path, port), threading.Event()
    accepted: list[list[str]] = [[] for _ in tokens]
    threads = [
        threading.Thread(target=_work_through_kills, args=(port, token, queue, mine, stop))
        for token, mine in zip(tokens, accepted, strict=True)
    ]
    for thread in threads:
        thread.start()
    for goal in (12, 24):
        _wait_for(accepted, goal)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = _start(url, tmp_path, port)
    _wait_for(accepted, 36)
    stop.set()
    for thread in threads:
        thread.join()
    server.send_signal(signal.SIGKILL)
    server.wait()
    database = Database(url)
    with database.reading() as connection:
        kept = list(connection.execute(select(events.c.event_id)).scalars())
        over = connection.execute(select(func.count()).where(items.c.given > items.c.wanted)).scalar()
        given = connection.execute(select(func.sum(items.c.given))).scalar()
    database.close()
    answered = [event_id for mine in accepted for event_id in mine]
    assert sorted(kept) == sorted(set(answered))  # each was sent until it was answered
    assert (over, given) == (0, len(kept))


def _wait_for(accepted: list[list[str]], goal: int, timeout_s: float = 300.0) -> None:
    until = time.monotonic() + timeout_s
    while sum(map(len, accepted)) < goal:
        assert time.monotonic() < until, f"only {sum(map(len, accepted))} of {goal} events were accepted"
        time.sleep(0.02)


def _start(url: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, HERE / "toy_server.py", url, folder, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_port(port, server)
    return server


def _work_through_kills(
    port: int, token: str, queue: str, accepted: list[str], stop: threading.Event
) -> None:
    origin = f"http://127.0.0.1:{port}"
    client = httpx.Client(
        base_url=origin, headers={"Origin": origin}, cookies={f"photogenic_session_{port}": token}
    )

    def insist(path: str, body: dict[str, Any]) -> Any:
        while True:
            try:
                answer = client.post(path, json=body)
                if answer.status_code == 200:
                    return answer.json()
            except httpx.TransportError:
                pass  # the server is away; the same body is sent again
            time.sleep(0.05)

    while not stop.is_set():
        for item in insist(f"/api/queues/{queue}/claim", {"count": 5, "held": []})["items"]:
            answer = insist("/api/events", {"events": [event(queue, item["id"], verdict="keep")]})
            accepted.extend(answer["accepted"])
