"""The tables as this build uses them. Migrations make them; nothing here creates any."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, ForeignKey, Integer, MetaData, Numeric, String, Table

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("role", String, nullable=False),
)
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("full_name", String, nullable=False),
    Column("hours_per_week", Numeric, nullable=False),
)
projects = Table("projects", metadata, Column("id", Integer, primary_key=True), Column("name", String, nullable=False))
members = Table(
    "project_members",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
)
allocations = Table(
    "allocations",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("week", Date, primary_key=True),
    Column("hours", Numeric, nullable=False),
)
utilisation = Table(
    "utilisation",
    metadata,
    Column("week", Date, primary_key=True),
    Column("hours", Numeric, nullable=False),
    Column("computed_at", DateTime(timezone=True), nullable=False),
)
# Nothing writes a value there: see capakraken.runtime_secrets.
system_settings = Table(
    "SystemSettings",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String),
    Column("updatedAt", DateTime(timezone=True), nullable=False),
)
