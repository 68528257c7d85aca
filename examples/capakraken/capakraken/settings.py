"""Everything the application is told, from its environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

_MIN_SECRET = 32


class SettingsError(Exception):
    """A setting is missing or not usable; the message names it and never its value."""


@dataclass(frozen=True)
class Settings:
    """The settings of one process. Secrets are kept out of its representation."""

    database_url: URL = field(repr=False)
    redis_url: str
    public_url: str
    session_secret: str = field(repr=False)
    admin_email: str | None
    admin_password: str | None = field(repr=False)
    sentry_dsn: str | None = field(repr=False)
    release: str
    slot: str
    port: int
    stop_grace_s: float


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the settings. Raises ``SettingsError`` naming every variable that is wrong."""
    problems: list[str] = []

    def required(key: str) -> str:
        value = environ.get(key, "")
        if not value:
            problems.append(f"{key} is not set")
        return value

    password = required("POSTGRES_PASSWORD")
    secret = required("NEXTAUTH_SECRET")
    if secret and len(secret) < _MIN_SECRET:
        problems.append(f"NEXTAUTH_SECRET is shorter than {_MIN_SECRET} characters")
    public_url = required("NEXTAUTH_URL")
    if environ.get("SMTP_USER") and not environ.get("SMTP_PASSWORD"):
        problems.append("SMTP_PASSWORD is not set, and SMTP_USER is")
    if environ.get("ANONYMIZATION_MODE") == "deterministic" and not environ.get("ANONYMIZATION_SEED"):
        problems.append("ANONYMIZATION_SEED is not set, and ANONYMIZATION_MODE is deterministic")
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(
        database_url=URL.create(
            "postgresql+psycopg",
            username=environ.get("POSTGRES_USER") or "capakraken",
            password=password,
            host=environ.get("POSTGRES_HOST") or "localhost",
            port=int(environ.get("POSTGRES_PORT") or 5432),
            database=environ.get("POSTGRES_DB") or "capakraken",
        ),
        redis_url=environ.get("REDIS_URL") or "redis://localhost:6379/0",
        public_url=public_url,
        session_secret=secret,
        admin_email=environ.get("ADMIN_EMAIL") or None,
        admin_password=environ.get("ADMIN_PASSWORD") or None,
        sentry_dsn=environ.get("SENTRY_DSN") or None,
        release=environ.get("FAIRWAY_RELEASE") or "unknown",
        slot=environ.get("FAIRWAY_SLOT") or "none",
        port=int(environ.get("PORT") or 3000),
        stop_grace_s=float(environ.get("STOP_GRACE_S") or 10),
    )
