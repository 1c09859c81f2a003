"""The tables of the web room. Their history is in migrations/; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)

METADATA = MetaData()

# For queries that are to use the partial indices below: a database must see the constant, not a parameter.
NONE: ColumnElement[int] = literal_column("0")
ACTIVE: ColumnElement[str] = literal_column("'active'")
ADJUDICATE: ColumnElement[str] = literal_column("'adjudicate'")
Sequence = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key counts up in SQLite

people = Table(
    "people",
    METADATA,
    Column("person_id", String(16), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("kind", String(8), nullable=False, server_default="person"),  # person | model
    Column("active", Boolean, nullable=False),
    Column("passphrase_hash", String(200)),
    Column("created_at", Float, nullable=False),
)

invites = Table(
    "invites",
    METADATA,
    Column("invite_id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("role", String(16), nullable=False),
    Column("kind", String(8), nullable=False, server_default="person"),
    Column("person_id", String(16)),  # whom it signs in; null: it makes a person
    Column("created_by", String(16)),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Column("revoked", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    METADATA,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", String(16), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

audit = Table(
    "audit",
    METADATA,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("person_id", String(16)),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("body", Text, nullable=False),
)

queues = Table(
    "queues",
    METADATA,
    Column("queue_id", String(16), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("title", String(200), nullable=False),
    Column("state", String(8), nullable=False),  # open | closed
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("num_items", Integer, nullable=False),  # work only: no gold, no calibration
    Column("num_done", Integer, nullable=False),
    Column("num_adjudicate", Integer, nullable=False),
    Column("last_reopening", BigInteger, nullable=False),
)

items = Table(
    "items",
    METADATA,
    Column("item_id", String(16), primary_key=True),
    Column("queue_id", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("purpose", String(12), nullable=False),  # work | gold | calibration
    Column("expected", String(40)),  # the right answer of gold and calibration
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False),  # pending | done | adjudicate
    Column("outcome", String(40)),
    Column("adjudication", String(36)),  # the event that settled it, if a lead had to
    Column("overlap", Integer, nullable=False),  # judgments to begin with
    Column("wanted", Integer, nullable=False),  # judgments that it takes by now
    Column("given", Integer, nullable=False),
    Column("open_seats", Integer, nullable=False),  # wanted - given - active leases, while pending
    Column("reopening", BigInteger, nullable=False),  # when a seat came free again; 0: never
    Index("ix_items_purpose", "queue_id", "purpose", "position"),
    Index(
        "ix_items_open",
        "queue_id",
        "position",
        sqlite_where=text("open_seats > 0"),
        postgresql_where=text("open_seats > 0"),
    ),
    Index(
        "ix_items_reopened",
        "queue_id",
        "reopening",
        sqlite_where=text("open_seats > 0 AND reopening > 0"),
        postgresql_where=text("open_seats > 0 AND reopening > 0"),
    ),
    Index(
        "ix_items_adjudicate",
        "queue_id",
        "position",
        sqlite_where=text("state = 'adjudicate'"),
        postgresql_where=text("state = 'adjudicate'"),
    ),
)

leases = Table(
    "leases",
    METADATA,
    Column("item_id", String(16), primary_key=True),
    Column("person_id", String(16), primary_key=True),
    Column("queue_id", String(16), nullable=False),
    Column("state", String(8), nullable=False),  # active | used | expired
    Column("expires_at", Float, nullable=False),
    Index(
        "ix_leases_person",
        "queue_id",
        "person_id",
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "ix_leases_active",
        "queue_id",
        "expires_at",
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

events = Table(
    "events",
    METADATA,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("queue_id", String(16), nullable=False),
    Column("item_id", String(16), nullable=False),
    Column("person_id", String(16), nullable=False),
    Column("client_at", String(40), nullable=False),
    Column("received_at", Float, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_events_person", "queue_id", "person_id", "seq"),
    Index("ix_events_item", "item_id", "person_id", "seq"),
)

# What follows is derived from the events, in the same transaction; `rebuild` makes it anew.

judgments = Table(
    "judgments",
    METADATA,
    Column("item_id", String(16), primary_key=True),
    Column("person_id", String(16), primary_key=True),
    Column("queue_id", String(16), nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("answer", String(40), nullable=False),
    Column("active_ms", Integer, nullable=False),  # 0: not told
    Index("ix_judgments_person", "queue_id", "person_id"),
)

standings = Table(
    "standings",
    METADATA,
    Column("queue_id", String(16), primary_key=True),
    Column("person_id", String(16), primary_key=True),
    Column("given", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),  # judged by this person and still waiting for others
    Column("place", BigInteger, nullable=False),  # every open item at or before it has been offered
    Column("reopening", BigInteger, nullable=False),  # the same of items that came free again
)

pictures = Table(
    "pictures",
    METADATA,
    Column("digest", String(32), primary_key=True),
    Column("reader", String(32), nullable=False),  # the registration that can read its bytes
    Column("locator", Text, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
)

queue_pictures = Table(
    "queue_pictures",
    METADATA,
    Column("queue_id", String(16), primary_key=True),
    Column("digest", String(32), primary_key=True),
)
