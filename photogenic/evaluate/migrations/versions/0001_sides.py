"""Which model was on which side, vote by vote."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "vote_sides",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("left_model", sa.String(200), nullable=False),
        sa.Column("right_model", sa.String(200), nullable=False),
    )
