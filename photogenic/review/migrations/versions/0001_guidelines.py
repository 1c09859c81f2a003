"""Guidelines, version by version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "guidelines",
        sa.Column("queue_id", sa.String(16), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("markdown", sa.Text, nullable=False),
        sa.Column("examples", sa.Text, nullable=False),
        sa.Column("person_id", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
