"""name is gone (contract)

Ships in a release after the last one that used name: going back beyond that release
is no longer possible.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004b"


def upgrade() -> None:
    op.execute("DROP TRIGGER people_names ON people")
    op.execute("DROP FUNCTION people_names()")
    op.execute("ALTER TABLE people DROP COLUMN name")
    op.execute("ALTER TABLE people ALTER COLUMN full_name SET NOT NULL")
