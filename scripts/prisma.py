"""Record what real Prisma writes into ``_prisma_migrations``: ``python -m scripts.prisma URL``.

URL is of an empty PostgreSQL database, ``postgresql://user@host/name``. Needs Node.js and npm. The
engine's reader of that table is tested against what is recorded here; record it anew, and look at
what differs, when Prisma has a new version.

Prisma's native engines come from a host of its own. Here its schema engine runs as the WebAssembly
that its package ships, over a driver adapter: the same engine, but a migration is then not within
one transaction, so that nothing is to be learned of that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from fairway.engine.schema.tables import QUERY
from testbed.waiting import wait_for

RECORDED = Path(__file__).resolve().parents[1] / "tests" / "unit" / "engine" / "schema" / "prisma.json"
#: The adapter of 6 does not know the type ``name``, which the engine asks for.
PACKAGES = ("prisma@6.19.3", "@prisma/adapter-pg@7.10.1")
_CONFIG = """\
import { defineConfig } from 'prisma/config'
import { PrismaPg } from '@prisma/adapter-pg'
export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: 'prisma/schema.prisma',
  adapter: async () => new PrismaPg({ connectionString: process.env.DATABASE_URL }),
})
"""
_SCHEMA = """\
generator client {
  provider = "prisma-client-js"
}
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}
"""
_SLEEPERS = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"


class Project:
    """A project of Prisma's in a directory of its own, and the database that it migrates."""

    def __init__(self, root: Path, url: str) -> None:
        self._root = root
        self._url = url
        self._migrations = root / "prisma" / "migrations"
        self._migrations.mkdir(parents=True)
        (root / "prisma" / "schema.prisma").write_text(_SCHEMA)
        (root / "prisma.config.ts").write_text(_CONFIG)
        (self._migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')
        # It looks for its native engines before it finds that it needs none, and asks one whether it can connect.
        engine = root / "engine"
        engine.write_text("#!/bin/sh\nexit 0\n")
        engine.chmod(0o755)
        self._env = {
            **os.environ,
            "DATABASE_URL": url,
            "PRISMA_QUERY_ENGINE_LIBRARY": str(engine),
            "PRISMA_SCHEMA_ENGINE_BINARY": str(engine),
            "CHECKPOINT_DISABLE": "1",
        }
        (root / "package.json").write_text("{}\n")
        self._run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES)

    def write(self, folder: str, sql: str) -> None:
        """Write a migration."""
        (self._migrations / folder).mkdir(exist_ok=True)
        (self._migrations / folder / "migration.sql").write_text(sql)

    def remove_all(self) -> None:
        """Remove every migration, as a squash does."""
        for path in self._migrations.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    def migrate(self, *arguments: str, fails: str = "") -> None:
        """Run ``prisma migrate``; where it ``fails``, its output must say that."""
        done = self._run("npx", "prisma", "migrate", *arguments, check=not fails)
        if fails not in done.stdout + done.stderr:
            raise SystemExit(f"prisma migrate {' '.join(arguments)} did not say {fails}:\n{done.stdout}{done.stderr}")

    def kill_while_it_sleeps(self) -> None:
        """Kill a migrator in the middle of a migration that sleeps, and end its session."""
        running = subprocess.Popen(
            ["npx", "prisma", "migrate", "deploy"], cwd=self._root, env=self._env, start_new_session=True
        )
        wait_for("the migration to sleep", lambda: self._asked(f"SELECT count(*) {_SLEEPERS}")[0][0])
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        self._asked(f"SELECT pg_terminate_backend(pid) {_SLEEPERS}")

    def look(self) -> dict[str, Any]:
        """Return the migrations' table as the engine asks for it, and the files' digests."""
        queries = QUERY.replace("\\gexec", "")
        lines = [self._asked(str(made))[0][0] for (made,) in self._asked(queries)]
        files = {
            path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self._migrations.rglob("*.sql"))
        }
        return {"lines": lines, "files": files}

    def _asked(self, sql: str) -> list[Any]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()

    def _run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, cwd=self._root, env=self._env, check=check, text=True, capture_output=True)


def record(project: Project) -> dict[str, Any]:
    """Take a database through everything that may become of a migration; return what is on record at each stage."""
    found = {}
    project.write("20260101000000_init", 'CREATE TABLE "Person" ("id" SERIAL PRIMARY KEY, "name" TEXT NOT NULL);\n')
    project.write("20260102000000_notes", 'ALTER TABLE "Person" ADD COLUMN "note" TEXT;\n')
    project.migrate("deploy")
    found["applied"] = project.look()
    project.write("20260103000000_fails", 'ALTER TABLE "Nobody" ADD COLUMN "x" TEXT;\n')
    project.migrate("deploy", fails="No such table")
    project.migrate("deploy", fails="P3009")
    found["failed"] = project.look()
    project.migrate("resolve", "--rolled-back", "20260103000000_fails")
    found["rolled back"] = project.look()
    project.write("20260103000000_fails", 'ALTER TABLE "Person" ADD COLUMN "x" TEXT;\n')
    project.migrate("deploy")
    found["applied after all"] = project.look()
    project.write("20260104000000_sleeps", "SELECT pg_sleep(600);\n")
    project.kill_while_it_sleeps()
    found["killed"] = project.look()
    project.migrate("deploy", fails="P3009")
    project.migrate("resolve", "--applied", "20260104000000_sleeps")
    found["said to be applied"] = project.look()
    project.write("20260104000000_sleeps", "SELECT 1;\n")
    project.migrate("deploy")
    found["edited"] = project.look()
    project.remove_all()
    project.write("20260105000000_squashed", 'CREATE TABLE "Person" ("id" SERIAL PRIMARY KEY, "name" TEXT NOT NULL);\n')
    project.migrate("resolve", "--applied", "20260105000000_squashed")
    project.migrate("deploy")
    found["squashed"] = project.look()
    return found


def main(url: str) -> int:
    """Record, and write the file."""
    with tempfile.TemporaryDirectory(prefix="fairway-prisma-") as name:
        stages = record(Project(Path(name), url))
    document = {"packages": PACKAGES, "stages": stages}
    RECORDED.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
