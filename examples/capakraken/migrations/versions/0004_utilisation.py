"""weekly utilisation, computed by the worker

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE utilisation (
            week date PRIMARY KEY,
            hours numeric(8, 2) NOT NULL,
            computed_at timestamptz NOT NULL
        )
        """
    )
