"""Who decides is a person, or a model that is called one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("people", "invites"):
        op.add_column(table, sa.Column("kind", sa.String(8), nullable=False, server_default="person"))
