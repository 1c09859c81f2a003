"""One code for SQLite and PostgreSQL: connections, transactions, and what the two do differently."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from photogenic.core.errors import MissingExtraError, RunError
from photogenic.web.tables import queues

BUSY_TIMEOUT_MS = 10_000


class Database:
    """An engine with `reading()` and `writing()`; a writing transaction is short and commits at its end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # SQLite has one writer; waiting here is quick, while its own busy handler sleeps and retries.
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if self.is_sqlite else contextlib.nullcontext()
        )
        # What SQLite does anyway, PostgreSQL has to be told: else each statement sees another moment.
        self._of_one_moment: dict[str, Any] = (
            {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A view of one moment; nothing may be written."""
        with self.engine.connect().execution_options(**self._of_one_moment) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing; committed (and on disk) when the block ends."""
        with (
            self._turn,
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def locked_queue(self, connection: Connection, queue_id: str) -> Row[Any] | None:
        """The queue's row, if there is one; nobody else claims or judges in it until the transaction ends."""
        query = select(queues).where(queues.c.queue_id == queue_id)
        return connection.execute(query if self.is_sqlite else query.with_for_update()).first()

    def alone(self, connection: Connection) -> None:
        """Wait until nobody else is in here, and let nobody in until the transaction ends.

        For what is to be made once, and not again by somebody who saw at the same time that it was not there.
        """
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('photogenic'))"))

    def close(self) -> None:
        self.engine.dispose()


def refresh_statistics(connection: Connection) -> None:
    """To be called once many rows came in.

    Until PostgreSQL has looked at a table it takes a long queue for a short one, and each claim reads and
    sorts all of it instead of following an index. SQLite plans without statistics.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE"))


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(url, pool_size=16, max_overflow=32)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        if parsed.drivername == "postgresql":  # alone it would mean psycopg's predecessor
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_size=16, max_overflow=32, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise MissingExtraError("postgres", "A PostgreSQL database") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise RunError(
            "The address of the database cannot be read.",
            "Write sqlite:////path/file.db or postgresql://user:password@host/name.",
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # what is answered as accepted survives a power cut
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
