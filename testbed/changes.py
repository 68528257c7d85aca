"""Changes to the example that make the releases of a story: good ones, and each kind of bad one."""

from __future__ import annotations

from testbed.workspace import Workspace

_LOCATION = '''\
"""people have a location (expand)

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD COLUMN location text")
    op.execute("UPDATE people SET location = 'London' WHERE full_name = 'Ada Lovelace'")
'''

_ALIKE = '''\
"""no two people work the same hours

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE UNIQUE INDEX people_hours ON people (hours_per_week)")
'''


def add_location(work: Workspace) -> str:
    """Add a column and show it: a migration that only expands the schema. Returns the commit."""
    work.write("migrations/versions/0006_location.py", _LOCATION)
    hours = '    Column("hours_per_week", Numeric, nullable=False),\n'
    work.edit("capakraken/schema.py", hours, hours + '    Column("location", String),\n')
    work.edit(
        "capakraken/planning.py",
        "    hours_per_week: Decimal\n",
        "    hours_per_week: Decimal\n    location: str | None\n",
    )
    work.edit("capakraken/planning.py", "row.hours_per_week)", "row.hours_per_week, row.location)")
    shown = "{{ person.name if loop.first }}"
    work.edit(
        "capakraken/templates/timeline.html",
        shown,
        shown + "{% if loop.first and person.location %}, {{ person.location }}{% endif %}",
    )
    return work.commit("Show where people are")


def never_ready(work: Workspace) -> str:
    """Require a service that nobody runs: the release answers, but is never ready. Returns the commit."""
    checks = '    return {"database": database, "schema": schema, "redis": cache}'
    reason = '"the forecast service at forecast:8080 is not there"'
    forecast = f"    async def forecast() -> None:\n        raise NotReady({reason})\n\n"
    work.edit("capakraken/readiness.py", checks, forecast + checks.replace("}", ', "forecast": forecast}'))
    return work.commit("Ask the forecast service")


def migration_that_fails(work: Workspace) -> str:
    """Ship a migration that the data contradicts. Returns the commit."""
    work.write("migrations/versions/0007_hours.py", _ALIKE)
    return work.commit("No two people work the same hours")


def crash_at_boot(work: Workspace) -> str:
    """Fail before anything listens. Returns the commit."""
    begin = "    services = make_services(settings)\n    config = uvicorn.Config("
    work.edit(
        "capakraken/app.py", begin, '    raise SystemExit("capakraken: /app/models/forecast.bin is missing")\n' + begin
    )
    return work.commit("Load the forecast model")


def retitle(work: Workspace, title: str) -> str:
    """Change a word on the page: a release that differs and is otherwise as good. Returns the commit."""
    work.edit("capakraken/templates/base.html", "<h1>CapaKraken</h1>", f"<h1>{title}</h1>")
    return work.commit(f"Call it {title}")
