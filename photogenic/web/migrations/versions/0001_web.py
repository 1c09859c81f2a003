"""People, sessions, queues, events."""

from alembic import op

from photogenic.web.append_only import forbid_changes
from photogenic.web.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind(), checkfirst=False)
    for table in ("events", "audit"):
        for statement in forbid_changes(table, op.get_bind().dialect.name):
            op.execute(statement)
