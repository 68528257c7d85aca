"""people, projects and users

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE users (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            email text NOT NULL UNIQUE,
            password_hash text NOT NULL,
            role text NOT NULL CHECK (role IN ('viewer', 'planner', 'admin'))
        )
        """
    )
    op.execute("CREATE TABLE people (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL)")
    op.execute("CREATE TABLE projects (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)")
    op.execute(
        """
        CREATE TABLE project_members (
            project_id integer NOT NULL REFERENCES projects ON DELETE CASCADE,
            user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
            PRIMARY KEY (project_id, user_id)
        )
        """
    )
    op.execute("INSERT INTO people (name) VALUES ('Ada Lovelace'), ('Grace Hopper'), ('Katherine Johnson')")
    op.execute("INSERT INTO projects (name) VALUES ('Engine'), ('Compiler'), ('Orbit')")
