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
down_revision = "{after}"


def upgrade() -> None:
    op.execute("CREATE UNIQUE INDEX people_hours ON people (hours_per_week)")
'''

_SLOW = '''\
"""a table, slowly

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "{after}"


def upgrade() -> None:
    op.execute("CREATE TABLE slowly_made (id integer)")
    op.execute("SELECT pg_sleep({seconds})")
'''

_NOTE = '''\
"""people have a note (expand)

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "{after}"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD COLUMN note text")
'''


#: The migration that counts how often it is applied.
COUNTED = "migrations/versions/0006_counted.py"
_COUNTED = '''\
"""each time this is applied is counted (expand)

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE TABLE IF NOT EXISTS applications (at timestamptz NOT NULL DEFAULT now())")
    op.execute("INSERT INTO applications DEFAULT VALUES")
    op.execute("SELECT pg_sleep(0.5)")
'''


_REQUIRED = '''\
"""everybody has a location (contract)

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0006"


def upgrade() -> None:
    op.execute("UPDATE people SET location = '' WHERE location IS NULL")
    op.execute("ALTER TABLE people ALTER COLUMN location SET NOT NULL")
'''

_FORGOTTEN = '''\
"""people have a nickname (expand)

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD COLUMN nickname text")
'''

_REMARK = '''\
"""people have a remark, slowly (expand)

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD COLUMN remark text")
    op.execute("SELECT pg_sleep(1)")
'''

_RENAMED = '''\
"""people have a name (a word says that this expands, and it does not)

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "{after}"


def upgrade() -> None:
    op.execute("DO $$ BEGIN ALTER TABLE people RENAME COLUMN full_name TO name; END $$")
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


def count_migrations(work: Workspace) -> str:
    """Add a migration that takes half a second and leaves a row each time it commits. Returns the commit.

    Applied once is a fact, then, that can be asked of the database; nothing else depends on it.
    """
    work.write(COUNTED, _COUNTED)
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
    work.write("migrations/versions/0007_hours.py", _ALIKE.format(after=after))
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


def slow_migration(work: Workspace, seconds: int, after: str = "0005") -> str:
    """Ship a migration that takes its time and then adds a table. Returns the commit."""
    work.write("migrations/versions/0008_slow.py", _SLOW.format(seconds=seconds, after=after))
    return work.commit("Add a table, slowly")


def altered_table(work: Workspace, after: str = "0005") -> str:
    """Ship a migration that needs a lock that nobody else may have. Returns the commit."""
    work.write("migrations/versions/0009_note.py", _NOTE.format(after=after))
    return work.commit("Add a column")


def require_location(work: Workspace) -> str:
    """Require a value of the column that :func:`add_location` added, which code from before it does not write."""
    work.write("migrations/versions/0010_location_required.py", _REQUIRED)
    return work.commit("Everybody has a location")


def idle_migrator(work: Workspace) -> str:
    """Ship a migration that the migrator's image does not apply, whatever its exit code says. Returns the commit."""
    work.write("migrations/versions/0011_forgotten.py", _FORGOTTEN)
    migrate = '"python", "-m", "capakraken", "migrate"]\n\nFROM'
    work.edit("Dockerfile.prod", migrate, '"python", "-c", "print(\'no migration to apply\')"]\n\nFROM')
    return work.commit("Migrate with an empty engine")


def holds_a_lock(work: Workspace) -> str:
    """Ship, after :func:`add_location`, a migration that keeps everybody from a table for a second."""
    work.write("migrations/versions/0012_remark.py", _REMARK)
    return work.commit("Add a column, and take a second over it")


def renames_in_secret(work: Workspace, after: str) -> str:
    """Ship a migration that no text tells to break the release before, and somebody's word that it does not."""
    work.write("migrations/versions/0013_name.py", _RENAMED.format(after=after))
    work.edit("capakraken/schema.py", 'Column("full_name", String', 'Column("name", String')
    return work.commit("People have a name")
