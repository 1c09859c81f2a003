"""Run by Alembic, with the connection that `migrate` put into the configuration."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["version_table"])
context.run_migrations()
