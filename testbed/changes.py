"""Changes to the example that make the releases of a story: good ones, and each kind of bad one."""

from __future__ import annotations

import json

from testbed.workspace import Workspace

#: The migration that counts how often it is applied.
COUNTED = "migrations/versions/0006_counted.py"

_MIGRATION = '''\
"""{title}

Revision ID: {revision}
"""

from alembic import op

revision = "{revision}"
down_revision = "{after}"


def upgrade() -> None:
{statements}
'''


def add_location(work: Workspace) -> str:
    """Add a column and show it: a migration that only expands the schema. Returns the commit."""
    _migrate(
        work,
        "0006_location",
        "people have a location (expand)",
        "ALTER TABLE people ADD COLUMN location text",
        "UPDATE people SET location = 'London' WHERE full_name = 'Ada Lovelace'",
        after="0005",
    )
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


def count_migrations(work: Workspace) -> str:
    """Add a migration that takes half a second and leaves a row each time it commits. Returns the commit.

    Applied once is a fact, then, that can be asked of the database; nothing else depends on it.
    """
    _migrate(
        work,
        "0006_counted",
        "each time this is applied is counted (expand)",
        "CREATE TABLE IF NOT EXISTS applications (at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO applications DEFAULT VALUES",
        "SELECT pg_sleep(0.5)",
        after="0005",
    )
    return work.commit("Count how often it is applied")


def add_ballast(work: Workspace, megabytes: int, name: str) -> str:
    """Give the application's image a layer that takes a while to pull, another for each name. Returns the commit."""
    runner = "FROM base AS runner\n"
    noise = f"RUN head -c {megabytes}000000 /dev/urandom >/var/tmp/{name}\n"
    text = (work.path / "Dockerfile.prod").read_text(encoding="utf-8")
    head, _, tail = text.partition(runner)
    kept = tail[tail.index("\n") + 1 :] if tail.startswith("RUN head -c ") else tail
    work.write("Dockerfile.prod", head + runner + noise + kept)
    return work.commit(f"Weigh {megabytes} MB more")


def never_ready(work: Workspace) -> str:
    """Require a service that nobody runs: the release answers, but is never ready. Returns the commit."""
    checks = '    return {"database": database, "schema": schema, "redis": cache}'
    reason = '"the forecast service at forecast:8080 is not there"'
    forecast = f"    async def forecast() -> None:\n        raise NotReady({reason})\n\n"
    work.edit("capakraken/readiness.py", checks, forecast + checks.replace("}", ', "forecast": forecast}'))
    return work.commit("Ask the forecast service")


def migration_that_fails(work: Workspace, after: str = "0005") -> str:
    """Ship a migration that the data contradicts. Returns the commit."""
    _migrate(
        work,
        "0007_hours",
        "no two people work the same hours",
        "CREATE UNIQUE INDEX people_hours ON people (hours_per_week)",
        after=after,
    )
    return work.commit("No two people work the same hours")


def crash_at_boot(work: Workspace) -> str:
    """Fail before anything listens. Returns the commit."""
    begin = "    services = make_services(settings)\n    config = uvicorn.Config("
    work.edit(
        "capakraken/app.py", begin, '    raise SystemExit("capakraken: /app/models/forecast.bin is missing")\n' + begin
    )
    return work.commit("Load the forecast model")


def tells_its_environment(work: Workspace) -> str:
    """Print every variable in several ways and end: what a careless crash report does. Returns the commit."""
    begin = "    services = make_services(settings)\n    config = uvicorn.Config("
    telling = (
        "    import base64, json, os, urllib.parse\n"
        "    for key, value in sorted(os.environ.items(), key=lambda one: one[0] == 'NEXTAUTH_SECRET'):\n"
        "        coded = base64.b64encode(value.encode()).decode()\n"
        "        print(f'{key}={value}', json.dumps(value), repr(value), urllib.parse.quote(value, safe=''), coded)\n"
        '    raise SystemExit("capakraken: what the environment was is above")\n'
    )
    work.edit("capakraken/app.py", begin, telling + begin)
    return work.commit("Report a crash in full")


def retitle(work: Workspace, title: str) -> str:
    """Change a word on the page: a release that differs and is otherwise as good. Returns the commit."""
    work.edit("capakraken/templates/base.html", "<h1>CapaKraken</h1>", f"<h1>{title}</h1>")
    return work.commit(f"Call it {title}")


def fails_for_visitors(work: Workspace) -> str:
    """Answer visitors with 500 while the readiness says 200. Returns the commit."""
    answer = '"slot": settings.slot})'
    work.edit("capakraken/web/api.py", answer, answer[:-1] + ", status_code=500)")
    return work.commit("Answer with 500")


def logs_errors(work: Workspace) -> str:
    """Log an error with every answer that is otherwise as good as before. Returns the commit."""
    answer = '    settings = services(request).settings\n    return JSONResponse({"status"'
    logging = '    try:\n        {}["forecast"]\n    except KeyError:\n        logging.exception("no forecast")\n'
    work.edit("capakraken/web/api.py", answer, answer.replace("    return", logging + "    return"))
    work.edit("capakraken/web/api.py", "import contextlib\n", "import contextlib\nimport logging\n")
    return work.commit("Look for a forecast")


def slow_migration(work: Workspace, seconds: int, after: str = "0005") -> str:
    """Ship a migration that takes its time and then adds a table. Returns the commit."""
    _migrate(
        work,
        "0008_slow",
        "a table, slowly",
        "CREATE TABLE slowly_made (id integer)",
        f"SELECT pg_sleep({seconds})",
        after=after,
    )
    return work.commit("Add a table, slowly")


def altered_table(work: Workspace, after: str = "0005") -> str:
    """Ship a migration that needs a lock that nobody else may have. Returns the commit."""
    _migrate(
        work,
        "0009_note",
        "people have a note (expand)",
        "ALTER TABLE people ADD COLUMN note text",
        after=after,
    )
    return work.commit("Add a column")


def require_location(work: Workspace) -> str:
    """Require a value of the column that :func:`add_location` added, which code from before it does not write."""
    _migrate(
        work,
        "0010_location_required",
        "everybody has a location (contract)",
        "UPDATE people SET location = '' WHERE location IS NULL",
        "ALTER TABLE people ALTER COLUMN location SET NOT NULL",
        after="0006",
    )
    return work.commit("Everybody has a location")


def idle_migrator(work: Workspace) -> str:
    """Ship a migration that the migrator's image does not apply, whatever its exit code says. Returns the commit."""
    _migrate(
        work,
        "0011_forgotten",
        "people have a nickname (expand)",
        "ALTER TABLE people ADD COLUMN nickname text",
        after="0010",
    )
    migrate = '"python", "-m", "capakraken", "migrate"]\n\nFROM'
    work.edit("Dockerfile.prod", migrate, '"python", "-c", "print(\'no migration to apply\')"]\n\nFROM')
    return work.commit("Migrate with an empty engine")


def holds_a_lock(work: Workspace) -> str:
    """Ship, after :func:`add_location`, a migration that keeps everybody from a table for a second."""
    _migrate(
        work,
        "0012_remark",
        "people have a remark, slowly (expand)",
        "ALTER TABLE people ADD COLUMN remark text",
        "SELECT pg_sleep(1)",
        after="0006",
    )
    return work.commit("Add a column, and take a second over it")


def renames_in_secret(work: Workspace, after: str) -> str:
    """Ship a migration that no text tells to break the release before, and somebody's word that it does not."""
    _migrate(
        work,
        "0013_name",
        "people have a name (a word says that this expands, and it does not)",
        "DO $$ BEGIN ALTER TABLE people RENAME COLUMN full_name TO name; END $$",
        after=after,
    )
    work.edit("capakraken/schema.py", 'Column("full_name", String', 'Column("name", String')
    return work.commit("People have a name")


def _migrate(work: Workspace, name: str, title: str, *statements: str, after: str) -> None:
    """Write a migration of these SQL statements; the four figures that its name begins with are its revision."""
    lines = "\n".join(f"    op.execute({json.dumps(one)})" for one in statements)
    text = _MIGRATION.format(title=title, revision=name[:4], after=after, statements=lines)
    work.write(f"migrations/versions/{name}.py", text)
