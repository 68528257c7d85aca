"""full_name beside name (expand)

The release before reads and writes name; this one reads full_name. A trigger keeps
both alike while either release may run, so going back is safe.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD COLUMN full_name text")
    op.execute("UPDATE people SET full_name = name")
    op.execute("ALTER TABLE people ADD COLUMN hours_per_week numeric(4, 1) NOT NULL DEFAULT 40")
    op.execute(
        """
        CREATE FUNCTION people_names() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.full_name := coalesce(NEW.full_name, NEW.name);
            NEW.name := coalesce(NEW.name, NEW.full_name);
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER people_names BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION people_names()"
    )
