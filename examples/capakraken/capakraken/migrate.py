"""``db:migrate:deploy``: bring the database's schema to what this release ships."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from capakraken.auth import hash_password
from capakraken.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"
# For a run by hand; a deployment sets its own limits for the session in PGOPTIONS.
OPTIONS = "-c lock_timeout=5000"


def migrate(settings: Settings) -> int:
    """Apply what is pending, each migration in a transaction of its own; return the exit code."""
    connect_args = {"fallback_application_name": "capakraken-migrator", "connect_timeout": 10}
    connect_args |= {} if os.environ.get("PGOPTIONS") else {"options": OPTIONS}
    engine = create_engine(settings.database_url, connect_args=connect_args)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            first_administrator(connection, settings)
            connection.commit()
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        print(f"the migration failed: {str(cause).strip()}", file=sys.stderr)
        return 1
    print("the schema is up to date")
    return 0


def first_administrator(connection: Connection, settings: Settings) -> None:
    """Make the first administrator when there is no user yet and one is configured."""
    if not settings.admin_email or not settings.admin_password:
        return
    if connection.execute(text("SELECT count(*) FROM users")).scalar_one():
        return
    values = {"email": settings.admin_email.lower(), "hash": hash_password(settings.admin_password)}
    query = "INSERT INTO users (email, password_hash, role) VALUES (:email, :hash, 'admin') RETURNING id"
    user = connection.execute(text(query), values).scalar_one()
    connection.execute(text("INSERT INTO project_members SELECT id, :user FROM projects"), {"user": user})
    print("made the first administrator")
