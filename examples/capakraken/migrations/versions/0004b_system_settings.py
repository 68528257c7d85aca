"""the table that an earlier admin page kept secrets in (expand)

Nothing writes it any more: secrets come from the environment. It is here for those
who come from there, whose rows are to be found and cleared.

Revision ID: 0004b
"""

from alembic import op

revision = "0004b"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS "SystemSettings" (
            key text PRIMARY KEY,
            value text,
            "updatedAt" timestamptz NOT NULL DEFAULT now()
        )
        """
    )
