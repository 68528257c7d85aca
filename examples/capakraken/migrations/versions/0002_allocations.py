"""allocations by week

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE allocations (
            person_id integer NOT NULL REFERENCES people ON DELETE CASCADE,
            project_id integer NOT NULL REFERENCES projects ON DELETE CASCADE,
            week date NOT NULL CHECK (extract(isodow FROM week) = 1),
            hours numeric(5, 2) NOT NULL CHECK (hours > 0 AND hours <= 80),
            CONSTRAINT allocations_pkey PRIMARY KEY (person_id, project_id, week)
        )
        """
    )
    op.execute("CREATE INDEX allocations_week ON allocations (week)")
