"""Run by Alembic inside the connection that ``leadgate.storage.schema`` hands over."""

from alembic import context

from leadgate.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, version_table="ledger_version")
with context.begin_transaction():
    context.run_migrations()
