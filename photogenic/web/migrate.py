"""Bring the tables of each registration up to date; every registration has a history of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from photogenic.core.errors import RunError
from photogenic.web.database import Database

WEB = Path(__file__).parent / "migrations"


def migrate(database: Database, histories: dict[str, Path]) -> None:
    """Apply what is missing of each history (name -> folder with env.py and versions/), in their order.

    Raises:
        RunError: the database was made by a newer photogenic.
    """
    for name, folder in histories.items():
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        table = f"alembic_{name}"
        with database.writing() as connection:
            current = MigrationContext.configure(connection, opts={"version_table": table})
            head = ScriptDirectory.from_config(config).get_current_head()
            if current.get_current_revision() == head:
                continue
            config.attributes.update(connection=connection, version_table=table)
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise RunError(
                    f"The database has tables of {name!r} that this photogenic does not know: {error}.",
                    "Use the version of photogenic that made it, or a newer one.",
                ) from error
