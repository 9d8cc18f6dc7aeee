"""Run by Alembic: applies the steps inside the transaction that `storage.database` has begun."""

from alembic import context

from storage.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
