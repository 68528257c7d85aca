"""Runs the migrations on the connection that ``capakraken.migrate`` opened."""

from __future__ import annotations

from typing import Any

from alembic import context


def say(**step: Any) -> None:
    """Tell which migration was applied."""
    revision = step["step"].up_revision
    print(f"applied {revision.revision}: {revision.doc}", flush=True)


connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True, on_version_apply=say)
with context.begin_transaction():
    context.run_migrations()
