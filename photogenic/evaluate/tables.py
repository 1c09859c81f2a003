"""The table of the voting. Its history is in migrations/."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table

METADATA = MetaData()

vote_sides = Table(
    "vote_sides",
    METADATA,
    Column("event_id", String(36), primary_key=True),  # the vote
    Column("left_model", String(200), nullable=False),
    Column("right_model", String(200), nullable=False),
)
