"""Put a backup in the place of the database in use.

The dump is loaded into a new database beside it while the application serves; only
when that is complete and its rows are counted do the two change names, in one
transaction, with all connections ended. The old one is kept, closed to connections.
What is under way is written down first, so that whoever comes after an engine that
was lost knows what to take back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairway.engine import clock
from fairway.engine.backups.checking import refuse_altered, refuse_newer_dump, send
from fairway.engine.backups.flow import Report
from fairway.engine.backups.gauge import watched
from fairway.engine.backups.postgres import InContainer, Postgres
from fairway.engine.backups.snapshot import COUNT
from fairway.engine.backups.space import restored_bytes
from fairway.engine.backups.store import RESTORE_RECORD, Backup, Store
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.files import sync_directory, write_atomically

_LOAD_PATIENCE_S = 12 * 3600.0
_CLOSE_PATIENCE_S = 15.0
_DROP_PATIENCE_S = 600.0
_LOOK_EVERY_S = 0.05
_NAME_BYTES = 63
_STAMP = re.compile(r"_before_[0-9]{8}_[0-9]{6}_[0-9]{6}")
_MARGIN = 1.3

# As the old one was made, so that nothing sorts or compares otherwise.
CREATE = """
SELECT format('CREATE DATABASE %I WITH TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L',
              :'new', pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype)
    || CASE to_jsonb(d)->>'datlocprovider'
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L',
                              coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'))
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d)->>'datlocale')
         ELSE '' END
  FROM pg_database d WHERE d.datname = :'database' \\gexec
"""
# What belongs to the database itself is not in a dump of its contents: settings and grants.
DRESS = """
SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I SET ', :'new')
            ELSE format('ALTER ROLE %I IN DATABASE %I SET ', pg_get_userbyid(s.setrole), :'new') END
    || quote_ident(split_part(one, '=', 1)) || ' TO '
    || CASE WHEN split_part(one, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
                                             'session_preload_libraries')
            THEN substr(one, strpos(one, '=') + 1)
            ELSE quote_literal(substr(one, strpos(one, '=') + 1)) END
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS one
 WHERE d.datname = :'database' \\gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'new')
  FROM pg_database d WHERE d.datname = :'database' AND d.datacl IS NOT NULL \\gexec
SELECT format('GRANT %s ON DATABASE %I TO %s', a.privilege_type, :'new',
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
  FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = :'database' \\gexec
"""
_CLOSE = 'ALTER DATABASE :"database" WITH ALLOW_CONNECTIONS false;\n'
_OPEN = 'ALTER DATABASE :"database" WITH ALLOW_CONNECTIONS true;\n'
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (:'database', :'new');
SELECT count(*) FROM pg_stat_activity WHERE datname IN (:'database', :'new');
"""
_SWITCH = """
BEGIN;
ALTER DATABASE :"database" RENAME TO :"old";
ALTER DATABASE :"new" RENAME TO :"database";
COMMIT;
"""
_DATABASES = "SELECT datname FROM pg_database ORDER BY 1;\n"
_DROP = 'DROP DATABASE IF EXISTS :"name";\n'
_END_AND_DROP = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'name';\n{_DROP}"  # noqa: S608
_ABOUT = "SELECT current_database(); SELECT current_setting('server_version_num');\n"


@dataclass(frozen=True)
class Names:
    """A restore under way: the database in use, the new one, and what the one in use is to be called after."""

    backup: str
    by: str
    database: str
    new: str
    old: str

    @property
    def maintenance(self) -> str:
        """A database to stand in while the others are renamed."""
        return "template1" if self.database == "postgres" else "postgres"

    @classmethod
    def parse(cls, fields: Fields) -> Names:
        """Take them out of a document."""
        names = cls(**{key: fields.text(key) for key in ("backup", "by", "database", "new", "old")})
        fields.end()
        return names


def names_for(backup: str, database: str, *, by: str, now: str) -> Names:
    """Return the names of a restore; ``now`` is in the form of an id."""
    stamp = "".join(c if c.isdigit() else "_" for c in now)
    new = _fit(database, "_restore_" + "".join(c if c.isdigit() else "_" for c in backup))
    return Names(backup, by, database, new, _fit(database, f"_before_{stamp}"))


def _fit(database: str, ending: str) -> str:
    room = _NAME_BYTES - len(ending)
    return database.encode()[:room].decode(errors="ignore") + ending


class Restore:
    """Loads backups into one PostgreSQL."""

    def __init__(self, store: Store, postgres: Postgres, env: Mapping[str, str], notice: Report) -> None:
        self._store = store
        self._postgres = postgres
        self._env = env
        self._notice = notice

    def run(self, backup: Backup, identity: str | None, *, by: str, now: str) -> Names:
        """Restore a backup; return the names. Call with the host's lock and the store's held.

        Raises ``Failed``, and then the database in use is the one it was, open to all.
        """
        database, version = self._postgres.ask(_ABOUT)
        refuse_newer_dump(backup, int(version))
        self._notice("checking the backup's digest")
        refuse_altered(self._store, backup)
        self._refuse_full(backup)
        names = names_for(backup.id, database, by=by, now=now)
        self._write_down(names)
        try:
            self._load(backup, identity, names)
            self._switch(names)
        except BaseException as error:
            in_use = False
            with suppress(FairwayError):  # what is written down is then for whoever comes next
                in_use = self.settle(names)
            # The names may have been changed though the answer was lost.
            if in_use and isinstance(error, Exception):
                return names
            raise
        self.forget()
        return names

    def pending(self) -> Names | None:
        """Return the restore that an engine which was lost has left, None when there is none."""
        try:
            content = self._record.read_bytes()
        except FileNotFoundError:
            return None
        return Names.parse(Fields(parse_json(content, str(self._record)), str(self._record)))

    def settle(self, names: Names) -> bool:
        """Bring a restore that was lost to an end; return whether the backup is in use."""
        present = self._databases(names)
        if names.old in present:
            self._open(names)  # both names were changed at once: it had come to its end
            self.forget()
            return True
        self.take_back(names)
        return False

    def take_back(self, names: Names) -> None:
        """Have the database in use open, and nothing left of the new one."""
        if names.old not in self._databases(names):
            self._open(names)
            self._postgres.ask(
                _END_AND_DROP,
                {"name": names.new},
                database=names.maintenance,
            )
        self.forget()

    def forget(self) -> None:
        """Note that nothing is under way any more."""
        self._record.unlink(missing_ok=True)
        sync_directory(self._store.directory)

    def kept(self) -> tuple[str, ...]:
        """Return the databases that restores have put aside."""
        database, _ = self._postgres.ask(_ABOUT)
        found = self._postgres.ask(_DATABASES)
        return tuple(name for name in found if is_kept(name, database))

    def drop(self, name: str) -> None:
        """Drop one of them. Raises ``Invalid`` for any other database."""
        if name not in self.kept():
            raise Invalid(
                f"{name[:63]!r} is not a database that a restore has put aside",
                hint="fairway backup list <environment> shows them",
            )
        self._postgres.ask(_DROP, {"name": name}, timeout_s=_DROP_PATIENCE_S)

    @property
    def _record(self) -> Path:
        return self._store.directory / RESTORE_RECORD

    def _write_down(self, names: Names) -> None:
        write_atomically(self._record, json.dumps(names.__dict__).encode())

    def _refuse_full(self, backup: Backup) -> None:
        free = self._postgres.free_bytes() if isinstance(self._postgres, InContainer) else None
        needed = restored_bytes(backup.database_bytes, _MARGIN)
        if free is not None and free < needed:
            raise Failed(
                "there is no room for a second database beside the one in use",
                why=f"it takes about {needed / 2**20:.0f} MiB while it is loaded, {free / 2**20:.0f} MiB are free",
                hint="free some space where the database keeps its data; nothing was changed",
            )

    def _load(self, backup: Backup, identity: str | None, names: Names) -> None:
        self._notice(f"loading {backup.id} into {names.new}, beside {names.database}")
        ask = self._postgres.ask
        ask(_DROP, {"name": names.new}, database=names.maintenance)
        self._ask_about(CREATE, names)
        self._ask_about(DRESS, names)
        loading = self._postgres.command(
            "pg_restore", ["--exit-on-error", "--no-password", f"--dbname={names.new}"], database=names.new
        )
        with watched(self._postgres, lambda: None) as check:
            code, said = send(self._store, backup, loading, identity, self._env, report=self._notice, check=check)
        if code != 0:
            raise Failed(
                f"the backup {backup.id} could not be loaded",
                why=self._postgres.clean(said),
                hint="nothing was changed; what serves is the database as it was",
            )
        ask("ANALYZE;\n", database=names.new, timeout_s=_LOAD_PATIENCE_S)
        self._refuse_miscounted(backup, names)

    def _ask_about(self, sql: str, names: Names) -> list[str]:
        variables = {"database": names.database, "new": names.new, "old": names.old}
        return self._postgres.ask(sql, variables, database=names.maintenance)

    def _refuse_miscounted(self, backup: Backup, names: Names) -> None:
        if backup.tables is None:
            return
        counted = dict(
            json.loads(line) for line in self._postgres.ask(COUNT, database=names.new, timeout_s=_LOAD_PATIENCE_S)
        )
        if counted != dict(backup.tables):
            wrong = sorted(name for name in {*counted, *backup.tables} if counted.get(name) != backup.tables.get(name))
            raise Failed(
                f"the backup {backup.id} was loaded, but its rows are not those that were dumped",
                why="; ".join(f"{n}: {counted.get(n)}, not {backup.tables.get(n)}" for n in wrong[:5]),
                hint="nothing was changed; what serves is the database as it was",
            )

    def _switch(self, names: Names) -> None:
        self._notice(f"{names.database} becomes {names.old}, {names.new} takes its name")
        self._ask_about(_CLOSE, names)
        deadline = clock.monotonic() + _CLOSE_PATIENCE_S
        while self._ask_about(_END, names)[-1] != "0":
            if clock.monotonic() > deadline:
                raise Failed("connections to the database could not be ended", hint="nothing was changed; try again")
            clock.sleep(_LOOK_EVERY_S)
        self._ask_about(_SWITCH, names)

    def _open(self, names: Names) -> None:
        self._ask_about(_OPEN, names)

    def _databases(self, names: Names) -> list[str]:
        return self._postgres.ask(_DATABASES, database=names.maintenance)


def is_kept(name: str, database: str) -> bool:
    """Say whether a database is one that a restore of this one has put aside."""
    match = _STAMP.search(name)
    return match is not None and match.end() == len(name) and name == _fit(database, match[0])
