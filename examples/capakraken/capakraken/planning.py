"""Weeks, and the plan: who works on what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from capakraken.schema import allocations, members, people, projects

WEEKS_SHOWN = 8
MAX_HOURS = Decimal(80)


class BadAllocation(Exception):
    """An allocation that cannot be planned; the message is for the planner."""


@dataclass(frozen=True)
class Person:
    """A person and the hours they have in a week."""

    id: int
    name: str
    hours_per_week: Decimal


@dataclass(frozen=True)
class Timeline:
    """The plan from one week on: hours by person, project and week."""

    weeks: list[date]
    people: list[Person]
    projects: dict[int, str]
    hours: dict[tuple[int, int, date], Decimal]

    def total(self, person_id: int, week: date) -> Decimal:
        """Return a person's planned hours in a week."""
        return sum((h for (p, _, w), h in self.hours.items() if p == person_id and w == week), Decimal(0))


def week_of(day: date) -> date:
    """Return the Monday of a day's week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def weeks_from(day: date, count: int = WEEKS_SHOWN) -> list[date]:
    """Return the Mondays of ``count`` weeks, the day's own first."""
    return [week_of(day) + timedelta(weeks=n) for n in range(count)]


def parse_hours(text: str) -> Decimal:
    """Read hours as a planner types them. Raises ``BadAllocation``."""
    try:
        hours = Decimal(text.strip().replace(",", ".") or "0")
    except InvalidOperation:
        raise BadAllocation("hours must be a number") from None
    if not (hours.is_finite() and 0 <= hours <= MAX_HOURS):
        raise BadAllocation(f"hours must be from 0 to {MAX_HOURS}")
    return hours


async def read_timeline(engine: AsyncEngine, start: date) -> Timeline:
    """Read the plan of the weeks from ``start`` on."""
    weeks = weeks_from(start)
    async with engine.connect() as connection:
        found = await connection.execute(select(people).order_by(people.c.full_name))
        everyone = [Person(row.id, row.full_name, row.hours_per_week) for row in found]
        names = {row.id: row.name for row in await connection.execute(select(projects).order_by(projects.c.name))}
        query = select(allocations).where(allocations.c.week.between(weeks[0], weeks[-1]))
        hours = {(row.person_id, row.project_id, row.week): row.hours for row in await connection.execute(query)}
    return Timeline(weeks, everyone, names, hours)


async def allocate(engine: AsyncEngine, person_id: int, project_id: int, week: date, hours: Decimal) -> list[int]:
    """Plan hours, or none; return the users who follow the project."""
    key = {"person_id": person_id, "project_id": project_id, "week": week_of(week)}
    async with engine.begin() as connection:
        if hours:
            statement = insert(allocations).values(hours=hours, **key)
            await connection.execute(
                statement.on_conflict_do_update(constraint="allocations_pkey", set_={"hours": statement.excluded.hours})
            )
        else:
            await connection.execute(delete(allocations).filter_by(**key))
        query = select(members.c.user_id).where(members.c.project_id == project_id)
        return [row.user_id for row in await connection.execute(query)]
