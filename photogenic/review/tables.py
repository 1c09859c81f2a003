"""The tables of the review. Their history is in migrations/."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text

METADATA = MetaData()

guidelines = Table(
    "guidelines",
    METADATA,
    Column("queue_id", String(16), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("markdown", Text, nullable=False),
    Column("examples", Text, nullable=False),  # JSON: [{criterion, good, bad, words}]
    Column("person_id", String(16), nullable=False),
    Column("at", Float, nullable=False),
)
